import { EventStore, metadataText, START, type Position } from '#event-store/port/event-store.js';
import { Injectable } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { instantOf, later, msOf, type Instant } from '#kernel/instant.js';
import { accountStream, customerStream, type StreamName } from '#kernel/stream-name.js';
import { balanceAt, type AccountBalance } from '#projections/balances/queries.js';
import { withDeadline } from '../../reads/with-deadline.js';
import { AccountWriter } from '../../writes/ledger-writers.js';
import { NEWEST, PastAccounts, type PastAccount } from './past-accounts.js';

/** The moment in the past that a balance is asked for. */
export type PastMoment = { readonly at: Instant } | { readonly position: Position };

/** An account, and the instant until which time has passed in it. */
export type AccountAt = { readonly account: PastAccount; readonly now: Instant };

/**
 * Balances of the past, from the log alone: what was recorded by then, with an `at` until then, and what time has done by then. Such
 * an answer never changes, so it waits for what is being recorded with the same instant.
 */
@Injectable()
export class BalanceHistory {
  constructor(
    private readonly store: EventStore,
    private readonly accounts: PastAccounts,
    private readonly writer: AccountWriter,
    private readonly clock: Clock,
  ) {}

  /** Null when nothing was ever heard of the customer. Errors: StoreUnavailable, and the problem `overloaded`. */
  async balanceAt(customerId: string, unit: string, moment: PastMoment): Promise<AccountBalance | null> {
    const found = await this.accountAt(customerId, unit, moment);
    return found === null ? null : balanceAt(found.account, found.now, found.account.position);
  }

  /** The account as it is, and the present instant; null and errors as above. */
  async accountNow(customerId: string, unit: string): Promise<AccountAt | null> {
    const stream = accountStream(customerId, unit);
    const account = await this.accounts.load(stream, NEWEST);
    if (account.position === START && !(await this.#isKnown(stream, customerId))) return null;
    return { account, now: later(instantOf(this.clock.now()), account.state.lastAt) };
  }

  /** The account and the instant until which time has passed in it; null and errors as above. */
  async accountAt(customerId: string, unit: string, moment: PastMoment): Promise<AccountAt | null> {
    const stream = accountStream(customerId, unit);
    if ('at' in moment) await this.#over(stream, moment.at);
    const account = await this.accounts.load(stream, moment);
    if (account.position === START && !(await this.#isKnown(stream, customerId))) return null;
    const now = 'at' in moment ? moment.at : account.state.lastAt || (await this.#timeOf(moment.position));
    return { account, now };
  }

  /** Waits until an instant that is the present one is past, and what this process decided by then is recorded. */
  async #over(stream: StreamName, at: Instant): Promise<void> {
    const now = this.clock.now();
    if (msOf(at) === now) await this.clock.sleep(1);
    if (msOf(at) <= now) await withDeadline(this.clock, this.writer.settled(stream));
  }

  /** When the event at a position was recorded, or the first of all before that; now, when there is none. */
  async #timeOf(position: Position): Promise<Instant> {
    const before = position === START ? START : String(BigInt(position) - 1n).padStart(START.length, '0');
    const [event] = await withDeadline(this.clock, this.store.readAll(before, 1));
    return event === undefined ? instantOf(this.clock.now()) : metadataText(event, 'recordedAt');
  }

  async #isKnown(stream: StreamName, customerId: string): Promise<boolean> {
    const first = await Promise.all(
      [stream, customerStream(customerId)].map((name) => withDeadline(this.clock, this.store.readStream(name, 0, 1))),
    );
    return first.some((events) => events.length > 0);
  }
}
