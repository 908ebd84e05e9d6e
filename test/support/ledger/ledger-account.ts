import { isRefused } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import { accountDecider, conservationOf } from '#ledger/account/account.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';

const stream = 'account-acme';

/** An account that takes commands one after the other. Its books are checked, and it goes through a snapshot, after each. */
export class LedgerAccount {
  state: AccountState = accountDecider.initial(stream);
  readonly log: AccountEvent[] = [];
  #commands = 0;

  constructor(private now: Instant) {}

  /** Runs a command at a time, never earlier than the last. Answers the types of the events, or the refusal. */
  run(command: AccountCommand, at: Instant = this.now): string {
    if (at > this.now) this.now = at;
    this.#commands += 1;
    const commandId = `00000000-0000-5000-8000-${String(this.#commands).padStart(12, '0')}`;
    const needed = accountDecider.needs?.(this.state, command) ?? null;
    const past = needed === null ? null : (this.log[needed] ?? null);
    const moment = { at: this.now, revision: this.log.length, commandId, past };
    const decision = accountDecider.decide(this.state, command, moment);
    if (isRefused(decision)) return decision.rejected;
    for (const event of decision) {
      this.state = accountDecider.evolve(this.state, event, this.log.length);
      this.log.push(event);
    }
    const { violations } = conservationOf(this.state);
    if (violations.length > 0) throw new Error(violations.join('; '));
    const snapshot = JSON.stringify(accountDecider.snapshot?.encode(this.state));
    this.state = accountDecider.snapshot?.decode(JSON.parse(snapshot), stream) ?? this.state;
    return decision.map(({ type }) => type).join(' ');
  }

  get available(): number {
    return this.state.balance.available;
  }

  /** Unspent credits that are still to come. */
  get scheduled(): number {
    return conservationOf(this.state).scheduled;
  }

  /**
   * Without ids and revisions, which tell of the order, and whether a grant of which nothing is left was still scheduled; with every
   * cent in its place.
   */
  get books() {
    const grants = [...this.state.grants.values()].map(({ id: _id, revision: _revision, scheduled, ...rest }) =>
      JSON.stringify({
        ...rest,
        scheduled: scheduled && rest.free > 0,
        revocations: rest.revocations.map((each) => JSON.stringify(each)).sort(),
      }),
    );
    return { balance: this.state.balance, grants: grants.sort() };
  }
}
