import { assert } from '#kernel/assert.js';
import type { StreamName } from '#kernel/stream-name.js';
import { START, type EventStore, type Position } from '../port/event-store.js';
import type { KeyIndex } from '../port/key-index.js';
import type { LoadedStream } from './stream-loader.js';

const WINDOW = 500;

/**
 * Finds commands older than the keys that a loaded stream remembers, where the store does not know every event id. Exact
 * whatever the index lags: it is trusted for what it has passed, and the stream itself is read back to there.
 */
export class KeyLookup {
  readonly #store: EventStore;
  readonly #index: KeyIndex | null;
  /** Up to where the index was complete when it was last asked. */
  #through: Position = START;
  #asking = false;

  constructor(store: EventStore, index: KeyIndex | null) {
    assert(store.knowsEveryId || index !== null, 'a store that does not know every event id needs a key index');
    this.#store = store;
    this.#index = index;
  }

  /** Adds to `found` the revision of each of the ids that the stream has before the remembered keys. */
  async find<State>(
    stream: StreamName,
    loaded: LoadedStream<State>,
    eventIds: readonly string[],
    found: Map<string, number>,
  ): Promise<void> {
    if (eventIds.length === 0 || this.#index === null) return;
    const { places, through } = await this.#index.locate(eventIds);
    this.#through = through;
    for (const [id, place] of places) if (place.stream === stream) found.set(id, place.revision);
    if (through >= loaded.keysFrom.position) return;
    const wanted = new Set(eventIds);
    for (let end = loaded.keysFrom.revision; end > 0;) {
      const start = Math.max(0, end - WINDOW);
      const events = await this.#store.readStream(stream, start, end - start);
      for (const event of events) if (wanted.has(event.id)) found.set(event.id, event.revision);
      const [first] = events;
      if (first === undefined || first.position <= through) return;
      end = start;
    }
  }

  /**
   * Whether what stands at `position` can be left to the index and the store: as it was when last asked. If not, the index is
   * asked again, for the next time.
   */
  canFind(position: Position): boolean {
    if (this.#index === null || position <= this.#through) return true;
    if (!this.#asking) void this.#ask(this.#index);
    return false;
  }

  async #ask(index: KeyIndex): Promise<void> {
    this.#asking = true;
    try {
      this.#through = (await index.locate([])).through;
    } catch {
      // Keys are kept in memory meanwhile.
    } finally {
      this.#asking = false;
    }
  }
}
