import type { Clock } from '#kernel/clock.js';
import { START, type EventStore, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import { projected, type Decode, type ProjectedEvent } from './projection.js';

/** What the group keeps of the log: so far may one member be ahead of another. One page more is being read. */
const KEPT_EVENTS = 8_000;
const KEPT_BYTES = 32 * 1024 * 1024;
/** Smaller pages are those of the log's end, where nobody waits for anybody. */
const LARGE_PAGE = 500;
/** Who takes no page for so long is not waited for. */
const PATIENCE_MS = 1_000;
const PAUSE_MS = 4;

type Events<Event> = readonly ProjectedEvent<Event>[];
type Page<Event> = { readonly events: Events<Event>; readonly end: Position; readonly bytes: number };
/** `position`: of the newest event that it has taken. */
type Member = { position: Position; takenAt: number };
type Reader = {
  readonly pages: AsyncIterator<readonly RecordedEvent[]>;
  readonly ending: AbortController;
  /** The page under way; false when the log gives no more. */
  reading: Promise<boolean> | null;
};

type Parts<Event> = {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly decode: Decode<Event>;
};

/**
 * Reads the log once for all projections of a process: each page is fetched and decoded once and handed to every member. The newest
 * pages are kept, bounded; while the log is caught up with, the fast wait for the slow so that these find their pages there. Who takes
 * longer than a second for a page leaves the group, reads the log alone, and joins again where the group keeps what comes next.
 */
export class ReaderGroup<Event> {
  readonly #parts: Parts<Event>;
  readonly #members = new Set<Member>();
  #followers = 0;
  #reader: Reader | null = null;
  /** All events after `#start` up to `#end`, the oldest page first. */
  #pages: Page<Event>[] = [];
  #start: Position = START;
  #end: Position = START;

  constructor(parts: Parts<Event>) {
    this.#parts = parts;
  }

  /**
   * All events after `after`, in log order, in non-empty batches, then the new ones as they come, until `signal` aborts. Throws what
   * the store's subscription throws.
   */
  async *follow(after: Position, signal: AbortSignal): AsyncGenerator<Events<Event>, void> {
    const member: Member = { position: after, takenAt: this.#parts.clock.now() };
    this.#followers += 1;
    try {
      while (!signal.aborted) {
        // Who is ahead of all others is not held up by them: the group goes on from there.
        const reader =
          this.#reader === null || member.position > this.#end ? this.#begin(member.position) : this.#reader;
        if (member.position < this.#start) {
          yield* this.#alone(member, signal);
          if (member.position < this.#start) return;
          continue;
        }
        this.#members.add(member);
        const page = this.#after(member.position);
        if (page === null) {
          if (!(await unlessAborted(signal, this.#read(reader)))) return;
          continue;
        }
        take(member, page, this.#parts.clock);
        yield page;
      }
    } finally {
      this.#members.delete(member);
      this.#followers -= 1;
      if (this.#followers === 0) this.#close();
    }
  }

  /** Reads by itself up to where the group keeps what comes next, no further. Ends early where the log gives no more. */
  async *#alone(member: Member, signal: AbortSignal): AsyncGenerator<Events<Event>, void> {
    this.#members.delete(member);
    const { store, clock, decode } = this.#parts;
    const ending = new AbortController();
    try {
      for await (const recorded of store.subscribe(member.position, AbortSignal.any([signal, ending.signal]))) {
        const reached = (recorded.at(-1)?.position ?? START) >= this.#end;
        const rest = reached ? recorded.filter(({ position }) => position <= this.#end) : recorded;
        const page = projected(rest, decode);
        take(member, page, clock);
        if (reached) member.position = this.#end;
        if (page.length > 0) yield page;
        if (member.position >= this.#start) return;
      }
    } finally {
      ending.abort();
    }
  }

  /** What is kept of the events after `position`, up to the end of a page; null when that is all. */
  #after(position: Position): Events<Event> | null {
    const page = this.#pages.find(({ end }) => end > position);
    if (page === undefined) return null;
    const isWhole = (page.events[0]?.recorded.position ?? START) > position;
    return isWhole ? page.events : page.events.filter(({ recorded }) => recorded.position > position);
  }

  #begin(position: Position): Reader {
    this.#close();
    this.#start = position;
    this.#end = position;
    const ending = new AbortController();
    const pages = this.#parts.store.subscribe(position, ending.signal)[Symbol.asyncIterator]();
    this.#reader = { pages, ending, reading: null };
    return this.#reader;
  }

  #close(): void {
    this.#reader?.ending.abort();
    this.#reader?.pages.return?.().catch(() => undefined); // only once the page under way is there
    this.#reader = null;
    this.#pages = [];
  }

  /** The next page, read once for all who ask for it. False when the log gives no more. */
  #read(reader: Reader): Promise<boolean> {
    reader.reading ??= this.#readPage(reader).finally(() => {
      reader.reading = null;
    });
    return reader.reading;
  }

  async #readPage(reader: Reader): Promise<boolean> {
    try {
      await this.#makeRoom(reader);
      const { value, done } = await reader.pages.next();
      if (this.#reader !== reader) return true;
      if (done !== true) this.#keep(value);
      else this.#close();
      return done !== true;
    } catch (error) {
      if (this.#reader === reader) this.#close();
      throw error;
    }
  }

  #keep(recorded: readonly RecordedEvent[]): void {
    const end = recorded.at(-1)?.position ?? this.#end;
    const bytes = recorded.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);
    this.#pages.push({ events: projected(recorded, this.#parts.decode), end, bytes });
    this.#end = end;
  }

  /** Lets the oldest pages go that are too many, once whoever goes on has taken them. */
  async #makeRoom(reader: Reader): Promise<void> {
    const { clock } = this.#parts;
    const patience = (this.#pages.at(-1)?.events.length ?? 0) < LARGE_PAGE ? 0 : PATIENCE_MS;
    while (this.#reader === reader && this.#isFull()) {
      const [oldest] = this.#pages;
      const end = oldest?.end ?? START;
      const isAwaited = ({ position, takenAt }: Member): boolean => position < end && clock.now() - takenAt < patience;
      if ([...this.#members].some(isAwaited)) {
        await clock.sleep(PAUSE_MS, reader.ending.signal);
      } else {
        this.#pages.shift();
        this.#start = end;
      }
    }
  }

  #isFull(): boolean {
    const sum = { events: 0, bytes: 0 };
    for (const { events, bytes } of this.#pages) {
      sum.events += events.length;
      sum.bytes += bytes;
    }
    return sum.events > KEPT_EVENTS || (sum.bytes > KEPT_BYTES && this.#pages.length > 1);
  }
}

function take<Event>(member: Member, page: Events<Event>, clock: Clock): void {
  member.position = page.at(-1)?.recorded.position ?? member.position;
  member.takenAt = clock.now();
}

/** The outcome of `work`, or true as soon as `signal` aborts. */
async function unlessAborted(signal: AbortSignal, work: Promise<boolean>): Promise<boolean> {
  let stop = (): void => undefined;
  const aborted = new Promise<boolean>((resolve) => (stop = (): void => resolve(true)));
  work.catch(() => undefined); // its failure is told to whoever still waits
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
