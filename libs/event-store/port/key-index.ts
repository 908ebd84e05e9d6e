import type { EventPlace, Position } from './event-store.js';

/**
 * Where events stand, at least the first of every command, kept beside a store that does not know every event id. It lags behind the
 * log: `through` says up to which position it is complete.
 */
export abstract class KeyIndex {
  /** Errors: StoreUnavailable. */
  abstract locate(
    eventIds: readonly string[],
  ): Promise<{ readonly places: ReadonlyMap<string, EventPlace>; readonly through: Position }>;
}
