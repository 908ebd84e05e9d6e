import type { Instant } from '#kernel/instant.js';
import {
  balanceChange,
  type AccountEvent,
  type AccountEventType,
  type Balance,
  type Resource,
} from '#ledger/account-events.js';
import type { LedgerEvent } from '#ledger/events.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#read-store/cursor.js';
import { toPosition } from '#read-store/generations.js';
import type { ExpectedRow, Oracle, OracleFold, ProjectionWriter } from '#read-store/projection.js';
import { queryBuilder, type Reader } from '#read-store/read-database.js';
import { TableWriter, type RowOf, type StoredRow, type Table } from '#read-store/tables.js';
import { dispatch, ownerOf, type Handlers, type LedgerProjection, type Projected } from './ledger-projection.js';

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
  'debt_incurred',
  'debt_repaid',
] as const;
export type HistoryType = (typeof historyTypes)[number];

/** One row per movement of an account, written once. */
const history = {
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
    resource_type: 'text?',
    resource_id: 'text?',
    description: 'text?',
    payment_reference: 'text?',
    actor: 'text',
  },
} as const satisfies Table;
type Row = RowOf<typeof history>;

type Told = Partial<
  Pick<
    Row,
    | 'grant_id'
    | 'consumption_id'
    | 'hold_id'
    | 'reversal_id'
    | 'adjustment_id'
    | 'resource_type'
    | 'resource_id'
    | 'description'
    | 'payment_reference'
  >
>;
type Movement = { readonly type: HistoryType } & Told;

/** What an event is in a customer's history; null when it moves nothing for the customer. */
const movements: {
  readonly [Type in AccountEventType]: null | ((event: Extract<AccountEvent, { type: Type }>) => Movement);
} = {
  AccountOpened: null,
  CreditsGranted: ({ grantId, adjustmentId, description, paymentReference }) => ({
    type: adjustmentId === null ? 'granted' : 'adjusted',
    grant_id: grantId,
    adjustment_id: adjustmentId,
    description,
    payment_reference: paymentReference,
  }),
  CreditsActivated: ({ grantId }) => ({ type: 'granted', grant_id: grantId }),
  CreditsConsumed: ({ consumptionId, description, resource }) => ({
    type: 'consumed',
    consumption_id: consumptionId,
    description,
    resource_type: resource?.type ?? null,
    resource_id: resource?.id ?? null,
  }),
  CreditsHeld: ({ holdId, description }) => ({ type: 'held', hold_id: holdId, description }),
  HoldExtended: null,
  HoldCaptured: ({ holdId, consumptionId }) => ({ type: 'captured', hold_id: holdId, consumption_id: consumptionId }),
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
  PaymentClaimed: null,
  UnspentClaimed: null,
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
    resource_type: movement.resource_type ?? null,
    resource_id: movement.resource_id ?? null,
    description: movement.description ?? null,
    payment_reference: movement.payment_reference ?? null,
    actor,
  };
}

const add = (rows: Row[], event: AccountEvent, projected: Projected): void => {
  const movement = movementOf(event);
  if (movement !== null) rows.push(rowOf(projected, movement, balanceChange(event, event.at)));
};

const handlers = Object.fromEntries(
  Object.entries(movements).map(([type, movement]) => [type, movement === null ? 'ignored' : add]),
) as Handlers<Row[], AccountEvent>;

class HistoryWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof history>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(history, table(history.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const rows: Row[] = [];
    for (const projected of batch) dispatch(handlers, rows, projected);
    await this.#table.insert(transaction, rows);
  }
}

/** Derives each amount from the balances before and after, not from what the event says it moved. */
class HistoryOracle implements OracleFold<LedgerEvent> {
  readonly #balances = new Map<string, Change>();

  add(projected: Projected): readonly ExpectedRow[] {
    const event = projected.event as AccountEvent;
    const { stream } = projected.recorded;
    const { available, debt } = this.#balances.get(stream) ?? { available: 0, debt: 0 };
    this.#balances.set(stream, event.balance);
    const movement = movementOf(event);
    if (movement === null) return [];
    const change = { available: event.balance.available - available, debt: event.balance.debt - debt };
    return [{ table: history.name, row: rowOf(projected, movement, change) }];
  }

  rest(): readonly ExpectedRow[] {
    return [];
  }
}

const oracle: Oracle<LedgerEvent> = {
  keyOf: ({ stream }) => stream,
  streaming: true,
  fold: () => new HistoryOracle(),
};

/** Every movement of an account with the balance after it. */
export const historyProjection: LedgerProjection = {
  name: 'history',
  version: 2,
  categories: ['account'],
  tables: [history],
  handlers,
  open: (table) => new HistoryWriter(table),
  oracle,
};

export type HistoryEntry = {
  readonly id: string;
  readonly type: HistoryType;
  readonly at: Instant;
  /** The signed change of the available credits. */
  readonly amount: number;
  /** The available credits after it. */
  readonly balanceAfter: number;
  /** The signed change of the credits that are owed. */
  readonly debtChange: number;
  readonly grantId?: string;
  readonly consumptionId?: string;
  readonly holdId?: string;
  readonly reversalId?: string;
  readonly adjustmentId?: string;
  readonly resource?: Resource;
  readonly description?: string;
  readonly paymentReference?: string;
  readonly actor: string;
  readonly eventId: string;
  readonly position: string;
};

export type HistoryFilter = {
  readonly customerId: string;
  readonly unit: string;
  readonly types?: readonly HistoryType[];
  /** From this instant on. */
  readonly from?: Instant;
  /** Before this instant. */
  readonly to?: Instant;
};
/** Where the page starts: at a decoded cursor of one field, or after a number of rows (then the answer has a total). */
export type HistoryStart = { readonly cursor: Cursor | null } | { readonly offset: number };
export const historyCursor: CursorShape = ['bigint'];

const build = queryBuilder<{ history: Stored }>();

/** An account's movements, newest first; `total` only where an offset was given. */
export async function historyOf(
  reader: Reader,
  filter: HistoryFilter,
  limit: number,
  start: HistoryStart,
): Promise<Page<HistoryEntry> & { readonly total?: number }> {
  let matching = build
    .selectFrom('history')
    .where('customer_id', '=', filter.customerId)
    .where('unit', '=', filter.unit);
  if (filter.types !== undefined)
    matching = matching.where('type', 'in', filter.types.length === 0 ? [''] : filter.types);
  if (filter.from !== undefined) matching = matching.where('at', '>=', filter.from);
  if (filter.to !== undefined) matching = matching.where('at', '<', filter.to);
  let page = matching
    .selectAll()
    .orderBy('position', 'desc')
    .limit(limit + 1);
  if ('offset' in start) page = page.offset(start.offset);
  else if (start.cursor !== null) page = page.where('position', '<', String(start.cursor[0]));
  const rows = await reader.rows(page);
  const data = pageOf(rows, limit, entryOf, ({ position }) => [position]);
  if (!('offset' in start)) return data;
  const [count] = await reader.rows(matching.select(({ fn }) => fn.countAll<string>().as('total')));
  return { ...data, total: Number(count?.total ?? 0) };
}

/** Tables of version 1 are read until those of this version are built. */
type Stored = Omit<StoredRow<typeof history>, 'debt_change'> & { readonly debt_change: string | undefined };

function entryOf(row: Stored): HistoryEntry {
  return {
    id: row.event_id,
    type: row.type as HistoryType,
    at: row.at,
    amount: Number(row.amount),
    balanceAfter: Number(row.balance_after),
    debtChange: Number(row.debt_change ?? 0),
    ...(row.grant_id === null ? {} : { grantId: row.grant_id }),
    ...(row.consumption_id === null ? {} : { consumptionId: row.consumption_id }),
    ...(row.hold_id === null ? {} : { holdId: row.hold_id }),
    ...(row.reversal_id === null ? {} : { reversalId: row.reversal_id }),
    ...(row.adjustment_id === null ? {} : { adjustmentId: row.adjustment_id }),
    ...(row.resource_type === null || row.resource_id === null
      ? {}
      : { resource: { type: row.resource_type, id: row.resource_id } }),
    ...(row.description === null ? {} : { description: row.description }),
    ...(row.payment_reference === null ? {} : { paymentReference: row.payment_reference }),
    actor: row.actor,
    eventId: row.event_id,
    position: toPosition(row.position),
  };
}
