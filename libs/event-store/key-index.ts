import type { EventPlace, Position } from './event-store.js';

/**
 * Finds old command keys where the log itself does not know every event id: an index outside the log that follows it.
 * Used only with stores whose `knowsEveryId` is false.
 */
export abstract class KeyIndex {
  /**
   * Where events with these ids stand, as far as the index has followed the log; `through` is the position up to which the
   * answer is complete. Errors: StoreUnavailable.
   */
  abstract locate(eventIds: readonly string[]): Promise<{ places: ReadonlyMap<string, EventPlace>; through: Position }>;
}
