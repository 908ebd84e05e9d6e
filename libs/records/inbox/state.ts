import type { Position } from '#event-store/port/event-store.js';
import type { OwnerSince } from '#ledger/stripe/customer-owner.js';
import type { ParkReason } from '#ledger/stripe/event.js';

/** What a batch of the log changes in what the inbox remembers. */
export type InboxChange = {
  /** The checkpoint that the batch was read after. */
  readonly from: Position;
  readonly to: Position;
  /** Whose Stripe customers are and were, in the place of what was known. */
  readonly links: ReadonlyMap<string, readonly OwnerSince[]>;
  /** Stripe events that are parked now, with the reason; null for those that are not any more. */
  readonly parked: ReadonlyMap<string, ParkReason | null>;
};

/**
 * What the inbox remembers between batches: how far it has read, which Stripe customer is whose, which Stripe events are
 * parked. All of it follows from the log in order, so it can be lost and made again.
 */
export abstract class InboxState {
  abstract checkpoint(): Promise<Position>;
  /** Whose those of the Stripe customers are and were that anybody is the owner of. */
  abstract ownersOf(stripeCustomerIds: readonly string[]): Promise<ReadonlyMap<string, readonly OwnerSince[]>>;
  /** At most `limit` Stripe events after `after` (an id) that are parked for this reason and one of the subjects, in order of their ids. */
  abstract waitingForSubjects(
    code: ParkReason['code'],
    subjects: readonly string[],
    after: string,
    limit: number,
  ): Promise<readonly string[]>;
  /** At most `limit` Stripe events after `after` (an id) that are parked for this reason, in order of their ids. */
  abstract waitingFor(code: ParkReason['code'], after: string, limit: number): Promise<readonly string[]>;
  /** At most `limit` Stripe events after `after` (an id) that are parked for whatever reason, in order of their ids. */
  abstract waitingForAny(after: string, limit: number): Promise<readonly string[]>;
  /** Remembers all of the change or nothing. Throws CheckpointMoved when the checkpoint is not `from`. */
  abstract commit(change: InboxChange): Promise<void>;
}
