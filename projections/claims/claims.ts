import type { AccountEvent, AccountEventOf, Resource } from '#ledger/account/events.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { document } from '#database/values.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import {
  dispatch,
  lotsIgnored,
  ownerOf,
  settingsIgnored,
  type Handlers,
  type LedgerProjection,
  type Projected,
} from '../ledger-projection.js';
import { claimsOracle } from './oracle.js';

/** One row per consumption that named what was bought with it, itself or by its hold. */
export const claims = {
  name: 'claims',
  visibleTo: 'own-rows',
  key: ['stream', 'revision'],
  columns: {
    stream: 'text',
    revision: 'bigint',
    customer_id: 'text',
    unit: 'text',
    consumption_id: 'text',
    resource_type: 'text',
    resource_id: 'text',
    amount: 'bigint',
    debt: 'bigint',
    reversed: 'bigint',
    credit_event: 'text?',
    quantity: 'bigint?',
    allocations: 'text',
    description: 'text?',
    metadata: 'text',
    at: 'text',
    position: 'bigint',
  },
} as const satisfies Table;
type Row = RowOf<typeof claims>;

type Reversal = { readonly stream: string; readonly revision: number; readonly total: number };
type Fold = { readonly claimed: Map<string, Row>; readonly reversed: Map<string, Reversal> };
const keyOf = (stream: string, revision: number): string => `${stream} ${String(revision)}`;

type Consumption = AccountEventOf<'CreditsConsumed'> | AccountEventOf<'HoldCaptured'>;

function rowOf({ recorded }: Projected, event: Consumption, resource: Resource): Row {
  // What only a consumption says that was not held before.
  const { debt, usage, description, metadata } =
    event.type === 'CreditsConsumed' ? event : { debt: 0, usage: null, description: null, metadata: {} };
  return {
    stream: recorded.stream,
    revision: recorded.revision,
    ...ownerOf(recorded),
    consumption_id: event.consumptionId,
    resource_type: resource.type,
    resource_id: resource.id,
    amount: event.amount,
    debt,
    reversed: 0,
    credit_event: usage?.creditEvent ?? null,
    quantity: usage?.quantity ?? null,
    allocations: document(event.allocations),
    description,
    metadata: document(metadata),
    at: event.at,
    position: recorded.position,
  };
}

const handlers: Handlers<Fold, AccountEvent> = {
  AccountOpened: 'ignored',
  CreditsGranted: 'ignored',
  ...lotsIgnored,
  ...settingsIgnored,
  CreditsConsumed: (fold, event, projected) => {
    const { stream, revision } = projected.recorded;
    if (event.resource !== null) fold.claimed.set(keyOf(stream, revision), rowOf(projected, event, event.resource));
  },
  HoldCaptured: (fold, event, projected) => {
    const { stream, revision } = projected.recorded;
    if (event.resource !== undefined)
      fold.claimed.set(keyOf(stream, revision), rowOf(projected, event, event.resource));
  },
  ConsumptionReversed: (fold, event, { recorded: { stream } }) => {
    const { consumptionRevision: revision, reversedTotal: total } = event;
    fold.reversed.set(keyOf(stream, revision), { stream, revision, total });
  },
};

class ClaimsWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof claims>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(claims, table(claims.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const fold: Fold = { claimed: new Map(), reversed: new Map() };
    for (const projected of batch) dispatch(handlers, fold, projected);
    const older: Reversal[] = [];
    for (const [key, reversal] of fold.reversed) {
      const row = fold.claimed.get(key);
      if (row === undefined) older.push(reversal);
      else row.reversed = reversal.total;
    }
    await this.#table.insert(transaction, [...fold.claimed.values()]);
    const rows = await this.#table.withKeys(transaction, older);
    const totals = new Map(older.map(({ stream, revision, total }) => [keyOf(stream, revision), total]));
    await this.#table.put(
      transaction,
      rows.map((row) => ({ ...row, reversed: totals.get(keyOf(row.stream, Number(row.revision))) ?? 0 })),
    );
  }
}

/** What customers bought with their credits. */
export const claimsProjection: LedgerProjection = {
  name: 'claims',
  version: 3,
  categories: ['account'],
  tables: [claims],
  handlers,
  open: (table) => new ClaimsWriter(table),
  oracle: claimsOracle,
};
