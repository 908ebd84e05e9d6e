import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { Budget, BudgetTerms } from './facts.js';

type Window = readonly [BudgetTerms['window'], timeZone: string, windowStart: Instant, windowEnd: Instant | null];
type Kept = readonly [scope: string, limit: Amount, mode: 0 | 1, since: number, used: Amount, held: Amount];

/** Budgets by their windows, of which thousands have the same. */
export type KeptBudgets = readonly (readonly [Window, readonly Kept[]])[];

/** Budgets as plain data, as small as it gets. */
export function encodeBudgets(budgets: Iterable<Budget>): KeptBudgets {
  const byWindow = new Map<string, [Window, Kept[]]>();
  for (const { scope, limit, window, timeZone, mode, count } of budgets) {
    const { windowStart, windowEnd, since, used, held } = count;
    const key = `${window} ${timeZone} ${windowStart} ${windowEnd ?? ''}`;
    const group = byWindow.get(key) ?? [[window, timeZone, windowStart, windowEnd], []];
    group[1].push([scope, limit, mode === 'hard' ? 0 : 1, since, used, held]);
    byWindow.set(key, group);
  }
  return [...byWindow.values()];
}

/** The budgets that `encodeBudgets` made plain, by scope. */
export function decodeBudgets(groups: KeptBudgets): [string, Budget][] {
  return groups.flatMap(([[window, timeZone, windowStart, windowEnd], kept]) =>
    kept.map(([scope, limit, mode, since, used, held]): [string, Budget] => [
      scope,
      {
        scope,
        limit,
        window,
        timeZone,
        mode: mode === 0 ? 'hard' : 'soft',
        count: { windowStart, windowEnd, since, used, held },
      },
    ]),
  );
}
