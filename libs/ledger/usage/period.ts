import type { Instant } from '#kernel/instant.js';
import type { Period } from '../account/usage.js';
import type { SubscriptionStanding } from '../subscription/standing.js';
import { anniversary } from '../subscription/paid-month.js';

type Billed = Pick<SubscriptionStanding, 'periodStart' | 'periodEnd' | 'interval'>;

/**
 * The period of a subscription that an instant is in, by the one that Stripe showed: those after it follow from it, so the next period
 * begins at the end of the one before, reported or not. Null where no period is known.
 */
export function periodAt({ periodStart, periodEnd, interval }: Billed, at: Instant): Period | null {
  if (periodStart === null || periodEnd === null || periodEnd <= periodStart) return null;
  if (periodStart <= at && at < periodEnd) return { start: periodStart, end: periodEnd };
  const months = interval === 'year' ? 12 : 1;
  // Counted from the start where the period is whole, so that the 31st comes back after a short month; else (a trial) from the end.
  const whole = anniversary(periodStart, months) === periodEnd;
  const bound = (count: number): Instant =>
    whole ? anniversary(periodStart, months * (count + 1)) : anniversary(periodEnd, months * count);
  let count = Math.trunc(monthsBetween(periodEnd, at) / months);
  if (at < periodStart) {
    const boundBefore = (back: number): Instant => anniversary(periodStart, -months * back);
    let back = 1;
    while (boundBefore(back) > at) back += 1;
    return { start: boundBefore(back), end: boundBefore(back - 1) };
  }
  while (bound(count) > at) count -= 1;
  while (bound(count + 1) <= at) count += 1;
  return { start: bound(count), end: bound(count + 1) };
}

const monthsBetween = (from: Instant, to: Instant): number =>
  (Number(to.slice(0, 4)) - Number(from.slice(0, 4))) * 12 + Number(to.slice(5, 7)) - Number(from.slice(5, 7));
