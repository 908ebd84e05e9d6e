import { MAX_AMOUNT, type Amount } from '#kernel/amount.js';
import { monthAfter, monthOf, type Instant } from '#kernel/instant.js';
import type { AccountEvent } from './account-events.js';

/**
 * What was consumed in one period, less what was given back of that. Exact: with an overdraft it can go beyond 2^53.
 * `since`: the revision of the first consumption of the period, before which nothing counts.
 */
export type Usage = { readonly periodStart: Instant; readonly since: number; readonly consumed: bigint };

/** A period from its start until it ends. */
export type Period = { readonly start: Instant; readonly end: Instant };

/** The start of the calendar month, UTC, that an instant is in. */
export const startOfMonth = (at: Instant): Instant => `${monthOf(at)}-01T00:00:00.000Z`;

/** The calendar month, UTC, that an instant is in. */
export const calendarMonth = (at: Instant): Period => ({ start: startOfMonth(at), end: monthAfter(monthOf(at)) });

/** The usage as an event leaves it; `startOf`: the start of the period that an instant is in. */
export function usageAfter(
  usage: Usage | null,
  event: AccountEvent,
  revision: number,
  startOf: (at: Instant) => Instant,
): Usage | null {
  if (event.type === 'ConsumptionReversed') {
    // What was given back of an earlier period is not this one's.
    if (usage === null || event.consumptionRevision < usage.since) return usage;
    return { ...usage, consumed: usage.consumed - BigInt(event.amount) };
  }
  if (event.type !== 'CreditsConsumed' && event.type !== 'HoldCaptured') return usage;
  const start = startOf(event.at);
  if (usage?.periodStart === start) return { ...usage, consumed: usage.consumed + BigInt(event.amount) };
  return { periodStart: start, since: revision, consumed: BigInt(event.amount) };
}

/** What was consumed in a period, as an amount: at most 2^53−1 is shown. */
export function consumedIn(usage: Usage | null, { start }: Period): Amount {
  if (usage?.periodStart !== start) return 0;
  return usage.consumed > MAX_AMOUNT ? MAX_AMOUNT : Number(usage.consumed);
}
