import { proportion, type Money } from '#kernel/amount.js';
import { instantOf, msOf, type Instant } from '#kernel/instant.js';

/** A period that was paid for, as agreed when it was paid: later changes of the catalogue do not touch it. */
export type PaidPeriod = {
  readonly planId: string;
  readonly interval: 'month' | 'year';
  readonly periodStart: Instant;
  readonly periodEnd: Instant;
  /** Stripe's subscription item, which with `periodStart` names the allotment. */
  readonly itemId: string;
  /** Credits for each month of the period, all seats together. */
  readonly creditsPerMonth: number;
  /** What the whole period cost without tax; null when it cost nothing. */
  readonly cost: Money | null;
  /** How much of a month's unspent credits goes on into the next; left out for nothing. */
  readonly rolloverCap?: number;
  /** Since when it is paid for; left out for since it starts. */
  readonly agreedAt?: Instant;
};

const MAX_MONTHS = 120; // Stripe's longest interval is three years

/**
 * The instant `months` calendar months (UTC) after `start`: the same day and time, or the month's last day where it has no
 * such day, always counted from `start`, so that the 31st comes back after a short month.
 */
export function anniversary(start: Instant, months: number): Instant {
  const from = new Date(msOf(start));
  const month = from.getUTCMonth() + months;
  const lastDay = new Date(Date.UTC(from.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const midnight = Date.UTC(from.getUTCFullYear(), month, Math.min(from.getUTCDate(), lastDay));
  return instantOf(midnight + (msOf(start) % 86_400_000));
}

/** How many calendar months a period is long exactly, also where a short month cut its first or last day; null for none or a part. */
function wholeMonths(periodStart: Instant, periodEnd: Instant): number | null {
  const [from, to] = [new Date(msOf(periodStart)), new Date(msOf(periodEnd))];
  const months = (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth();
  const whole = anniversary(periodStart, months) === periodEnd || anniversary(periodEnd, -months) === periodStart;
  return months >= 1 && months <= MAX_MONTHS && whole ? months : null;
}

/**
 * When month `index` of a paid period starts. A period of whole months is counted back from its end: so a year from 29 February to
 * 28 February, or from the 28th to the 29th, has twelve months, and what is changed within it later, of which only the end is
 * known, has the same. Another is counted from its start.
 */
export function startOfMonth(periodStart: Instant, periodEnd: Instant, index: number): Instant {
  const whole = wholeMonths(periodStart, periodEnd);
  if (index === 0) return periodStart;
  return whole === null ? anniversary(periodStart, index) : anniversary(periodEnd, index - whole);
}

/** How many months of credits a paid period holds: those that start before its end. At least 1. */
export function monthsIn(periodStart: Instant, periodEnd: Instant): number {
  const whole = wholeMonths(periodStart, periodEnd);
  if (whole !== null) return whole;
  let months = 1;
  while (months < MAX_MONTHS && anniversary(periodStart, months) < periodEnd) months += 1;
  return months;
}

/**
 * The share of a period's cost that belongs to month `index` of `months`; the shares add up to the cost exactly. Null for a
 * share of nothing.
 */
export function costOfMonth(cost: Money | null, index: number, months: number): Money | null {
  if (cost === null) return null;
  const until = proportion(cost.amount, index + 1, months);
  return costIfAny(until - proportion(cost.amount, index, months), cost);
}

/** What `credits` of the `all` that it was paid for cost. Null for nothing. */
export const partOf = (cost: Money, credits: number, all: number): Money | null =>
  costIfAny(proportion(cost.amount, credits, all), cost);

const costIfAny = (amount: number, { currency }: Money): Money | null => (amount === 0 ? null : { amount, currency });

/** A month of credits, from its start until it ends. */
export type Month = { readonly start: Instant; readonly end: Instant };

/** The months before `periodEnd`, counted back from it, the first of them the one that `since` is in. */
export function monthsUntil(periodEnd: Instant, since: Instant): readonly Month[] {
  const months: Month[] = [];
  for (let back = 1; back <= MAX_MONTHS; back += 1) {
    const start = anniversary(periodEnd, -back);
    months.unshift({ start, end: anniversary(periodEnd, 1 - back) });
    if (start <= since) break;
  }
  return months;
}

/**
 * When the credits of month `index` end: when the next month starts, at the latest with the period. A month that is recorded too
 * late for that ends with the month that `now` is in: it was paid for, and nobody is to lose it because a worker stood still.
 */
export function endOfMonth(periodStart: Instant, periodEnd: Instant, index: number, now: Instant): Instant {
  const own = startOfMonth(periodStart, periodEnd, index + 1);
  const end = own < periodEnd ? own : periodEnd;
  if (end > now) return end;
  for (let later = index + 1; later < MAX_MONTHS; later += 1) {
    const next = startOfMonth(periodStart, periodEnd, later);
    if (next > now) return next;
  }
  return end;
}

/**
 * When the credits end that a period gives all at once: with the period, which may be longer than its first month (one that is
 * anchored on the 31st begins on the 30th of a shorter month and ends on the 31st). Recorded too late, as `endOfMonth` says.
 */
export const endOfPeriod = (periodStart: Instant, periodEnd: Instant, now: Instant): Instant =>
  endOfMonth(periodStart, periodEnd, monthsIn(periodStart, periodEnd) - 1, now);
