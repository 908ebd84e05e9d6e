import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { countAt } from '../budgets/counting.js';
import type { BudgetTerms, Count } from '../budgets/facts.js';
import type { AccountState } from '../state.js';

/** A budget with what counts in its window: `used` is all of it, of which `held` is reserved by open holds. */
export type BudgetStanding = BudgetTerms & {
  readonly used: Amount;
  readonly held: Amount;
  /** What is left of the limit, at least 0. */
  readonly remaining: Amount;
  readonly windowStart: Instant;
  /** Null where the window never ends. */
  readonly windowEnd: Instant | null;
};

export function standingOf(
  { scope, limit, window, timeZone, mode }: BudgetTerms,
  { used, held, windowStart, windowEnd }: Omit<Count, 'since'>,
): BudgetStanding {
  const counted = used + held;
  const remaining = Math.max(0, limit - counted);
  return { scope, limit, window, timeZone, mode, used: counted, held, remaining, windowStart, windowEnd };
}

/**
 * The budgets of an account as they stand at an instant that time has passed to, in the order of their scopes. `scope`: only that of this
 * one; null: all.
 */
export function budgetsAt(
  { budgets, usage }: AccountState,
  at: Instant,
  scope: string | null,
): readonly BudgetStanding[] {
  const wanted = scope === null ? [...budgets.values()] : [budgets.get(scope)].filter((one) => one !== undefined);
  return wanted
    .sort((a, b) => (a.scope < b.scope ? -1 : 1))
    .map((budget) => standingOf(budget, countAt(budget, usage, at, -1)));
}
