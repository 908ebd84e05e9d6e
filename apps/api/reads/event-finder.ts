import { EventStore, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import type { KeyIndex } from '#event-store/port/key-index.js';
import type { Clock } from '#kernel/clock.js';
import { Problem } from '../http/problem.js';

const waitMs = 2_000;
const pollMs = 50;

/** Finds events by their ids: in the store where it knows every id, else in the index beside it, which lags behind the log. */
export class EventFinder {
  constructor(
    private readonly store: EventStore,
    /** Null with a store that knows every id. */
    private readonly index: KeyIndex | null,
    private readonly clock: Clock,
  ) {}

  /**
   * The event with this id; null when the log has none. Ends the request with `projection_behind` when that cannot be told,
   * because the index does not reach the log's present end within two seconds. Errors: StoreUnavailable.
   */
  async find(eventId: string): Promise<RecordedEvent | null> {
    const place =
      this.index === null
        ? (await this.store.locate([eventId])).get(eventId)
        : await this.#inIndex(this.index, eventId, await this.store.head());
    if (place === undefined) return null;
    return (await this.store.readStream(place.stream, place.revision, 1))[0] ?? null;
  }

  async #inIndex(index: KeyIndex, eventId: string, head: Position) {
    for (const until = this.clock.now() + waitMs; ; await this.clock.sleep(pollMs)) {
      const { places, through } = await index.locate([eventId]);
      const place = places.get(eventId);
      if (place !== undefined || through >= head) return place;
      if (this.clock.now() >= until) throw new Problem('projection_behind');
    }
  }
}
