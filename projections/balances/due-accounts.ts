import type { Instant } from '#kernel/instant.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import type { accountBalances } from './tables.js';

/** An account in which time has done something that is not recorded yet. */
export type DueAccount = { readonly stream: string; readonly dueAt: Instant };

const build = queryBuilder<{ account_balances: StoredRow<typeof accountBalances> }>();

/** At most `limit` accounts that are due at `now`, the longest due first, after the one at `after`. */
export async function dueAccounts(
  reader: Reader,
  now: Instant,
  after: DueAccount | null,
  limit: number,
): Promise<readonly DueAccount[]> {
  let query = build
    .selectFrom('account_balances')
    .select(['stream', 'next_due_at'])
    .where('next_due_at', '<=', now)
    .orderBy('next_due_at')
    .orderBy('stream')
    .limit(limit);
  if (after !== null) {
    const { dueAt, stream } = after;
    query = query.where((eb) =>
      eb.or([eb('next_due_at', '>', dueAt), eb.and([eb('next_due_at', '=', dueAt), eb('stream', '>', stream)])]),
    );
  }
  const rows = await reader.rows(query);
  return rows.map((row) => ({ stream: row.stream, dueAt: row.next_due_at ?? '' }));
}
