import { sleepJittered, type Clock } from '#kernel/clock.js';
import { StoreUnavailable, type Position, type RecordedEvent } from '../port/event-store.js';

type Page = readonly RecordedEvent[];
type Limits = { readonly pageEvents: number; readonly recentEvents: number; readonly recentBytes: number };

const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 2_000;

/**
 * The log for all subscriptions of a process. The newest events come by one subscription to the server and are kept for a while;
 * who stands further back reads the log in pages until he has come so far. Who is slow slows nobody.
 */
export class EventStoreDbFeed {
  /** What has come, the oldest first: everything after `#since`, without a gap. */
  #recent: { readonly events: Page; readonly bytes: number }[] = [];
  #recentEvents = 0;
  #recentBytes = 0;
  /** Null while nobody is near the end of the log. */
  #since: Position | null = null;
  #readers = 0;
  #following = new AbortController();
  readonly #waiting = new Set<() => void>();

  constructor(
    private readonly parts: {
      readonly clock: Clock;
      readonly limits: Limits;
      /** At most `limit` events after `after`; empty only at the end of the log. */
      readonly read: (after: Position, limit: number) => Promise<Page>;
      /** Everything after `after` as it comes, until `signal` aborts. Never rejects. */
      readonly follow: (after: Position, signal: AbortSignal) => AsyncIterable<Page>;
    },
  ) {}

  /** All events after `after`, for ever, in batches that subscriptions at the same place share. */
  async *after(after: Position, signal: AbortSignal): AsyncGenerator<Page, void> {
    let position = after;
    let backOff = FIRST_BACK_OFF_MS;
    this.#readers += 1;
    try {
      while (!signal.aborted) {
        const page = this.#recentAfter(position) ?? (await this.#pageAfter(position, signal));
        if (signal.aborted) return;
        if (page !== null && page.length > 0) {
          backOff = FIRST_BACK_OFF_MS;
          position = page.at(-1)?.position ?? position;
          yield page;
        } else if (page !== null && (this.#since ??= this.#follow(position)) <= position) {
          await this.#grown(signal);
        } else {
          await sleepJittered(this.parts.clock, backOff, signal);
          backOff = Math.min(backOff * 2, LONGEST_BACK_OFF_MS);
        }
      }
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) this.#forget();
    }
  }

  /** Null when it is not all here. */
  #recentAfter(position: Position): Page | null {
    if (this.#since === null || position < this.#since) return null;
    let first = this.#recent.length;
    while (first > 0 && (this.#recent[first - 1]?.events.at(-1)?.position ?? '') > position) first -= 1;
    const page = this.#recent[first]?.events ?? [];
    const isWhole = (page[0]?.position ?? '') > position;
    return isWhole ? page : page.filter((event) => event.position > position);
  }

  /** Null when the log cannot be read now, or `signal` aborts. */
  async #pageAfter(position: Position, signal: AbortSignal): Promise<Page | null> {
    let stop = (): void => undefined;
    const aborted = new Promise<null>((resolve) => (stop = (): void => resolve(null)));
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([this.parts.read(position, this.parts.limits.pageEvents), aborted]);
    } catch (error) {
      if (error instanceof StoreUnavailable) return null;
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Begins to bring what comes after `position`, and gives it back. */
  #follow(position: Position): Position {
    this.#following = new AbortController();
    void this.#bring(this.parts.follow(position, this.#following.signal), this.#following.signal);
    return position;
  }

  async #bring(pages: AsyncIterable<Page>, signal: AbortSignal): Promise<void> {
    const { recentEvents, recentBytes } = this.parts.limits;
    for await (const events of pages) {
      if (signal.aborted) return;
      const bytes = events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);
      this.#recent.push({ events, bytes });
      this.#recentEvents += events.length;
      this.#recentBytes += bytes;
      while (this.#recent.length > 1 && (this.#recentEvents > recentEvents || this.#recentBytes > recentBytes)) {
        const oldest = this.#recent.shift();
        this.#recentEvents -= oldest?.events.length ?? 0;
        this.#recentBytes -= oldest?.bytes ?? 0;
        this.#since = oldest?.events.at(-1)?.position ?? this.#since;
      }
      for (const wake of [...this.#waiting]) wake();
    }
  }

  /** Resolves when something has come, or `signal` aborts. */
  #grown(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #forget(): void {
    this.#following.abort();
    this.#since = null;
    this.#recent = [];
    this.#recentEvents = 0;
    this.#recentBytes = 0;
  }
}
