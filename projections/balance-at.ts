import { plusMs, type Instant } from '#kernel/instant.js';
import type { Source } from '#ledger/account-events.js';

/** What is left of a grant as the read model keeps it. */
export type Lot = {
  readonly id: string;
  readonly source: Source;
  readonly free: number;
  readonly held: number;
  readonly scheduled: boolean;
  readonly effectiveAt: Instant;
  readonly expiresAt: Instant | null;
};
/** An open hold and the parts of grants that it pins. */
export type OpenHold = {
  readonly id: string;
  readonly expiresAt: Instant;
  readonly allocations: readonly { readonly grantId: string; readonly amount: number }[];
};

export type BucketName = 'within7Days' | 'within30Days' | 'within90Days' | 'later' | 'never';
export type BalanceAt = {
  readonly available: number;
  readonly held: number;
  readonly debt: number;
  /** What is available or held, by the source of its grant; sources with nothing are left out. */
  readonly bySource: { readonly [S in Source]?: number };
  /** The same by when it expires. Held credits of a grant that has expired, which can still be captured, count as soonest. */
  readonly expiryBuckets: { readonly [Name in BucketName]: number };
  /** The soonest expiry still to come and what is left of the grants that it takes. */
  readonly nextExpiry: { readonly at: Instant; readonly amount: number } | null;
};

type MutableLot = { -readonly [K in keyof Lot]: Lot[K] };
type Due = { readonly at: Instant; readonly order: 0 | 1 | 2; readonly id: string; readonly happen: () => void };

const DAY_MS = 86_400_000;

/**
 * The balance exactly at `now`, from rows that may be older: what time alone has done since then is done here, in the order
 * in which it happened. A scheduled grant becomes effective and repays debt; a hold that timed out gives back what it pinned;
 * what is free of an expired grant is gone.
 */
export function balanceAt(
  lots: readonly Lot[],
  holds: readonly OpenHold[],
  recordedDebt: number,
  now: Instant,
): BalanceAt {
  const byId = new Map<string, MutableLot>(lots.map((lot) => [lot.id, { ...lot }]));
  let debt = recordedDebt;
  const due: Due[] = [];
  for (const lot of byId.values()) {
    if (lot.scheduled) {
      due.push({ at: lot.effectiveAt, order: 0, id: lot.id, happen: () => void (lot.scheduled = false) });
    }
    if (lot.expiresAt !== null)
      due.push({ at: lot.expiresAt, order: 2, id: lot.id, happen: () => void (lot.free = 0) });
  }
  for (const hold of holds) {
    due.push({ at: hold.expiresAt, order: 1, id: hold.id, happen: () => void release(hold, byId) });
  }
  const passed = due
    .filter(({ at }) => at <= now)
    .sort((a, b) => compare(a.at, b.at) || a.order - b.order || compare(a.id, b.id));
  const oldestFirst = [...byId.values()].sort((a, b) => compare(a.id, b.id));
  for (const [index, { at, happen }] of passed.entries()) {
    happen();
    // What came free at an instant and did not expire at the same one pays what is owed, the oldest grant first.
    if (passed[index + 1]?.at !== at) debt = repaid(oldestFirst, debt);
  }
  return summed([...byId.values()], debt, now);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The debt that is left after what is available has repaid what it can. */
function repaid(lots: readonly MutableLot[], owed: number): number {
  let debt = owed;
  for (const lot of lots) {
    if (debt === 0) break;
    if (lot.scheduled) continue;
    const paid = Math.min(lot.free, debt);
    lot.free -= paid;
    debt -= paid;
  }
  return debt;
}

function release(hold: OpenHold, lots: ReadonlyMap<string, MutableLot>): void {
  for (const { grantId, amount } of hold.allocations) {
    const lot = lots.get(grantId);
    if (lot === undefined) continue;
    lot.held -= amount;
    // What comes back to an expired grant expires at once.
    if (lot.expiresAt === null || lot.expiresAt > hold.expiresAt) lot.free += amount;
  }
}

function summed(lots: readonly Lot[], debt: number, now: Instant): BalanceAt {
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
  return { available, held, debt, bySource, expiryBuckets, nextExpiry };
}

function bucketOf(expiresAt: Instant | null, in7: Instant, in30: Instant, in90: Instant): BucketName {
  if (expiresAt === null) return 'never';
  if (expiresAt <= in7) return 'within7Days';
  if (expiresAt <= in30) return 'within30Days';
  return expiresAt <= in90 ? 'within90Days' : 'later';
}
