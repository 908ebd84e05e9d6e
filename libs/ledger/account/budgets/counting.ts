import type { Amount } from '#kernel/amount.js';
import { assertNever } from '#kernel/assert.js';
import type { Instant } from '#kernel/instant.js';
import type { Usage } from '../usage.js';
import type { Budget, BudgetTerms, Charge, Count, CountedWindow } from './facts.js';
import { calendarWindow, periodWindow } from './windows.js';

/** What counts in the window of a budget that an instant is in: the count that is known, or a new one that begins with `revision`. */
export function countAt(budget: Budget, usage: Usage, at: Instant, revision: number): Count {
  const { count } = budget;
  if (budget.window !== 'period' && isWithin(count, at)) return count;
  const { windowStart, windowEnd } = windowAt(budget, usage, at);
  // A window never goes back, so that nothing is counted twice: a period may turn out to have begun earlier than was known.
  if (windowStart <= count.windowStart) return count.windowEnd === windowEnd ? count : { ...count, windowEnd };
  return { windowStart, windowEnd, since: revision, used: 0, held: 0 };
}

const isWithin = ({ windowStart, windowEnd }: CountedWindow, at: Instant): boolean =>
  windowStart <= at && (windowEnd === null || at < windowEnd);

/** The window that an instant is in; of a total the one that begins with it. */
export function windowAt(
  { window, timeZone }: Pick<BudgetTerms, 'window' | 'timeZone'>,
  usage: Usage,
  at: Instant,
): Pick<CountedWindow, 'windowStart' | 'windowEnd'> {
  if (window === 'total') return { windowStart: at, windowEnd: null };
  const { start, end } = window === 'period' ? periodWindow(usage, timeZone, at) : calendarWindow(window, timeZone, at);
  return { windowStart: start, windowEnd: end };
}

/** What an event does to what is used and held by the amounts of its charges. */
export type Counting = 'spend' | 'hold' | 'capture' | 'release' | 'reverse';

function changeOf(counting: Counting, amount: Amount): { readonly used: number; readonly held: number } {
  switch (counting) {
    case 'spend':
      return { used: amount, held: 0 };
    case 'hold':
      return { used: 0, held: amount };
    case 'capture':
      return { used: amount, held: -amount };
    case 'release':
      return { used: 0, held: -amount };
    case 'reverse':
      return { used: -amount, held: 0 };
    default:
      return assertNever(counting);
  }
}

/**
 * Enters charges into the counts of budgets. What belongs to a count that is over, or to that of a budget which was set anew since,
 * changes nothing: its window is closed. `budgets` may be any store of what has a count.
 */
export function enterCharges<B extends { readonly count: Count }>(
  budgets: { get(scope: string): B | undefined; set(scope: string, budget: B): void },
  charges: readonly Charge[],
  counting: Counting,
): void {
  for (const { amount, budgets: counted } of charges) {
    const change = changeOf(counting, amount);
    for (const { scope, since, windowStart, windowEnd } of counted) {
      const budget = budgets.get(scope);
      if (budget === undefined || since < budget.count.since) continue;
      const before = since === budget.count.since ? budget.count : { used: 0, held: 0 };
      const [used, held] = [before.used + change.used, before.held + change.held];
      budgets.set(scope, { ...budget, count: { since, windowStart, windowEnd, used, held } });
    }
  }
}
