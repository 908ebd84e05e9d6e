import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { Resource, Slice } from '#ledger/account/events.js';
import { accountStream } from '#kernel/stream-name.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import { toPosition } from '#projecting/generations.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import type { claims } from './claims.js';

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
  readonly metadata: Json;
  readonly at: Instant;
  readonly position: string;
};
export type ClaimFilter = {
  readonly customerId: string;
  readonly unit: string;
  readonly resourceType?: string;
  readonly resourceId?: string;
  /** Only consumptions with one of these ids. */
  readonly ids?: readonly string[];
};
export const claimsCursor: CursorShape = ['bigint'];

type Stored = StoredRow<typeof claims>;
const build = queryBuilder<{ claims: Stored }>();

/** An account's consumptions that named a resource, newest first. `cursor`: of one field. */
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
  if (filter.ids !== undefined)
    query = query.where('consumption_id', 'in', filter.ids.length === 0 ? [''] : filter.ids);
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
  metadata: JSON.parse(row.metadata) as Json,
  at: row.at,
  position: toPosition(row.position),
});
