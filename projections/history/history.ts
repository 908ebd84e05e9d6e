import type { AccountEvent, AccountEventType, Balance, Resource } from '#ledger/account/events.js';
import { balanceChange } from '#ledger/account/grants/moves.js';
import type { Json } from '#kernel/json.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { document } from '#database/values.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import { dispatch, ownerOf, type Handlers, type LedgerProjection, type Projected } from '../ledger-projection.js';
import { historyOracle } from './oracle.js';
import { historyTerms, metadataTerms, resourceTerms, type TermRow } from './terms.js';

export const historyTypes = [
  'granted',
  'consumed',
  'held',
  'captured',
  'released',
  'reversed',
  'expired',
  'revoked',
  'reinstated',
  'adjusted',
  'transfer_sent',
  'transfer_received',
  'transfer_returned',
  'debt_incurred',
  'debt_repaid',
] as const;
export type HistoryType = (typeof historyTypes)[number];

/** One row per movement of an account, written once. */
export const history = {
  name: 'history',
  visibleTo: 'own-rows',
  key: ['customer_id', 'unit', 'position'],
  columns: {
    customer_id: 'text',
    unit: 'text',
    position: 'bigint',
    event_id: 'uuid',
    type: 'text',
    at: 'text',
    amount: 'bigint',
    balance_after: 'bigint',
    debt_change: 'bigint',
    grant_id: 'text?',
    consumption_id: 'text?',
    hold_id: 'text?',
    reversal_id: 'text?',
    adjustment_id: 'text?',
    transfer_id: 'text?',
    resource_type: 'text?',
    resource_id: 'text?',
    description: 'text?',
    metadata: 'text?',
    payment_reference: 'text?',
    actor: 'text',
  },
} as const satisfies Table;
type Row = RowOf<typeof history>;

type MovementDetails = Partial<
  Pick<
    Row,
    | 'grant_id'
    | 'consumption_id'
    | 'hold_id'
    | 'reversal_id'
    | 'adjustment_id'
    | 'transfer_id'
    | 'resource_type'
    | 'resource_id'
    | 'description'
    | 'metadata'
    | 'payment_reference'
  >
>;
type Movement = { readonly type: HistoryType } & MovementDetails;

/** Most have none. */
const shown = (metadata: Json): string | null => {
  const text = document(metadata);
  return text === '{}' ? null : text;
};

const namedBy = (resource: Resource | null = null): Pick<Movement, 'resource_type' | 'resource_id'> => ({
  resource_type: resource?.type ?? null,
  resource_id: resource?.id ?? null,
});

/** What an event is in a customer's history; null when it moves nothing for the customer. */
const movements: {
  readonly [Type in AccountEventType]: null | ((event: Extract<AccountEvent, { type: Type }>) => Movement);
} = {
  AccountOpened: null,
  CreditsGranted: ({ grantId, adjustmentId, received, description, metadata, paymentReference }) => ({
    type: adjustmentId !== null ? 'adjusted' : received === undefined ? 'granted' : 'transfer_received',
    grant_id: grantId,
    adjustment_id: adjustmentId,
    transfer_id: received?.transferId ?? null,
    description,
    metadata: shown(metadata),
    payment_reference: paymentReference,
  }),
  CreditsActivated: ({ grantId }) => ({ type: 'granted', grant_id: grantId }),
  CreditsConsumed: ({ consumptionId, description, metadata, resource }) => ({
    type: 'consumed',
    consumption_id: consumptionId,
    description,
    metadata: shown(metadata),
    ...namedBy(resource),
  }),
  CreditsHeld: ({ holdId, description, metadata, resource }) => ({
    type: 'held',
    hold_id: holdId,
    description,
    metadata: shown(metadata),
    ...namedBy(resource),
  }),
  HoldExtended: null,
  HoldRaised: ({ holdId }) => ({ type: 'held', hold_id: holdId }),
  HoldCaptured: ({ holdId, consumptionId, resource }) => ({
    type: 'captured',
    hold_id: holdId,
    consumption_id: consumptionId,
    ...namedBy(resource),
  }),
  HoldReleased: ({ holdId }) => ({ type: 'released', hold_id: holdId }),
  CreditsExpired: ({ grantId }) => ({ type: 'expired', grant_id: grantId }),
  CreditsRevoked: ({ grantId, cause, reason }) =>
    cause.kind === 'adjustment'
      ? { type: 'adjusted', adjustment_id: cause.id, grant_id: grantId, description: reason }
      : { type: 'revoked', grant_id: grantId, description: reason },
  CreditsReinstated: ({ grantId }) => ({ type: 'reinstated', grant_id: grantId }),
  ConsumptionReversed: ({ reversalId, consumptionId, reason }) => ({
    type: 'reversed',
    reversal_id: reversalId,
    consumption_id: consumptionId,
    description: reason,
  }),
  DebtIncurred: ({ cause }) => ({ type: 'debt_incurred', grant_id: cause.grantId }),
  DebtRepaid: ({ grantId }) => ({ type: 'debt_repaid', grant_id: grantId }),
  DebtForgiven: ({ cause }) =>
    cause.kind === 'reversal' ? { type: 'reversed', reversal_id: cause.id } : { type: 'reinstated' },
  TransferSent: ({ transferId, reason }) => ({ type: 'transfer_sent', transfer_id: transferId, description: reason }),
  TransferReceived: null,
  TransferReturned: ({ transferId }) => ({ type: 'transfer_returned', transfer_id: transferId }),
  TransferClaimed: null,
  PaymentClaimed: null,
  PeriodChanged: null,
  TrialChanged: null,
  TermsEnded: null,
  BillingRequested: null,
  BudgetSet: null,
  BudgetRemoved: null,
  BurnOrderChanged: null,
  OverdraftLimitChanged: null,
  DebtPolicyChanged: null,
  LowBalanceThresholdChanged: null,
  AccountFrozen: null,
  AccountUnfrozen: null,
  AccountClosed: null,
};

const movementOf = (event: AccountEvent): Movement | null =>
  (movements[event.type] as ((event: AccountEvent) => Movement) | null)?.(event) ?? null;

type Change = Pick<Balance, 'available' | 'debt'>;

/** The row of a movement that changes the balance by `change`. */
function rowOf({ recorded, event, actor }: Projected, movement: Movement, change: Change): Row {
  const { at, balance } = event as AccountEvent;
  const { customer_id, unit } = ownerOf(recorded);
  return {
    customer_id,
    unit,
    position: recorded.position,
    event_id: recorded.id,
    type: movement.type,
    at,
    amount: change.available,
    balance_after: balance.available,
    debt_change: change.debt,
    grant_id: movement.grant_id ?? null,
    consumption_id: movement.consumption_id ?? null,
    hold_id: movement.hold_id ?? null,
    reversal_id: movement.reversal_id ?? null,
    adjustment_id: movement.adjustment_id ?? null,
    transfer_id: movement.transfer_id ?? null,
    resource_type: movement.resource_type ?? null,
    resource_id: movement.resource_id ?? null,
    description: movement.description ?? null,
    metadata: movement.metadata ?? null,
    payment_reference: movement.payment_reference ?? null,
    actor,
  };
}

type Rows = { readonly movements: Row[]; readonly terms: TermRow[] };

const add = (rows: Rows, event: AccountEvent, projected: Projected): void => {
  const movement = movementOf(event);
  if (movement === null) return;
  const row = rowOf(projected, movement, balanceChange(event));
  rows.movements.push(row);
  const { customer_id, unit, position } = row;
  const terms = [
    ...resourceTerms(row.resource_type, row.resource_id),
    ...('metadata' in event ? metadataTerms(event.metadata) : []),
  ];
  for (const term of terms) rows.terms.push({ customer_id, unit, term, position });
};

const handlers = Object.fromEntries(
  Object.entries(movements).map(([type, movement]) => [type, movement === null ? 'ignored' : add]),
) as Handlers<Rows, AccountEvent>;

class HistoryWriter implements ProjectionWriter<LedgerEvent> {
  readonly #movements: TableWriter<typeof history>;
  readonly #terms: TableWriter<typeof historyTerms>;

  constructor(table: (name: string) => string) {
    this.#movements = new TableWriter(history, table(history.name));
    this.#terms = new TableWriter(historyTerms, table(historyTerms.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const rows: Rows = { movements: [], terms: [] };
    for (const projected of batch) dispatch(handlers, rows, projected);
    await this.#movements.insert(transaction, rows.movements);
    await this.#terms.insert(transaction, rows.terms);
  }
}

/** Every movement of an account with the balance after it. */
export const historyProjection: LedgerProjection = {
  name: 'history',
  version: 6,
  categories: ['account'],
  tables: [history, historyTerms],
  handlers,
  open: (table) => new HistoryWriter(table),
  oracle: historyOracle,
};
