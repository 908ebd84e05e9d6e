import type { Moment } from '#kernel/decider.js';
import { makeId, makeIdAfter, type IdPrefix } from '#kernel/ids.js';
import type { Instant } from '#kernel/instant.js';
import type { AccountEvent, AccountFact, Balance } from './events.js';
import { balanceChange } from './grants/moves.js';
import { forkAccount, type AccountState, type Grant, type SubscriptionTerms } from './state.js';

/** A subscription of which all is settled. */
export type SettledTerms = {
  readonly terms: SubscriptionTerms | undefined;
  readonly grants: { get(grantId: string): Grant | undefined };
};

/** A decision being written down: facts become events with their time and the balance after them. */
export class Recording {
  readonly moment: Moment<AccountEvent>;
  /** The state that the decision began with. */
  readonly before: AccountState;
  readonly events: AccountEvent[] = [];
  /** By subscription: its terms and grants as they were when plan changes and the end were settled last within the decision. */
  readonly settledTerms = new Map<string, SettledTerms>();
  /** The instant that is being recorded: that of the decision, except while the time before it is let pass. */
  at: Instant;
  /** What time acts on while it is let pass; null while the decision itself is recorded. */
  timesEffectOn: string | null = null;
  #state: AccountState;
  #balance: Balance;
  #folded = 0;
  #forked = false;

  /** `evolve` is the account's own: given, so that the behaviours it is put together from can record. */
  constructor(
    state: AccountState,
    moment: Moment<AccountEvent>,
    private readonly evolve: (state: AccountState, event: AccountEvent, revision: number) => AccountState,
  ) {
    this.moment = moment;
    this.at = moment.at;
    this.before = state;
    this.#state = state;
    this.#balance = state.balance;
  }

  /** The balance after everything recorded so far. */
  get balance(): Balance {
    return this.#balance;
  }

  /** The revision that the event which is recorded next will have. */
  get nextRevision(): number {
    return this.moment.revision + this.events.length;
  }

  record(fact: AccountFact, at: Instant = this.at): void {
    const { available, held, debt } = this.#balance;
    const event = { ...fact, at, balance: this.#balance };
    const change = balanceChange(event);
    this.#balance = { available: available + change.available, held: held + change.held, debt: debt + change.debt };
    event.balance = this.#balance;
    this.events.push(event);
  }

  /** An id for what the next event makes. What time makes has the same one whoever shows or records it, and when. */
  newId(prefix: IdPrefix): string {
    const { moment, at, timesEffectOn, nextRevision: revision } = this;
    if (timesEffectOn !== null) return makeIdAfter(prefix, at, revision, timesEffectOn);
    return makeId(prefix, moment.at, revision, moment.commandId);
  }

  /** The state with everything recorded so far; the state that the decision began with stays as it is. */
  get state(): AccountState {
    if (this.#folded < this.events.length) {
      if (!this.#forked) this.#state = forkAccount(this.#state);
      this.#forked = true;
      for (const event of this.events.slice(this.#folded)) {
        this.#state = this.evolve(this.#state, event, this.moment.revision + this.#folded);
        this.#folded += 1;
      }
    }
    return this.#state;
  }
}

/** An account opens by itself with the first thing that is recorded in it. */
export function openAccount(recording: Recording): void {
  const { state } = recording;
  if (!state.opened) recording.record({ type: 'AccountOpened', customerId: state.customerId, unit: state.unit });
}
