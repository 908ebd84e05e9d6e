import { MAX_AMOUNT, type Amount } from '#kernel/amount.js';
import type { Recording } from '../recording.js';
import { countAt } from './counting.js';
import type { Budget, BudgetRefusal, Charged, Count, Exceeded, Scoped } from './facts.js';
import { pathOf } from './scope.js';

type Level = { readonly budget: Budget; readonly count: Count };

/** What the budgets on the path of a scope allow now. */
export class Allowance {
  constructor(
    private readonly scope: string,
    private readonly levels: readonly Level[],
  ) {}

  /** The most that all of them allow; a soft one allows what can be counted. */
  get most(): Amount {
    return this.levels.reduce((most, level) => Math.min(most, leftOf(level)), MAX_AMOUNT);
  }

  /** Why an amount is not allowed, by the budget with the least left; null when it is. */
  exceededBy(requested: Amount): Exceeded | null {
    let tightest: Level | null = null;
    for (const level of this.levels)
      if (leftOf(level) < requested && (tightest === null || leftOf(level) < leftOf(tightest))) tightest = level;
    if (tightest === null) return null;
    const { budget, count } = tightest;
    const { scope, limit, window } = budget;
    return { scope, limit, used: countedIn(count), requested, window, resetsAt: count.windowEnd };
  }

  /** What the event of an amount says of its scope and budgets. The event has to be recorded next. */
  charge(amount: Amount): Scoped {
    return { scope: this.scope, ...this.chargeOf(amount) };
  }

  /** The same without the scope. */
  chargeOf(amount: Amount): Charged {
    if (this.levels.length === 0) return {};
    const budgets = this.levels.map(({ budget: { scope, limit }, count }) => {
      const { windowStart, windowEnd, since } = count;
      const counted = { scope, windowStart, windowEnd, since };
      return countedIn(count) + amount > limit ? { ...counted, over: true as const } : counted;
    });
    return { charges: [{ amount, budgets }] };
  }
}

const countedIn = ({ used, held }: Count): Amount => used + held;

const leftOf = ({ budget: { mode, limit }, count }: Level): Amount =>
  Math.max(0, (mode === 'hard' ? limit : MAX_AMOUNT) - countedIn(count));

/** The allowance for an event that is recorded next; null without a scope. */
export function allowanceOf(recording: Recording, scope: string | undefined): Allowance | BudgetRefusal | null {
  if (scope === undefined) return null;
  const path = pathOf(scope);
  if (path === null) return { rejected: 'scope_invalid' };
  const { state, nextRevision } = recording;
  const levels: Level[] = [];
  for (const each of path) {
    const budget = state.budgets.get(each);
    if (budget === undefined) continue;
    levels.push({ budget, count: countAt(budget, state.usage, recording.moment.at, nextRevision) });
  }
  return new Allowance(scope, levels);
}

/** Why nothing at all could be taken where the balance would have given something: the budget that has nothing left. */
export function noneLeft(allowance: Allowance | null, most: Amount): { readonly budget?: Exceeded } {
  const budget = most === 0 ? null : (allowance?.exceededBy(1) ?? null);
  return budget === null ? {} : { budget };
}
