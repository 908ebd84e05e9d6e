import type { Instant } from '#kernel/instant.js';
import type { StripeOperationName } from '#ledger/stripe/intent.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import type { pending } from './stripe-intents.js';

export type PendingIntent = { readonly intentId: string; readonly intendedAt: Instant };

const build = queryBuilder<{ pending_stripe_intents: StoredRow<typeof pending> }>();

/** At most `limit` pending intents of one operation, the oldest first. */
export async function pendingIntentsOf(
  reader: Reader,
  operation: StripeOperationName,
  limit: number,
): Promise<readonly string[]> {
  const rows = await reader.rows(
    build
      .selectFrom('pending_stripe_intents')
      .select(['intent_id'])
      .where('operation', '=', operation)
      .orderBy('intended_at')
      .orderBy('intent_id')
      .limit(limit),
  );
  return rows.map((row) => row.intent_id);
}

/** Intents that have been pending since before `before`, the oldest first; those after `after`, when it is given. */
export async function pendingIntents(
  reader: Reader,
  before: Instant,
  after: PendingIntent | null,
  limit: number,
): Promise<readonly PendingIntent[]> {
  const oldest = build
    .selectFrom('pending_stripe_intents')
    .select(['intent_id', 'intended_at'])
    .where('intended_at', '<', before)
    .orderBy('intended_at')
    .orderBy('intent_id')
    .limit(limit);
  const rows = await reader.rows(
    after === null
      ? oldest
      : oldest.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('intended_at', 'intent_id'), '>', tuple(after.intendedAt, after.intentId)),
        ),
  );
  return rows.map((row) => ({ intentId: row.intent_id, intendedAt: row.intended_at }));
}
