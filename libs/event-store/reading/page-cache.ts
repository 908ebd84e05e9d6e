import type { RecordedEvent } from '../port/event-store.js';

const bytesBesides = 600; // of an event's objects and short texts in memory

type Page = { readonly events: readonly RecordedEvent[]; readonly bytes: number };

/**
 * Pages of the log that one process reads several times: eight projections that read the same range fetch and decode it
 * once. The log only grows at its end and events never change, so a full page stays right for ever; a page that reaches the end
 * of the log is shared only by those who ask while it is being read.
 */
export class PageCache {
  readonly #full = new Map<string, Page>();
  readonly #reading = new Map<string, Promise<readonly RecordedEvent[]>>();
  #bytes = 0;

  constructor(
    private readonly read: (after: number, limit: number) => Promise<readonly RecordedEvent[]>,
    private readonly maxBytes: number,
  ) {}

  /**
   * The events after `after`, at most `limit`, empty only at the end of the log. `fresh`: it holds everything that was stored
   * before the call; `shared`: it may miss the newest for a moment.
   */
  async get(after: number, limit: number, wanted: 'fresh' | 'shared'): Promise<readonly RecordedEvent[]> {
    const key = `${after}:${limit}`;
    const known = this.#full.get(key);
    if (known !== undefined) {
      this.#full.delete(key); // the newest used stands last
      this.#full.set(key, known);
      return known.events;
    }
    const shared = this.#reading.get(key);
    if (shared !== undefined) {
      const events = await shared;
      if (wanted === 'shared' || events.length === limit) return events;
    }
    const reading = this.read(after, limit);
    this.#reading.set(key, reading);
    try {
      const events = await reading;
      if (events.length === limit) this.#keep(key, events);
      return events;
    } finally {
      if (this.#reading.get(key) === reading) this.#reading.delete(key);
    }
  }

  #keep(key: string, events: readonly RecordedEvent[]): void {
    if (this.#full.has(key)) return;
    const bytes = events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length + bytesBesides, 0);
    this.#full.set(key, { events, bytes });
    this.#bytes += bytes;
    for (const [oldest, page] of this.#full) {
      if (this.#bytes <= this.maxBytes) break;
      this.#full.delete(oldest);
      this.#bytes -= page.bytes;
    }
  }
}
