import type { Instant } from '#kernel/instant.js';
import type { TransferObstacle, TransferredLot } from '#ledger/account/events.js';
import { pageOf, type Cursor, type Page } from '#database/page.js';
import type { Reader } from '#database/database.js';
import { toPosition } from '#projecting/generations.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import { newestFirst, newestFirstCursor, newestFirstKey } from '../newest-first.js';
import type { transferEnds, transfers } from './transfers.js';

export type TransferEntry = {
  readonly id: string;
  readonly fromCustomerId: string;
  readonly toCustomerId: string;
  readonly unit: string;
  readonly amount: number;
  /** What was taken of the sender's grants. */
  readonly lots: readonly TransferredLot[];
  readonly reason: string | null;
  readonly status: 'pending' | 'completed' | 'returned';
  /** Why it came back; null where it did not. */
  readonly returnedBecause: TransferObstacle | null;
  readonly createdAt: Instant;
  /** When it arrived or came back; null while it is pending. */
  readonly endedAt: Instant | null;
  readonly position: string;
};
export const transfersCursor = newestFirstCursor;

/** `id`: only this one. */
export type TransferFilter = { readonly customerId: string; readonly unit: string; readonly id?: string };

type Stored = StoredRow<typeof transfers>;
type StoredEnd = StoredRow<typeof transferEnds>;
const build = queryBuilder<{ transfers: Stored; transfer_ends: StoredEnd }>();

/** What a customer sent in one unit, and what was sent to that customer, newest first. `cursor`: of two fields. */
export async function transfersOf(
  reader: Reader,
  { customerId, unit, id }: TransferFilter,
  limit: number,
  cursor: Cursor | null,
): Promise<Page<TransferEntry>> {
  let matching = build
    .selectFrom('transfers')
    .selectAll()
    .where('unit', '=', unit)
    .where(({ eb, or }) => or([eb('customer_id', '=', customerId), eb('to_customer_id', '=', customerId)]));
  if (id !== undefined) matching = matching.where('id', '=', id);
  const rows = await reader.rows(newestFirst(matching, limit, cursor));
  const ids = rows.map((row) => row.id);
  const ends =
    ids.length === 0 ? [] : await reader.rows(build.selectFrom('transfer_ends').selectAll().where('id', 'in', ids));
  const byId = new Map(ends.map((end) => [end.id, end]));
  return pageOf(rows, limit, (row) => entryOf(row, byId.get(row.id) ?? null), newestFirstKey);
}

const entryOf = (row: Stored, end: StoredEnd | null): TransferEntry => ({
  id: row.id,
  fromCustomerId: row.customer_id,
  toCustomerId: row.to_customer_id,
  unit: row.unit,
  amount: Number(row.amount),
  lots: JSON.parse(row.lots) as readonly TransferredLot[],
  reason: row.reason,
  status: (end?.status ?? 'pending') as TransferEntry['status'],
  returnedBecause: (end?.because ?? null) as TransferObstacle | null,
  createdAt: row.created_at,
  endedAt: end?.ended_at ?? null,
  position: toPosition(row.position),
});
