import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';

export const budgetWindows = ['day', 'week', 'month', 'period', 'total'] as const;
export type BudgetWindow = (typeof budgetWindows)[number];
export const budgetModes = ['hard', 'soft'] as const;

/** A cap on what is spent under a scope within a window. A hard one refuses what goes beyond it, a soft one tells of it. */
export type BudgetTerms = {
  readonly scope: string;
  /** At least 1. */
  readonly limit: Amount;
  readonly window: BudgetWindow;
  /** An IANA name: in which place days, weeks and months begin. */
  readonly timeZone: string;
  readonly mode: (typeof budgetModes)[number];
};

/** A window as it was worked out once, so that nobody needs data of time zones to read the log. It has its start and not its end. */
export type CountedWindow = {
  readonly windowStart: Instant;
  /** Null where it never ends. */
  readonly windowEnd: Instant | null;
  /** Which count of the budget this is: the revision of the event that it began with. */
  readonly since: number;
};

/** That an amount counts in a window of the budget of a scope. */
export type Counted = CountedWindow & {
  readonly scope: string;
  /** Set where a soft budget is over its limit with it. */
  readonly over?: true;
};

/** An amount and the budgets that it counts in. */
export type Charge = { readonly amount: Amount; readonly budgets: readonly Counted[] };

/** Which budgets the amount of an event counts in from now on, or no more; left out where there are none. The amounts sum up to it. */
export type Charged = { readonly charges?: readonly Charge[] };

/** What an event of spending says of budgets: nothing where no scope was named. */
export type Scoped = Charged & {
  /** Under which scope it is spent. */
  readonly scope?: string;
};

/** The events of budgets themselves. */
export type BudgetFacts = {
  /** A budget as it is from now on, with what counts in its present window. */
  BudgetSet: BudgetTerms & CountedWindow & { readonly used: Amount; readonly heldAmount: Amount };
  BudgetRemoved: { readonly scope: string };
};

/** What counts in one window of a budget. */
export type Count = CountedWindow & {
  readonly used: Amount;
  /** Reserved by holds that were placed or raised in this window and are open. */
  readonly held: Amount;
};

export type Budget = BudgetTerms & { readonly count: Count };

/** Why a budget does not allow an amount: the budget with the least left of those on the path. */
export type Exceeded = {
  readonly scope: string;
  readonly limit: Amount;
  /** What counts in the window, with what is held. */
  readonly used: Amount;
  readonly requested: Amount;
  readonly window: BudgetWindow;
  /** Null where it never resets. */
  readonly resetsAt: Instant | null;
};

export type BudgetCommand =
  ({ readonly type: 'SetBudget' } & BudgetTerms) | { readonly type: 'RemoveBudget'; readonly scope: string };

export type BudgetRefusal =
  | { readonly rejected: 'scope_invalid' | 'budget_not_found' | 'too_many_budgets' }
  | ({ readonly rejected: 'budget_exceeded' } & Exceeded)
  /** A hard limit is less than what counts in its window already. */
  | { readonly rejected: 'budget_below_used'; readonly scope: string; readonly limit: Amount; readonly used: Amount };
