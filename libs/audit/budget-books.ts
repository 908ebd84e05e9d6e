import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { AccountEvent } from '#ledger/account/events.js';

type Event<Type extends AccountEvent['type']> = Extract<AccountEvent, { type: Type }>;
type Spending = Event<
  'CreditsConsumed' | 'CreditsHeld' | 'HoldRaised' | 'HoldCaptured' | 'HoldReleased' | 'ConsumptionReversed'
>;
type Charges = NonNullable<Spending['charges']>;
type Counted = Charges[number]['budgets'][number];
type Book = { readonly limit: Amount; readonly hard: boolean; since: number; used: number; held: number };
/** What of an open hold counts in budgets, by scope and count. */
type HoldBook = { readonly scope: string; readonly held: Map<string, number> };

const keyOf = ({ scope, since }: Pick<Counted, 'scope' | 'since'>): string => `${scope} ${String(since)}`;
const isWithin = ({ windowStart, windowEnd }: Pick<Counted, 'windowStart' | 'windowEnd'>, at: Instant): boolean =>
  windowStart <= at && (windowEnd === null || at < windowEnd);

/**
 * What counts in an account's budgets, added up by an auditor: written apart from the ledger's own rules. What is spent or reserved under a
 * scope counts in every budget on its path, in a window that it is in, and never beyond a hard limit.
 */
export class BudgetBooks {
  readonly #budgets = new Map<string, Book>();
  readonly #holds = new Map<string, HoldBook>();

  /** Enters an event. Answers what it contradicts, or null; after a contradiction the books are of no use any more. */
  enter(event: AccountEvent): string | null {
    switch (event.type) {
      case 'BudgetSet':
        return this.#set(event);
      case 'BudgetRemoved':
        return this.#budgets.delete(event.scope) ? null : `there is no budget of ${event.scope} to remove`;
      case 'CreditsConsumed':
        return event.scope === undefined ? noCharges(event) : this.#add(event, event.scope, 'used');
      case 'CreditsHeld':
        if (event.scope === undefined) return noCharges(event);
        this.#holds.set(event.holdId, { scope: event.scope, held: new Map() });
        return this.#add(event, event.scope, 'held', event.holdId);
      case 'HoldRaised': {
        const hold = this.#holds.get(event.holdId);
        return hold === undefined ? noCharges(event) : this.#add(event, hold.scope, 'held', event.holdId);
      }
      case 'HoldCaptured':
        return this.#settle(event, event.remaining === 0, 1);
      case 'HoldReleased':
        return this.#settle(event, true, 0);
      case 'ConsumptionReversed':
        return this.#giveBack(event);
      default:
        return null;
    }
  }

  #set({ scope, limit, mode, since, used, heldAmount, at, ...window }: Event<'BudgetSet'>): string | null {
    const known = this.#budgets.get(scope);
    if (!isWithin(window, at)) return `the budget of ${scope} is set in a window that is another time`;
    const counted = known?.since === since ? known : { used: 0, held: 0 };
    if (counted.used !== used || counted.held !== heldAmount)
      return `${scope} is said to have ${String(used)} used and ${String(heldAmount)} held, the events sum up to ${String(counted.used)} and ${String(counted.held)}`;
    if (mode === 'hard' && used + heldAmount > limit) return `the budget of ${scope} is below what counts in it`;
    this.#budgets.set(scope, { limit, hard: mode === 'hard', since, used, held: heldAmount });
    return null;
  }

  #add(event: Spending, scope: string, place: 'used' | 'held', holdId = ''): string | null {
    const { charges = [], amount, at } = event;
    const expected = ['org', ...pathOf(scope)].filter((each) => this.#budgets.has(each));
    const [charge, ...more] = charges;
    const counted = charge?.budgets ?? [];
    if (more.length > 0 || counted.map((each) => each.scope).join() !== expected.join())
      return `it does not count in the budgets on the path of ${scope}, which are ${expected.join(', ')}`;
    if (charge !== undefined && charge.amount !== amount) return 'what it counts is not its amount';
    const hold = this.#holds.get(holdId);
    for (const each of counted) {
      const book = this.#budgets.get(each.scope);
      if (book === undefined || each.since < book.since || !isWithin(each, at))
        return `it counts in a window of ${each.scope} that is over`;
      if (each.since > book.since) Object.assign(book, { since: each.since, used: 0, held: 0 });
      book[place] += amount;
      hold?.held.set(keyOf(each), (hold.held.get(keyOf(each)) ?? 0) + amount);
      const isOver = book.used + book.held > book.limit;
      if (isOver && book.hard) return `more is spent than the budget of ${each.scope} allows`;
      if (isOver !== (each.over === true)) return `it says wrongly whether ${each.scope} is over its limit`;
    }
    return null;
  }

  /** `used`: how much of each amount is used from now on, 1 or 0. */
  #settle(event: Event<'HoldCaptured' | 'HoldReleased'>, closes: boolean, used: 0 | 1): string | null {
    const hold = this.#holds.get(event.holdId);
    if (hold === undefined) return noCharges(event);
    for (const { amount, counted } of partsOf(event)) {
      const held = (hold.held.get(keyOf(counted)) ?? 0) - amount;
      if (held < 0) return `more is settled of ${counted.scope} than the hold counts in it`;
      hold.held.set(keyOf(counted), held);
      const book = this.#budgets.get(counted.scope);
      if (book?.since !== counted.since) continue;
      book.held -= amount;
      book.used += amount * used;
    }
    if (!closes) return null;
    this.#holds.delete(event.holdId);
    const left = [...hold.held].find(([, amount]) => amount !== 0);
    return left === undefined ? null : `the hold is closed, and still counts in ${left[0]}`;
  }

  #giveBack(event: Event<'ConsumptionReversed'>): string | null {
    for (const { amount, counted } of partsOf(event)) {
      const book = this.#budgets.get(counted.scope);
      if (book?.since !== counted.since) continue;
      book.used -= amount;
      if (book.used < 0) return `more is given back to ${counted.scope} than was used`;
    }
    return null;
  }
}

const pathOf = (scope: string): readonly string[] => {
  const segments = scope === 'org' ? [] : scope.split('/');
  return segments.map((_, index) => segments.slice(0, index + 1).join('/'));
};

const noCharges = ({ charges }: Pick<Spending, 'charges'>): string | null =>
  charges === undefined ? null : 'it counts in budgets, and names no scope';

const partsOf = ({ charges = [] }: Spending): readonly { readonly amount: Amount; readonly counted: Counted }[] =>
  charges.flatMap(({ amount, budgets }) => budgets.map((counted) => ({ amount, counted })));
