import type { Amount, Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { BudgetBooks } from './budget-books.js';

/** Where the credits of a grant can be. `free` is scheduled before the grant is effective, available from then on. */
const places = ['free', 'held', 'consumed', 'expired', 'revoked', 'repaid', 'transferred'] as const;
type Place = (typeof places)[number];

type GrantBook = Record<Place, Amount> & {
  readonly granted: Amount;
  readonly expiresAt: Instant | null;
  scheduled: boolean;
  /** Minor units of the cost basis that the credits not yet used up still carry. */
  costLeft: number;
  /** Minor units of it that the expired credits carry: breakage. */
  costExpired: number;
};

type Slice = { readonly grantId: string; readonly amount: Amount; readonly cost?: Money | null };

/** The sums of one account. */
export type AccountSums = Record<Place | 'granted' | 'scheduled' | 'available' | 'debt', number>;

/** What the events of an account contradict. */
class Contradiction extends Error {
  override readonly name = 'Contradiction';
}

/**
 * An account's books kept by an auditor: written apart from the ledger's own rules, so that a mistake in those does not
 * hide itself. Every credit of a grant is in exactly one place; an event moves credits between places and says what the
 * balance is then, and the two must agree.
 */
export class AccountBooks {
  readonly #grants = new Map<string, GrantBook>();
  readonly #holds = new Map<string, Amount>();
  readonly #debts = new Map<string, Amount>();
  readonly #budgets = new BudgetBooks();
  #available = 0;
  #held = 0;
  #debt = 0;
  #lastAt = '';

  /** Enters an event. Answers what it contradicts, or null; after a contradiction the books are of no use any more. */
  enter(event: AccountEvent): string | null {
    try {
      if (event.at < this.#lastAt) return `its time is before that of the event before it`;
      this.#lastAt = event.at;
      this.#move(event);
      return this.#compare(event) ?? this.#budgets.enter(event);
    } catch (error) {
      if (error instanceof Contradiction) return error.message;
      throw error;
    }
  }

  /** What does not add up at the end, per grant; and the sums. */
  close(): { readonly sums: AccountSums; readonly problem: string | null } {
    const sums: AccountSums = {
      ...{ granted: 0, scheduled: 0, available: 0, debt: this.#debt },
      ...{ free: 0, held: 0, consumed: 0, expired: 0, revoked: 0, repaid: 0, transferred: 0 },
    };
    let problem: string | null = null;
    for (const [id, grant] of this.#grants) {
      const placed = places.reduce((sum, place) => sum + grant[place], 0);
      if (placed !== grant.granted)
        problem ??= `grant ${id}: ${String(grant.granted)} granted, ${String(placed)} found`;
      for (const place of places) sums[place] += grant[place];
      sums.granted += grant.granted;
      sums[grant.scheduled ? 'scheduled' : 'available'] += grant.free;
    }
    if (sums.available !== this.#available || sums.held !== this.#held)
      problem ??= 'the grants do not sum up to the balance';
    return { sums, problem };
  }

  #move(event: AccountEvent): void {
    switch (event.type) {
      case 'CreditsGranted':
        return this.#grant(event);
      case 'CreditsActivated':
        return this.#activate(event);
      case 'CreditsConsumed':
        this.#equal(sumOf(event.allocations) + event.debt, event.amount, 'the slices and the debt', 'the amount');
        return this.#spend(event.allocations, 'consumed', event.at);
      case 'CreditsHeld':
        this.#equal(sumOf(event.allocations), event.amount, 'the slices', 'the amount');
        this.#holds.set(event.holdId, event.amount);
        return this.#spend(event.allocations, 'held', event.at);
      case 'HoldRaised':
        this.#equal(sumOf(event.allocations), event.amount, 'the slices', 'the amount');
        this.#takeFromHold(event.holdId, -event.amount, event.remaining);
        return this.#spend(event.allocations, 'held', event.at);
      case 'HoldCaptured':
        this.#equal(sumOf(event.allocations), event.amount, 'the slices', 'the amount');
        this.#takeFromHold(event.holdId, event.amount, event.remaining);
        for (const slice of event.allocations) this.#shift(slice, 'held', 'consumed');
        return;
      case 'HoldReleased':
        this.#equal(sumOf(event.allocations), event.amount, 'the slices', 'the amount');
        this.#takeFromHold(event.holdId, event.amount, 0);
        for (const slice of event.allocations) this.#shift(slice, 'held', 'free');
        return;
      case 'HoldExtended':
        return this.#takeFromHold(event.holdId, 0, event.remaining);
      case 'CreditsExpired':
        return this.#shift(event, 'free', 'expired');
      case 'CreditsRevoked':
        this.#equal(sumOf(event.allocations), event.amount, 'the slices', 'the amount');
        return this.#revoke(event);
      case 'CreditsReinstated':
        return this.#shift(event, 'revoked', this.#placeAfter(event));
      case 'ConsumptionReversed':
        this.#equal(sumOf(event.restored) + event.debtReversed, event.amount, 'what came back', 'the amount');
        for (const slice of event.restored) this.#shift(slice, 'consumed', 'free');
        return;
      case 'TransferSent':
        this.#equal(sumOf(event.lots), event.amount, 'the lots', 'the amount');
        return this.#spend(event.lots, 'transferred', event.at);
      case 'TransferReturned':
        this.#equal(sumOf(event.restored), event.amount, 'what came back', 'the amount');
        for (const slice of event.restored) this.#shift(slice, 'transferred', 'free');
        return;
      case 'DebtIncurred':
      case 'DebtRepaid':
      case 'DebtForgiven':
        return this.#moveDebt(event);
      default:
        return;
    }
  }

  #moveDebt(event: Extract<AccountEvent, { type: 'DebtIncurred' | 'DebtRepaid' | 'DebtForgiven' }>): void {
    if (event.type === 'DebtIncurred') {
      this.#debts.set(event.debtId, event.amount);
      this.#debt += event.amount;
      return;
    }
    const owed = this.#debts.get(event.debtId);
    if (owed === undefined) throw new Contradiction(`debt ${event.debtId} was never incurred`);
    if (event.amount > owed) throw new Contradiction(`debt ${event.debtId} would fall below zero`);
    this.#debts.set(event.debtId, owed - event.amount);
    this.#debt -= event.amount;
    if (event.type === 'DebtRepaid') this.#shift(event, 'free', 'repaid');
    else for (const slice of event.restored) this.#shift(slice, 'repaid', 'free');
  }

  #grant(event: Extract<AccountEvent, { type: 'CreditsGranted' }>): void {
    const { grantId, amount, at, effectiveAt, expiresAt, costBasis } = event;
    if (this.#grants.has(grantId)) throw new Contradiction(`grant ${grantId} was made before`);
    const scheduled = effectiveAt > at;
    if (!scheduled) this.#available += amount;
    this.#grants.set(grantId, {
      ...{ granted: amount, expiresAt, scheduled, costLeft: costBasis?.amount ?? 0, costExpired: 0 },
      ...{ free: amount, held: 0, consumed: 0, expired: 0, revoked: 0, repaid: 0, transferred: 0 },
    });
  }

  #activate({ grantId, amount, at }: Extract<AccountEvent, { type: 'CreditsActivated' }>): void {
    const grant = this.#known(grantId);
    if (!grant.scheduled) throw new Contradiction(`grant ${grantId} was active before ${at}`);
    this.#equal(grant.free, amount, 'what is left of the grant', 'the amount');
    grant.scheduled = false;
    this.#available += amount;
  }

  /** Takes from grants that must be active at that time. */
  #spend(slices: readonly Slice[], to: 'consumed' | 'held' | 'transferred', at: Instant): void {
    for (const slice of slices) {
      const grant = this.#known(slice.grantId);
      if (grant.scheduled) throw new Contradiction(`grant ${slice.grantId} is spent before it is effective`);
      if (grant.expiresAt !== null && grant.expiresAt <= at)
        throw new Contradiction(`grant ${slice.grantId} is spent after it expired`);
      this.#shift(slice, 'free', to, grant);
    }
  }

  /** Credits are taken that are free, or that had expired: all of them one or the other. */
  #revoke({ allocations, amount, expired }: Extract<AccountEvent, { type: 'CreditsRevoked' }>): void {
    if (expired !== 0) this.#equal(amount, expired, 'the slices', 'the expired part');
    for (const slice of allocations) this.#shift(slice, expired > 0 ? 'expired' : 'free', 'revoked');
  }

  /** Where given back credits go: a grant that has expired has no free ones. */
  #placeAfter({ grantId, expired, at }: Extract<AccountEvent, { type: 'CreditsReinstated' }>): Place {
    const { expiresAt } = this.#known(grantId);
    if (expired !== (expiresAt !== null && expiresAt <= at))
      throw new Contradiction(`credits given back to grant ${grantId} are free after its expiry, or expired before it`);
    return expired ? 'expired' : 'free';
  }

  /** Moves credits of a grant; their cost leaves the grant when they are used up and comes back when they do. */
  #shift({ grantId, amount, cost }: Slice, from: Place, to: Place, grant = this.#known(grantId)): void {
    if (!Number.isSafeInteger(amount) || amount < 0)
      throw new Contradiction(`an amount of grant ${grantId} is no amount`);
    grant[from] -= amount;
    grant[to] += amount;
    if (grant[from] < 0) throw new Contradiction(`the ${from} part of grant ${grantId} would fall below zero`);
    if (to === 'free') grant.costLeft += cost?.amount ?? 0;
    else if (from === 'free' || from === 'held') grant.costLeft -= cost?.amount ?? 0;
    if (to === 'expired') grant.costExpired += cost?.amount ?? 0;
    else if (from === 'expired') grant.costExpired -= cost?.amount ?? 0;
    if (grant.costExpired < 0) throw new Contradiction(`more than the breakage of grant ${grantId} is turned back`);
    if (grant.expired === 0 && grant.costExpired !== 0)
      throw new Contradiction(`nothing of grant ${grantId} is expired, a part of its cost is`);
    if (grant.costLeft < 0) throw new Contradiction(`more than the cost of grant ${grantId} is used up`);
    if (grant.free + grant.held === 0 && grant.costLeft !== 0)
      throw new Contradiction(`grant ${grantId} is used up, a part of its cost is not`);
    if (!grant.scheduled) this.#available += (to === 'free' ? amount : 0) - (from === 'free' ? amount : 0);
    this.#held += (to === 'held' ? amount : 0) - (from === 'held' ? amount : 0);
  }

  #takeFromHold(holdId: string, amount: Amount, remaining: Amount): void {
    const held = this.#holds.get(holdId);
    if (held === undefined) throw new Contradiction(`hold ${holdId} is not open`);
    this.#equal(held - amount, remaining, 'what is left of the hold', 'the remaining amount');
    if (remaining === 0) this.#holds.delete(holdId);
    else this.#holds.set(holdId, remaining);
  }

  #known(grantId: string): GrantBook {
    const grant = this.#grants.get(grantId);
    if (grant === undefined) throw new Contradiction(`grant ${grantId} was never made`);
    return grant;
  }

  #equal(found: number, recorded: number, what: string, recordedAs: string): void {
    if (found !== recorded)
      throw new Contradiction(`${what} sum up to ${String(found)}, ${recordedAs} is recorded as ${String(recorded)}`);
  }

  #compare({ balance }: AccountEvent): string | null {
    if (balance.available !== this.#available) return differs('available', balance.available, this.#available);
    if (balance.held !== this.#held) return differs('held', balance.held, this.#held);
    return balance.debt === this.#debt ? null : differs('debt', balance.debt, this.#debt);
  }
}

const differs = (member: string, recorded: number, found: number): string =>
  `${member} is recorded as ${String(recorded)}, the events before add up to ${String(found)}`;

const sumOf = (slices: readonly Slice[]): number => slices.reduce((sum, { amount }) => sum + amount, 0);
