import type { Refused } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import { accountDecider, conservationOf } from '#ledger/account/account.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';
import { DecidedStream } from './decided-stream.js';

/** An account whose books are checked after each command. */
export class LedgerAccount extends DecidedStream<AccountCommand, AccountEvent, AccountState, Refused> {
  constructor(now: Instant) {
    super(accountDecider, now);
  }

  override when(command: AccountCommand, at?: Instant): readonly AccountEvent[] | Refused {
    const decision = super.when(command, at);
    const { violations } = conservationOf(this.state);
    if (violations.length > 0) throw new Error(violations.join('; '));
    return decision;
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
