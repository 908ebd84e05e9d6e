import type { Instant } from '#kernel/instant.js';
import type { ParkReason } from '#ledger/stripe/event.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import type { parked } from './parked-events.js';

export type ParkedEvent = {
  readonly id: string;
  readonly type: string;
  readonly status: 'parked' | 'set_aside';
  /** Why it was parked; the code is `ignored` for one that a rule of the catalogue took before. */
  readonly reason: { readonly code: ParkReason['code'] | 'ignored' } & Omit<ParkReason, 'code'>;
  readonly parkedAt: Instant;
  /** When somebody asked to try it again; null when nobody has since it was parked. */
  readonly retryRequestedAt: Instant | null;
  /** Who said that nobody has to look at it, and why; null unless it is set aside. `by` is null for a rule of the catalogue. */
  readonly setAside: { readonly at: Instant; readonly by: string | null; readonly reason: string } | null;
};

/** Which of them; what is left out does not matter. */
export type ParkedFilter = {
  readonly status: ParkedEvent['status'];
  readonly reason?: string | undefined;
  readonly type?: string | undefined;
  readonly subject?: string | undefined;
};

export const parkedCursor: CursorShape = ['bigint'];

const build = queryBuilder<{ parked_events: StoredRow<typeof parked> }>();

/** Parked events, newest first. `cursor`: of one field. */
export async function parkedEvents(
  reader: Reader,
  { status, reason, type, subject }: ParkedFilter,
  limit: number,
  cursor: Cursor | null,
): Promise<Page<ParkedEvent>> {
  let newest = build
    .selectFrom('parked_events')
    .selectAll()
    .where('status', '=', status)
    .orderBy('position', 'desc')
    .limit(limit + 1);
  if (reason !== undefined) newest = newest.where('reason_code', '=', reason);
  if (type !== undefined) newest = newest.where('stripe_type', '=', type);
  if (subject !== undefined) newest = newest.where('subject', '=', subject);
  const rows = await reader.rows(cursor === null ? newest : newest.where('position', '<', String(cursor[0])));
  return pageOf(rows, limit, parkedEvent, ({ position }) => [position]);
}

const parkedEvent = (row: StoredRow<typeof parked>): ParkedEvent => ({
  id: row.stripe_event_id,
  type: row.stripe_type,
  status: row.status as ParkedEvent['status'],
  reason: { code: row.reason_code as ParkedEvent['reason']['code'], subject: row.subject, detail: row.detail },
  parkedAt: row.parked_at,
  retryRequestedAt: row.retry_requested_at,
  setAside:
    row.set_aside_at === null
      ? null
      : {
          at: row.set_aside_at,
          by: row.set_aside_by === 'catalog' ? null : row.set_aside_by,
          reason: row.set_aside_reason ?? '',
        },
});
