import type { Instant } from '#kernel/instant.js';
import type { ParkReason } from '#ledger/stripe-event.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#read-store/cursor.js';
import { queryBuilder, type Reader } from '#read-store/read-database.js';
import type { StoredRow } from '#read-store/tables.js';
import type { parked } from './parked-events.js';

export type ParkedEvent = {
  readonly id: string;
  readonly type: string;
  readonly reason: ParkReason;
  readonly parkedAt: Instant;
  /** When somebody asked to try it again; null when nobody has since it was parked. */
  readonly retryRequestedAt: Instant | null;
};
export const parkedCursor: CursorShape = ['bigint'];

const build = queryBuilder<{ parked_events: StoredRow<typeof parked> }>();

/** Parked events, newest first. `cursor`: decoded, of one field. */
export async function parkedEvents(reader: Reader, limit: number, cursor: Cursor | null): Promise<Page<ParkedEvent>> {
  const newest = build
    .selectFrom('parked_events')
    .selectAll()
    .orderBy('position', 'desc')
    .limit(limit + 1);
  const rows = await reader.rows(cursor === null ? newest : newest.where('position', '<', String(cursor[0])));
  return pageOf(rows, limit, parkedEvent, ({ position }) => [position]);
}

const parkedEvent = (row: StoredRow<typeof parked>): ParkedEvent => ({
  id: row.stripe_event_id,
  type: row.stripe_type,
  reason: { code: row.reason_code as ParkReason['code'], subject: row.subject, detail: row.detail },
  parkedAt: row.parked_at,
  retryRequestedAt: row.retry_requested_at,
});
