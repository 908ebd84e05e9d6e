import { setImmediate } from 'node:timers/promises';
import {
  metadataText,
  START,
  type EventStore,
  type Position,
  type RecordedEvent,
} from '#event-store/port/event-store.js';
import { eventsBetween, type SnapshotBound, type SnapshotStore } from '#event-store/port/snapshots.js';
import { assert } from '#kernel/assert.js';
import type { Clock } from '#kernel/clock.js';
import type { Instant } from '#kernel/instant.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { evolveAccount } from '#ledger/account/evolve.js';
import { decodeAccount, encodeAccount, SNAPSHOT_VERSION } from '#ledger/account/snapshot.js';
import { initialAccount, type AccountState } from '#ledger/account/state.js';
import { ledgerCodec } from '#ledger/events.js';
import { AccountLog } from '#projections/balances/account-log.js';
import type { BoundedReads } from '../../reads/bounded-reads.js';
import { withDeadline } from '../../reads/with-deadline.js';

/** Which events of an account count: those with an `at` until then, or none after that place. */
export type PastMoment = { readonly at: Instant } | { readonly position: Position } | { readonly revision: number };

/** All events that there are. */
export const NEWEST = { revision: Number.MAX_SAFE_INTEGER } as const;

/** An account as its events left it. `position`: of the newest one, for an instant the newest recorded by then; START when there is none. */
export type PastAccount = {
  state: AccountState;
  revision: number;
  position: Position;
  /** Of the newest event, also where it is the record of what time had done by then; START when there is none. */
  head: Position;
};

/** Most accounts are short: only a longer one is worth a lookup of a snapshot. */
const FIRST_PAGE = 64;
/** So many events are folded in one turn of the event loop, about two milliseconds: commands are served in between. */
const PAGE = 200;
/** Events that were folded without finding a snapshot are worth one for the next reader. */
const SNAPSHOT_EVERY = 1_000;

/**
 * Accounts of the past, folded from the log. Starts at the newest snapshot that is old enough, and leaves snapshots where there are none,
 * so that a read costs about the same however long the account is. Snapshots are only a help: without them the answer is the same.
 */
export class PastAccounts extends AccountLog {
  constructor(
    private readonly store: EventStore,
    private readonly snapshots: SnapshotStore,
    private readonly clock: Clock,
    private readonly bound: BoundedReads,
  ) {
    super();
  }

  /** The account as of a moment. The state belongs to the caller. Errors: StoreUnavailable, and the problem `overloaded`. */
  override load(stream: StreamName, moment: PastMoment): Promise<PastAccount> {
    return this.bound.run(() => this.#load(stream, moment));
  }

  async #load(stream: StreamName, moment: PastMoment): Promise<PastAccount> {
    const account: PastAccount = { state: initialAccount(stream), revision: -1, position: START, head: START };
    const first = await this.#read(stream, 0, FIRST_PAGE);
    if (!fold(account, first, moment) || first.length < FIRST_PAGE) return account;
    const found = await this.#snapshotBefore(stream, moment);
    await this.#foldRest(stream, found ?? account, moment);
    return found ?? account;
  }

  async #foldRest(stream: StreamName, account: PastAccount, moment: PastMoment): Promise<void> {
    let next = account.revision + SNAPSHOT_EVERY;
    for (;;) {
      const page = await this.#read(stream, account.revision + 1, PAGE);
      if (!fold(account, page, moment) || page.length < PAGE) return;
      if (account.revision >= next) next = account.revision + (await this.#keep(stream, account, page.at(-1)));
      await setImmediate();
    }
  }

  #read(stream: StreamName, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return withDeadline(this.clock, this.store.readStream(stream, from, limit));
  }

  /** The newest snapshot of before the moment that the log has the event of; null when there is none. */
  async #snapshotBefore(stream: StreamName, moment: PastMoment): Promise<PastAccount | null> {
    const snapshot = await this.snapshots.load(stream, SNAPSHOT_VERSION, boundOf(moment)).catch(() => null);
    if (snapshot === null || snapshot.revision < FIRST_PAGE) return null;
    const { revision, head } = snapshot;
    const [event] = await this.#read(stream, revision, 1);
    if (event?.hash !== head.hash) return null;
    return { state: decodeAccount(snapshot.state, stream), revision, position: event.position, head: event.position };
  }

  /** Keeps a snapshot; says after how many events the next is due. */
  async #keep(stream: StreamName, account: PastAccount, newest: RecordedEvent | undefined): Promise<number> {
    if (newest?.revision !== account.revision) return SNAPSHOT_EVERY;
    const state = encodeAccount(account.state);
    const head = { hash: newest.hash, recordedAt: metadataText(newest, 'recordedAt'), position: newest.position };
    await this.snapshots
      .save({ stream, version: SNAPSHOT_VERSION, revision: account.revision, head, state })
      .catch(() => undefined);
    return eventsBetween(state, SNAPSHOT_EVERY);
  }
}

/** An event's `at` is never after the time at which it was recorded. */
const boundOf = (moment: PastMoment): SnapshotBound => ('at' in moment ? { recordedAt: moment.at } : moment);

/** Folds events as far as they count; false when one did not. */
function fold(account: PastAccount, events: readonly RecordedEvent[], moment: PastMoment): boolean {
  for (const recorded of events) {
    if ('position' in moment && recorded.position > moment.position) return false;
    if ('revision' in moment && recorded.revision > moment.revision) return false;
    const event = ledgerCodec.decode(recorded);
    assert(!('undecodable' in event), `event ${recorded.id} cannot be read`);
    const accountEvent = event as AccountEvent;
    if ('at' in moment && accountEvent.at > moment.at) return false;
    account.state = evolveAccount(account.state, accountEvent, recorded.revision);
    account.revision = recorded.revision;
    account.head = recorded.position;
    // What time did by then may be recorded later: it is no news that would change where the answer stands.
    if (!('at' in moment) || metadataText(recorded, 'recordedAt') <= moment.at) account.position = recorded.position;
  }
  return true;
}
