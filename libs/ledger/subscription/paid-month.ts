import { proportion, type Money } from '#kernel/amount.js';
import { instantOf, msOf, type Instant } from '#kernel/instant.js';

/** A period that was paid for, as agreed when it was paid: later changes of the catalogue do not touch it. */
export type PaidPeriod = {
  readonly planId: string;
  readonly interval: 'month' | 'year';
  readonly periodStart: Instant;
  readonly periodEnd: Instant;
  /** Stripe's subscription item. */
  readonly itemId: string;
  /** Credits for each month of the period, all seats together. */
  readonly creditsPerMonth: number;
  /** What the whole period cost without tax; null when it cost nothing. */
  readonly cost: Money | null;
  /** How much of a month's unspent credits goes on into the next; left out for nothing. */
  readonly rolloverCap?: number;
};

/** After so long nothing that is reported of a subscription changes what it gave for a period that is over. */
export const REMEMBERED_MS = 400 * 86_400_000;

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

/** Whether a period is a number of whole calendar months, also where a short month cut its first or last day. */
export const isWholeMonths = (periodStart: Instant, periodEnd: Instant): boolean =>
  wholeMonths(periodStart, periodEnd) !== null;

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

/** A month of a paid period. `measuredFrom`: the start of the whole month of which the first one is the end; else its own start. */
export type PaidMonth = Month & { readonly measuredFrom: Instant };

/**
 * The months of a paid period, counted back from its end: so a year from 29 February to 28 February, or from the 28th to the 29th,
 * has twelve months, and what is changed within it later, of which only the end is known, has the same. The first begins with the
 * period. Where that is not a number of whole months, it is the rest of a month.
 */
export function monthsOf(periodStart: Instant, periodEnd: Instant): readonly PaidMonth[] {
  const whole = isWholeMonths(periodStart, periodEnd);
  return monthsUntil(periodEnd, periodStart).map(({ start, end }, index) => {
    if (index > 0) return { start, end, measuredFrom: start };
    return { start: periodStart, end, measuredFrom: whole ? periodStart : start };
  });
}

/** A period whose credits come all at once, as one month: shorter than a month it is the rest of one, longer it has its own length. */
export function asOneMonth(periodStart: Instant, periodEnd: Instant): PaidMonth {
  const month = anniversary(periodEnd, -1);
  const isRest = month < periodStart && !isWholeMonths(periodStart, periodEnd);
  return { start: periodStart, end: periodEnd, measuredFrom: isRest ? month : periodStart };
}

/** What `credits` for `of.measuredFrom` until `of.end` are for the part of it that begins at `from`; all of them for all of it. */
export function creditsFrom(credits: number, from: Instant, of: Pick<PaidMonth, 'measuredFrom' | 'end'>): number {
  if (from <= of.measuredFrom) return credits;
  const full = msOf(of.end) - msOf(of.measuredFrom);
  const rest = Math.min(full, Math.max(0, msOf(of.end) - msOf(from)));
  return proportion(credits, rest, full);
}

/**
 * When credits end that are for a time until `end`. What is recorded too late for that ends with the month, counted from `periodEnd`,
 * that `now` is in: it was paid for, and nobody is to lose it because it was reported late.
 */
export function endInForce(end: Instant, periodEnd: Instant, now: Instant): Instant {
  if (end > now) return end;
  const months = (yearOf(now) - yearOf(periodEnd)) * 12 + monthNumber(now) - monthNumber(periodEnd);
  for (let later = months - 1; ; later += 1) {
    const next = anniversary(periodEnd, later);
    if (next > now) return next;
  }
}
const yearOf = (instant: Instant): number => Number(instant.slice(0, 4));
const monthNumber = (instant: Instant): number => Number(instant.slice(5, 7));

/** What of a cost belongs to each of these amounts, by the running total, so that all of it is shared out. Null for a share of nothing. */
export function sharesOfCost(cost: Money | null, amounts: readonly number[]): readonly (Money | null)[] {
  const all = amounts.reduce((sum, amount) => sum + amount, 0);
  if (cost === null || all === 0) return amounts.map(() => null);
  let before = 0;
  return amounts.map((amount) => {
    const share = proportion(cost.amount, before + amount, all) - proportion(cost.amount, before, all);
    before += amount;
    return share === 0 ? null : { amount: share, currency: cost.currency };
  });
}
