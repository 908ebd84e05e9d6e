import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { eventLine } from '#event-store/port/event-line.js';
import {
  EventStore,
  metadataOf,
  positionOf,
  START,
  type Position,
  type RecordedEvent,
} from '#event-store/port/event-store.js';
import { instantOf, type Instant } from '#kernel/instant.js';
import { isWanted, type EventFilter } from './event-filter.js';
import { EventFinder } from '../reads/event-finder.js';

const pageSize = 1_000;
/** Events that one page may look at. A rare filter then answers with few events, or none, and `hasMore`. */
const maxScanned = 20_000;
/** How far the clocks of the processes that write may be apart. */
const clockSkewMs = 300_000;

/** A page of the log as JSON lines; `nextAfter` goes on behind what was looked at. */
export type LogPage = {
  readonly lines: readonly string[];
  readonly hasMore: boolean;
  readonly nextAfter: Position;
  readonly head: Position;
};

export class ReadLog extends Query<LogPage> {
  constructor(
    readonly after: Position,
    readonly limit: number,
    readonly filter: EventFilter,
  ) {
    super();
  }
}

/** All wanted events up to the head of the log as it is now, in chunks of lines; reads on only as fast as it is consumed. */
export class StreamLog extends Query<AsyncIterable<string>> {
  constructor(
    readonly after: Position,
    readonly limit: number,
    readonly filter: EventFilter,
  ) {
    super();
  }
}

/** One event by its id; null when there is none. */
export class FindEvent extends Query<RecordedEvent | null> {
  constructor(readonly eventId: string) {
    super();
  }
}

/** Batches of the log after a position, or of one stream when the filter names one; empty at the end. */
class LogCursor {
  #revision: number | null = null;

  constructor(
    private readonly store: EventStore,
    private readonly stream: string | null,
    private after: Position,
  ) {}

  async next(limit: number): Promise<readonly RecordedEvent[]> {
    if (this.stream === null) {
      const batch = await this.store.readAll(this.after, limit);
      this.after = batch.at(-1)?.position ?? this.after;
      return batch;
    }
    this.#revision ??= await firstRevisionAfter(this.store, this.stream, this.after);
    const batch = await this.store.readStream(this.stream, this.#revision, limit);
    this.#revision += batch.length;
    return batch;
  }
}

/** Positions grow with revisions, so the place in a long stream is found by halving. */
async function firstRevisionAfter(store: EventStore, stream: string, after: Position): Promise<number> {
  if (after === START) return 0;
  let [low, high] = [0, 1];
  const isAfter = async (revision: number): Promise<boolean> => {
    const [event] = await store.readStream(stream, revision, 1);
    return event === undefined || event.position > after;
  };
  while (!(await isAfter(high))) [low, high] = [high, high * 2];
  if (low === 0 && (await isAfter(0))) return 0;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await isAfter(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/**
 * Where reading from an instant on may start: `after`, or a later place before which everything was recorded earlier. The log
 * is in order of time but for the clocks of those who write, so the place is found by halving, with room for these.
 */
async function startOf(store: EventStore, after: Position, from: Instant | null, head: Position): Promise<Position> {
  if (from === null) return after;
  const bound = instantOf(Date.parse(from) - clockSkewMs);
  const firstEarly = async (place: bigint): Promise<bigint | null> => {
    const [event] = await store.readAll(positionOf(place), 1);
    return event !== undefined && event.position <= head && metadataOf(event).recordedAt < bound
      ? BigInt(event.position)
      : null;
  };
  let [low, high] = [BigInt(after), BigInt(head)];
  low = (await firstEarly(low)) ?? high;
  if (low >= high) return after;
  while (high - low > BigInt(pageSize)) {
    const middle = (low + high) / 2n;
    const early = await firstEarly(middle);
    if (early === null) high = middle;
    else low = early;
  }
  return positionOf(low);
}

const isUnfiltered = ({ types, customerId, from, to }: EventFilter): boolean =>
  types === null && customerId === null && from === null && to === null;

@QueryHandler(ReadLog)
export class ReadLogHandler implements IQueryHandler<ReadLog> {
  constructor(private readonly store: EventStore) {}

  async execute({ after, limit, filter }: ReadLog): Promise<LogPage> {
    const head = await this.store.head();
    const start = await startOf(this.store, after, filter.from, head);
    const cursor = new LogCursor(this.store, filter.stream, start);
    const lines: string[] = [];
    let nextAfter = start;
    for (let scanned = 0; scanned < maxScanned;) {
      const batch = await cursor.next(isUnfiltered(filter) ? Math.min(pageSize, limit + 1) : pageSize);
      if (batch.length === 0) return { lines, hasMore: false, nextAfter, head };
      for (const event of batch) {
        const wanted = isWanted(event, filter);
        if (wanted && lines.length === limit) return { lines, hasMore: true, nextAfter, head };
        if (wanted) lines.push(eventLine(event));
        nextAfter = event.position;
      }
      scanned += batch.length;
    }
    return { lines, hasMore: true, nextAfter, head };
  }
}

@QueryHandler(StreamLog)
export class StreamLogHandler implements IQueryHandler<StreamLog> {
  constructor(private readonly store: EventStore) {}

  async execute({ after, limit, filter }: StreamLog): Promise<AsyncIterable<string>> {
    const head = await this.store.head();
    return this.#chunks(await startOf(this.store, after, filter.from, head), limit, filter, head);
  }

  async *#chunks(after: Position, limit: number, filter: EventFilter, head: Position): AsyncIterable<string> {
    const cursor = new LogCursor(this.store, filter.stream, after);
    for (let left = limit; left > 0;) {
      const batch = await cursor.next(pageSize);
      const inRange = batch.filter(({ position }) => position <= head);
      const wanted = inRange.filter((event) => isWanted(event, filter)).slice(0, left);
      left -= wanted.length;
      if (wanted.length > 0) yield `${wanted.map(eventLine).join('\n')}\n`;
      if (inRange.length === 0 || inRange.length < batch.length) return;
    }
  }
}

@QueryHandler(FindEvent)
export class FindEventHandler implements IQueryHandler<FindEvent> {
  constructor(private readonly finder: EventFinder) {}

  execute({ eventId }: FindEvent): Promise<RecordedEvent | null> {
    return this.finder.find(eventId);
  }
}
