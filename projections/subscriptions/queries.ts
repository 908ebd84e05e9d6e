import { plusMs, type Instant } from '#kernel/instant.js';
import { hasEnded, type SubscriptionStanding, type SubscriptionStatus } from '#ledger/subscription/standing.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import type { subscriptions } from './subscriptions.js';

export type Subscription = {
  readonly id: string;
  readonly planId: string;
  readonly status: SubscriptionStatus;
  /** Null for a plan without Stripe. */
  readonly interval: 'month' | 'year' | null;
  readonly quantity: number;
  readonly currentPeriodStart: Instant | null;
  readonly currentPeriodEnd: Instant | null;
  readonly trialEnd: Instant | null;
  readonly cancelAt: Instant | null;
  readonly canceledAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly paused: boolean;
  readonly pastDueSince: Instant | null;
  /** Until when the plan stays in force without payment; null unless a payment is missing. */
  readonly graceUntil: Instant | null;
  /** Whether the customer has the plan's features now. */
  readonly entitled: boolean;
};

const DAY_MS = 86_400_000;
type Stored = StoredRow<typeof subscriptions>;
const build = queryBuilder<{ subscriptions: Stored }>();

/**
 * The subscription that counts for a customer: the newest paid one that gives something, else the free plan, else the newest
 * that has ended; null when there never was one. `graceDays`: how long a plan stays in force after a missed payment.
 */
export async function subscriptionOf(
  reader: Reader,
  customerId: string,
  now: Instant,
  graceDays: number,
): Promise<Subscription | null> {
  const rows = await reader.rows(
    build
      .selectFrom('subscriptions')
      .selectAll()
      .where('customer_id', '=', customerId)
      .orderBy('seen_at', 'desc')
      .orderBy('id', 'desc')
      .limit(100),
  );
  const all = rows.map((row) => shown(row, now, graceDays));
  return (
    all.find(({ interval, status }) => interval !== null && !hasEnded(status) && status !== 'incomplete') ??
    all.find(({ interval }) => interval === null) ??
    all[0] ??
    null
  );
}

/** Whether a customer has or had a subscription at Stripe, however it ended and whatever plan counts now. */
export async function everSubscribed(reader: Reader, customerId: string): Promise<boolean> {
  const any = build.selectFrom('subscriptions').select('id').where('customer_id', '=', customerId);
  return (await reader.rows(any.where('standing', 'is not', null).limit(1))).length > 0;
}

function shown(row: Stored, now: Instant, graceDays: number): Subscription {
  const standing = row.standing === null ? null : (JSON.parse(row.standing) as SubscriptionStanding);
  const status = row.status as SubscriptionStatus;
  const pastDueSince = standing?.pastDueSince ?? null;
  const graceUntil = pastDueSince === null ? null : plusMs(pastDueSince, graceDays * DAY_MS);
  return {
    id: row.id,
    planId: row.plan_id,
    status,
    interval: standing?.interval ?? null,
    quantity: standing?.quantity ?? 1,
    currentPeriodStart: standing?.periodStart ?? null,
    currentPeriodEnd: standing?.periodEnd ?? null,
    trialEnd: standing?.trialEnd ?? null,
    cancelAt: standing?.cancelAt ?? null,
    canceledAt: standing?.canceledAt ?? null,
    endedAt: standing?.endedAt ?? null,
    paused: standing?.paused ?? false,
    pastDueSince,
    graceUntil,
    entitled: isEntitled(status, graceUntil, now),
  };
}

/** A missed payment is overlooked for the days of grace; what Stripe calls unpaid has had them. */
function isEntitled(status: SubscriptionStatus, graceUntil: Instant | null, now: Instant): boolean {
  if (status === 'past_due') return graceUntil !== null && now < graceUntil;
  return status === 'active' || status === 'trialing';
}

/** A subscription whose days of grace are over. */
export type LapsedSubscription = { readonly id: string; readonly lapsesFrom: Instant; readonly customerId: string };

/**
 * At most `limit` subscriptions that lack a payment since `unpaidBefore` or longer, of customers who were never put on a free plan;
 * the longest unpaid first, after the one at `after`.
 */
export async function lapsedSubscriptions(
  reader: Reader,
  unpaidBefore: Instant,
  after: LapsedSubscription | null,
  limit: number,
): Promise<readonly LapsedSubscription[]> {
  let query = build
    .selectFrom('subscriptions as lapsed')
    .select(['id', 'lapses_from', 'customer_id'])
    .where('lapses_from', '<=', unpaidBefore)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('subscriptions as free')
            .select('free.id')
            .whereRef('free.customer_id', '=', 'lapsed.customer_id')
            .where('free.standing', 'is', null),
        ),
      ),
    )
    .orderBy('lapses_from')
    .orderBy('id')
    .limit(limit);
  if (after !== null) {
    const { lapsesFrom: from, id } = after;
    query = query.where((eb) =>
      eb.or([eb('lapses_from', '>', from), eb.and([eb('lapses_from', '=', from), eb('id', '>', id)])]),
    );
  }
  const rows = await reader.rows(query);
  return rows.map((row) => ({ id: row.id, lapsesFrom: row.lapses_from ?? '', customerId: row.customer_id }));
}
