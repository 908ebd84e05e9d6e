import { plusMs, type Instant } from '#kernel/instant.js';
import type { Source } from '#ledger/account/events.js';

/** What is left of a grant. */
export type Lot = {
  readonly source: Source;
  readonly free: number;
  readonly held: number;
  readonly scheduled: boolean;
  readonly expiresAt: Instant | null;
};
export type BucketName = 'within7Days' | 'within30Days' | 'within90Days' | 'later' | 'never';
export type BalanceSums = {
  readonly available: number;
  readonly held: number;
  /** What is available or held, by the source of its grant; sources with nothing are left out. */
  readonly bySource: { readonly [S in Source]?: number };
  /** The same by when it expires. Held credits of a grant that has expired, which can still be captured, count as soonest. */
  readonly expiryBuckets: { readonly [Name in BucketName]: number };
  /** The soonest expiry still to come and what is left of the grants that it takes. */
  readonly nextExpiry: { readonly at: Instant; readonly amount: number } | null;
};

const DAY_MS = 86_400_000;

/** What the grants of an account sum up to. Time must have passed in them until `now`: nothing of them is due. */
export function sumsOf(lots: Iterable<Lot>, now: Instant): BalanceSums {
  const [in7, in30, in90] = [plusMs(now, 7 * DAY_MS), plusMs(now, 30 * DAY_MS), plusMs(now, 90 * DAY_MS)];
  const bySource: { [S in Source]?: number } = {};
  const expiryBuckets = { within7Days: 0, within30Days: 0, within90Days: 0, later: 0, never: 0 };
  let [available, held] = [0, 0];
  let nextExpiry: { at: Instant; amount: number } | null = null;
  for (const { source, scheduled, free, held: pinned, expiresAt } of lots) {
    if (scheduled) continue;
    const left = free + pinned;
    if (left === 0) continue;
    available += free;
    held += pinned;
    bySource[source] = (bySource[source] ?? 0) + left;
    expiryBuckets[bucketOf(expiresAt, in7, in30, in90)] += left;
    if (expiresAt === null || expiresAt <= now) continue;
    if (nextExpiry === null || expiresAt < nextExpiry.at) nextExpiry = { at: expiresAt, amount: left };
    else if (expiresAt === nextExpiry.at) nextExpiry.amount += left;
  }
  return { available, held, bySource, expiryBuckets, nextExpiry };
}

function bucketOf(expiresAt: Instant | null, in7: Instant, in30: Instant, in90: Instant): BucketName {
  if (expiresAt === null) return 'never';
  if (expiresAt <= in7) return 'within7Days';
  if (expiresAt <= in30) return 'within30Days';
  return expiresAt <= in90 ? 'within90Days' : 'later';
}
