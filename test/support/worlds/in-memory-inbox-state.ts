import { START, type Position } from '#event-store/port/event-store.js';
import type { OwnerSince } from '#ledger/stripe/customer-owner.js';
import type { ParkReason } from '#ledger/stripe/event.js';
import { CheckpointMoved } from '#consuming/checkpoint.js';
import { InboxState, type InboxChange } from '#records/inbox/state.js';

/** The inbox's memory without a database. */
export class InMemoryInboxState extends InboxState {
  position: Position = START;
  readonly links = new Map<string, readonly OwnerSince[]>();
  readonly parked = new Map<string, ParkReason>();

  override checkpoint(): Promise<Position> {
    return Promise.resolve(this.position);
  }

  override ownersOf(stripeCustomerIds: readonly string[]): Promise<ReadonlyMap<string, readonly OwnerSince[]>> {
    return Promise.resolve(new Map([...this.links].filter(([id]) => stripeCustomerIds.includes(id))));
  }

  override waitingForSubjects(
    wanted: ParkReason['code'],
    subjects: readonly string[],
    after: string,
    limit: number,
  ): Promise<readonly string[]> {
    return this.#waiting(after, limit, ({ code, subject }) => code === wanted && subjects.includes(subject ?? ''));
  }

  override waitingFor(wanted: ParkReason['code'], after: string, limit: number): Promise<readonly string[]> {
    return this.#waiting(after, limit, ({ code }) => code === wanted);
  }

  override waitingForAny(after: string, limit: number): Promise<readonly string[]> {
    return this.#waiting(after, limit, () => true);
  }

  #waiting(after: string, limit: number, waits: (reason: ParkReason) => boolean): Promise<readonly string[]> {
    const ids = [...this.parked].filter(([id, reason]) => id > after && waits(reason)).map(([id]) => id);
    return Promise.resolve(ids.sort().slice(0, limit));
  }

  override commit({ from, to, links, parked }: InboxChange): Promise<void> {
    if (from !== this.position) return Promise.reject(new CheckpointMoved('inbox'));
    this.position = to;
    for (const [id, owners] of links) this.links.set(id, owners);
    for (const [id, reason] of parked) {
      if (reason === null) this.parked.delete(id);
      else this.parked.set(id, reason);
    }
    return Promise.resolve();
  }
}
