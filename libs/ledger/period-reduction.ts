import type { Instant } from '#kernel/instant.js';
import { periodName } from './allowance-keys.js';
import type { PaidPeriod } from './paid-month.js';

/** From `since` on the money for so many credits of each month has gone back. */
export type FewerCredits = {
  readonly since: Instant;
  /** Months that began until then may have been granted whole: what is unspent of them is claimed from the account. */
  readonly wholeUntil: Instant;
  readonly creditsPerMonth: number;
};

/** A change to less within periods that are granted by the month; the invoice, its time and the end of the periods name it. */
export type PeriodReduction = FewerCredits & { readonly invoiceId: string; readonly periodEnd: Instant };

/** A period that is granted by the month, and what changes to less have left out of its months, oldest change first. */
export type ReducedPeriod = {
  readonly itemId: string;
  readonly periodStart: Instant;
  readonly fewer: readonly FewerCredits[];
};

type MonthlyPeriod = Pick<PaidPeriod, 'itemId' | 'periodStart' | 'periodEnd' | 'creditsPerMonth' | 'agreedAt'>;

const agreedAt = (period: MonthlyPeriod): Instant => period.agreedAt ?? period.periodStart;

/**
 * How many fewer credits each period gives, at most all that it has. A change takes of what had been agreed until then and
 * ends at the same time, the newest first. The same for the same facts, whatever order they were heard of in. Keyed by `periodName`.
 */
export function reducedPeriods(
  periods: readonly MonthlyPeriod[],
  reductions: readonly PeriodReduction[],
): ReadonlyMap<string, ReducedPeriod> {
  const newestFirst = periods.toSorted((a, b) => (orderOf(a) > orderOf(b) ? -1 : 1));
  const byAge = reductions.toSorted((a, b) => (`${a.since} ${a.invoiceId}` < `${b.since} ${b.invoiceId}` ? -1 : 1));
  const found = new Map<string, ReducedPeriod>(
    newestFirst.map(({ itemId, periodStart }) => [periodName(itemId, periodStart), { itemId, periodStart, fewer: [] }]),
  );
  for (const { since, wholeUntil, periodEnd, creditsPerMonth } of byAge) {
    let missing = creditsPerMonth;
    for (const period of newestFirst) {
      if (period.periodEnd !== periodEnd || agreedAt(period) > since) continue;
      const { itemId, periodStart } = period;
      const name = periodName(itemId, periodStart);
      const fewer = found.get(name)?.fewer ?? [];
      const left = fewer.reduce((sum, one) => sum - one.creditsPerMonth, period.creditsPerMonth);
      const taken = Math.min(missing, left);
      if (taken === 0) continue;
      missing -= taken;
      found.set(name, { itemId, periodStart, fewer: [...fewer, { since, wholeUntil, creditsPerMonth: taken }] });
    }
  }
  return found;
}

const orderOf = (period: MonthlyPeriod): string => `${agreedAt(period)} ${period.periodStart} ${period.itemId}`;

/** What is to be granted of the credits of the month that begins at `monthStart`. */
export const creditsOfMonth = (creditsPerMonth: number, fewer: readonly FewerCredits[], monthStart: Instant): number =>
  fewer.reduce(
    (left, one) => (monthStart >= one.since && monthStart > one.wholeUntil ? left - one.creditsPerMonth : left),
    creditsPerMonth,
  );
