import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { Budget, BudgetTerms } from './facts.js';

type Window = readonly [BudgetTerms['window'], timeZone: string, windowStart: Instant, windowEnd: Instant | null];
/** `shared`: how many characters of the scope before it in the group it begins with; `rest`: those that follow. */
type Kept = readonly [
  ...[shared: number, rest: string],
  ...[limit: Amount, mode: 0 | 1, since: number, used: Amount, held: Amount],
];

/** Budgets by their windows, of which thousands have the same, in the order of their scopes, which have most characters in common. */
export type KeptBudgets = readonly (readonly [Window, readonly Kept[]])[];

type Group = { readonly window: Window; readonly kept: Kept[]; last: string };

/** Budgets as plain data, as small as it gets. */
export function encodeBudgets(budgets: Iterable<Budget>): KeptBudgets {
  const groups = new Map<string, Group>();
  for (const budget of [...budgets].sort((a, b) => (a.scope < b.scope ? -1 : 1))) {
    const { scope, limit, window, timeZone, mode, count } = budget;
    const { windowStart, windowEnd, since, used, held } = count;
    const key = `${window} ${timeZone} ${windowStart} ${windowEnd ?? ''}`;
    const group = groups.get(key) ?? { window: [window, timeZone, windowStart, windowEnd], kept: [], last: '' };
    groups.set(key, group);
    const shared = sharedBy(group.last, scope);
    group.kept.push([shared, scope.slice(shared), limit, mode === 'hard' ? 0 : 1, since, used, held]);
    group.last = scope;
  }
  return [...groups.values()].map(({ window, kept }) => [window, kept]);
}

function sharedBy(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

/** The budgets that `encodeBudgets` made plain, by scope. */
export function decodeBudgets(groups: KeptBudgets): [string, Budget][] {
  const budgets: [string, Budget][] = [];
  for (const [[window, timeZone, windowStart, windowEnd], kept] of groups) {
    let scope = '';
    for (const [shared, rest, limit, mode, since, used, held] of kept) {
      scope = scope.slice(0, shared) + rest;
      const count = { windowStart, windowEnd, since, used, held };
      budgets.push([scope, { scope, limit, window, timeZone, mode: mode === 0 ? 'hard' : 'soft', count }]);
    }
  }
  return budgets;
}
