import type { Instant } from '#kernel/instant.js';
import type { AccountEvent, AccountEventOf, Resource, Slice } from '#ledger/account-events.js';
import type { LedgerEvent } from '#ledger/events.js';
import { accountStream } from '#kernel/stream-name.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#read-store/cursor.js';
import { toPosition } from '#read-store/generations.js';
import type { ExpectedRow, Oracle, OracleFold, ProjectionWriter } from '#read-store/projection.js';
import { queryBuilder, type Reader } from '#read-store/read-database.js';
import { document, TableWriter, type RowOf, type StoredRow, type Table } from '#read-store/tables.js';
import {
  dispatch,
  lotsIgnored,
  ownerOf,
  settingsIgnored,
  type Handlers,
  type LedgerProjection,
  type Projected,
} from './ledger-projection.js';

/** One row per consumption that named what was bought with it. */
const claims = {
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
    at: 'text',
    position: 'bigint',
  },
} as const satisfies Table;
type Row = RowOf<typeof claims>;

type Reversal = { readonly stream: string; readonly revision: number; readonly total: number };
type Fold = { readonly claimed: Map<string, Row>; readonly reversed: Map<string, Reversal> };
const keyOf = (stream: string, revision: number): string => `${stream} ${String(revision)}`;

function rowOf({ recorded }: Projected, event: AccountEventOf<'CreditsConsumed'>, resource: Resource): Row {
  return {
    stream: recorded.stream,
    revision: recorded.revision,
    ...ownerOf(recorded),
    consumption_id: event.consumptionId,
    resource_type: resource.type,
    resource_id: resource.id,
    amount: event.amount,
    debt: event.debt,
    reversed: 0,
    credit_event: event.usage?.creditEvent ?? null,
    quantity: event.usage?.quantity ?? null,
    allocations: document(event.allocations),
    description: event.description,
    at: event.at,
    position: recorded.position,
  };
}

const handlers: Handlers<Fold, AccountEvent> = {
  CreditsConsumed: (fold, event, projected) => {
    const { stream, revision } = projected.recorded;
    if (event.resource !== null) fold.claimed.set(keyOf(stream, revision), rowOf(projected, event, event.resource));
  },
  ConsumptionReversed: (fold, event, { recorded: { stream } }) => {
    const { consumptionRevision: revision, reversedTotal: total } = event;
    fold.reversed.set(keyOf(stream, revision), { stream, revision, total });
  },
  AccountOpened: 'ignored',
  CreditsGranted: 'ignored',
  ...lotsIgnored,
  ...settingsIgnored,
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

/** Keeps rows as text: there may be very many, and an object with its strings takes several times the memory. */
class ClaimsOracle implements OracleFold<LedgerEvent> {
  readonly #rows = new Map<string, string>();

  add(projected: Projected): readonly ExpectedRow[] {
    const { type } = projected.recorded;
    if (type !== 'CreditsConsumed' && type !== 'ConsumptionReversed') return [];
    const event = projected.event;
    if (event.type === 'CreditsConsumed' && event.resource !== null) {
      const row = rowOf(projected, event, event.resource);
      this.#rows.set(`${projected.recorded.stream} ${event.consumptionId}`, JSON.stringify(row));
    } else if (event.type === 'ConsumptionReversed') {
      const key = `${projected.recorded.stream} ${event.consumptionId}`;
      const text = this.#rows.get(key);
      if (text === undefined) return [];
      const row = JSON.parse(text) as Row;
      this.#rows.set(key, JSON.stringify({ ...row, reversed: Number(row.reversed) + event.amount }));
    }
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const text of this.#rows.values()) yield { table: claims.name, row: JSON.parse(text) as Row };
  }
}

const oracle: Oracle<LedgerEvent> = { keyOf: ({ stream }) => stream, fold: () => new ClaimsOracle() };

/** What customers bought with their credits. */
export const claimsProjection: LedgerProjection = {
  name: 'claims',
  version: 1,
  categories: ['account'],
  tables: [claims],
  handlers,
  open: (table) => new ClaimsWriter(table),
  oracle,
};

export type Claim = {
  readonly id: string;
  readonly resource: Resource;
  readonly amount: number;
  readonly debt: number;
  /** How much of it was given back. */
  readonly reversed: number;
  readonly creditEvent: string | null;
  readonly quantity: number | null;
  readonly allocations: readonly Slice[];
  readonly description: string | null;
  readonly at: Instant;
  readonly position: string;
};
export type ClaimFilter = {
  readonly customerId: string;
  readonly unit: string;
  readonly resourceType?: string;
  readonly resourceId?: string;
};
export const claimsCursor: CursorShape = ['bigint'];

type Stored = StoredRow<typeof claims>;
const build = queryBuilder<{ claims: Stored }>();

/** An account's consumptions that named a resource, newest first. `cursor`: decoded, of one field. */
export async function claimsOf(
  reader: Reader,
  filter: ClaimFilter,
  limit: number,
  cursor: Cursor | null,
): Promise<Page<Claim>> {
  let query = build
    .selectFrom('claims')
    .selectAll()
    .where('stream', '=', accountStream(filter.customerId, filter.unit))
    .orderBy('revision', 'desc')
    .limit(limit + 1);
  if (filter.resourceType !== undefined) query = query.where('resource_type', '=', filter.resourceType);
  if (filter.resourceId !== undefined) query = query.where('resource_id', '=', filter.resourceId);
  if (cursor !== null) query = query.where('revision', '<', String(cursor[0]));
  return pageOf(await reader.rows(query), limit, claimOf, ({ revision }) => [revision]);
}

const claimOf = (row: Stored): Claim => ({
  id: row.consumption_id,
  resource: { type: row.resource_type, id: row.resource_id },
  amount: Number(row.amount),
  debt: Number(row.debt),
  reversed: Number(row.reversed),
  creditEvent: row.credit_event,
  quantity: row.quantity === null ? null : Number(row.quantity),
  allocations: JSON.parse(row.allocations) as readonly Slice[],
  description: row.description,
  at: row.at,
  position: toPosition(row.position),
});
