import type { BudgetTerms, Count } from '#ledger/account/budgets/facts.js';

/** A budget as callers see it. `used` is all that counts in the window, of which `held` is reserved by open holds. */
export const shownBudget = (
  { scope, limit, window, timeZone, mode }: BudgetTerms,
  { used, held, windowStart, windowEnd }: Omit<Count, 'since'>,
) => ({
  scope,
  limit,
  window,
  timeZone,
  mode,
  used: used + held,
  held,
  remaining: Math.max(0, limit - used - held),
  windowStart,
  windowEnd,
});
