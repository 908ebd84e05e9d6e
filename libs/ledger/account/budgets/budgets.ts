import { assert, assertNever } from '#kernel/assert.js';
import type { AccountEvent, AccountEventOf } from '../events.js';
import { openAccount, type Recording } from '../recording.js';
import type { AccountState } from '../state.js';
import { countAt, enterCharges, windowAt, type Counting } from './counting.js';
import type { BudgetCommand, BudgetRefusal, Charged, Count } from './facts.js';
import { pathOf } from './scope.js';

/** So many budgets an account has at most: they are all in its state. */
export const MAX_BUDGETS = 25_000;

type Command<Type extends BudgetCommand['type']> = Extract<BudgetCommand, { type: Type }>;

/**
 * Sets the budget of a scope, or changes it. While window and time zone stay, what counts in the window stays; else the count begins anew.
 * A hard limit below what counts is refused.
 */
export function setBudget(recording: Recording, command: Command<'SetBudget'>): BudgetRefusal | null {
  const { scope, limit, window, timeZone, mode } = command;
  if (pathOf(scope) === null) return { rejected: 'scope_invalid' };
  const before = recording.state.budgets.get(scope);
  if (before === undefined && recording.state.budgetCount >= MAX_BUDGETS) return { rejected: 'too_many_budgets' };
  const isSameWindow = before?.window === window && before.timeZone === timeZone;
  const known = isSameWindow ? countAt(before, recording.state.usage, recording.moment.at, -1) : null;
  const used = known === null ? 0 : known.used + known.held;
  if (mode === 'hard' && limit < used) return { rejected: 'budget_below_used', scope, limit, used };
  openAccount(recording);
  const { since, windowStart, windowEnd, ...counted } = countFor(recording, command, known);
  recording.record({
    type: 'BudgetSet',
    scope,
    limit,
    window,
    timeZone,
    mode,
    windowStart,
    windowEnd,
    since,
    used: counted.used,
    heldAmount: counted.held,
  });
  return null;
}

/** The count that goes on, or a new one that begins with the event that is recorded next. */
function countFor(recording: Recording, command: Command<'SetBudget'>, known: Count | null): Count {
  const since = recording.nextRevision;
  if (known !== null) return known.since < 0 ? { ...known, since } : known;
  return { ...windowAt(command, recording.state.usage, recording.moment.at), since, used: 0, held: 0 };
}

/** Removes the budget of a scope. What was counted is forgotten. */
export function removeBudget(recording: Recording, { scope }: Command<'RemoveBudget'>): BudgetRefusal | null {
  if (pathOf(scope) === null) return { rejected: 'scope_invalid' };
  if (recording.state.budgets.get(scope) === undefined) return { rejected: 'budget_not_found' };
  recording.record({ type: 'BudgetRemoved', scope });
  return null;
}

type BudgetEvent = AccountEventOf<'BudgetSet'> | AccountEventOf<'BudgetRemoved'>;

/** The budgets as an event of theirs leaves them. */
export function evolveBudgets(state: AccountState, event: BudgetEvent): AccountState {
  switch (event.type) {
    case 'BudgetSet': {
      const { scope, limit, window, timeZone, mode, windowStart, windowEnd, since, used, heldAmount } = event;
      if (state.budgets.get(scope) === undefined) state.budgetCount += 1;
      const count = { windowStart, windowEnd, since, used, held: heldAmount };
      state.budgets.set(scope, { scope, limit, window, timeZone, mode, count });
      return state;
    }
    case 'BudgetRemoved':
      state.budgets.delete(event.scope);
      state.budgetCount -= 1;
      return state;
    default:
      return assertNever(event);
  }
}

/** How the charges of an event count; null for events that have none. */
export function countingOf({ type }: Pick<AccountEvent, 'type'>): Counting | null {
  switch (type) {
    case 'CreditsConsumed':
      return 'spend';
    case 'CreditsHeld':
    case 'HoldRaised':
      return 'hold';
    case 'HoldCaptured':
      return 'capture';
    case 'HoldReleased':
      return 'release';
    case 'ConsumptionReversed':
      return 'reverse';
    default:
      return null;
  }
}

/** Counts the charges of an event. */
export function countCharges(state: AccountState, event: Pick<AccountEvent, 'type'> & Charged): void {
  if (event.charges === undefined) return;
  const counting = countingOf(event);
  assert(counting !== null, `a ${event.type} has charges`);
  enterCharges(state.budgets, event.charges, counting);
}
