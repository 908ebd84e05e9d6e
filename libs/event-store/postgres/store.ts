import { assert } from '#kernel/assert.js';
import { sleepJittered, type Clock } from '#kernel/clock.js';
import type { StreamName } from '#kernel/stream-name.js';
import {
  EventStore,
  NO_STREAM,
  OutcomeUnknown,
  StoreUnavailable,
  positionOf,
  textBytesOf,
  type AppendRequest,
  type AppendResult,
  type EncodedEvent,
  type EventPlace,
  type Position,
  type RecordedEvent,
} from '../port/event-store.js';
import { PostgresReader } from './reader.js';
import { migrateEventStore } from './schema.js';
import { PostgresSessions } from './session.js';
import { LogTail } from './tail.js';
import { PostgresWriter, type WriterLimits } from './writer.js';

/** The bounds of one process's store. */
export type PostgresLimits = WriterLimits & {
  readonly readConnections: number;
  readonly readMs: number;
  /** Events of a subscription's page, and bytes of any page. */
  readonly pageEvents: number;
  readonly pageBytes: number;
  /** Bytes of one append. */
  readonly appendBytes: number;
};

const defaultLimits: PostgresLimits = {
  flushEvents: 1_000,
  flushBytes: 4 * 1024 * 1024,
  queueEvents: 20_000,
  queueBytes: 64 * 1024 * 1024,
  appendBytes: 16 * 1024 * 1024,
  deadlineMs: 5_000,
  connectMs: 2_000,
  readConnections: 4,
  readMs: 10_000,
  pageEvents: 2_000,
  pageBytes: 8 * 1024 * 1024,
};

const firstBackOffMs = 50;
const maxBackOffMs = 2_000;
const hashDigits = 64;
const idCharacters = 36;

/** The log in PostgreSQL, in schema `scrip_log`. Any number of processes may write at once. */
export class PostgresEventStore extends EventStore {
  override readonly knowsEveryId = true;
  override readonly maxAppendBytes: number;
  readonly #limits: PostgresLimits;
  readonly #writer: PostgresWriter;
  readonly #sessions: PostgresSessions;
  readonly #reader: PostgresReader;
  readonly #tail: LogTail;
  readonly #closed = new AbortController();

  constructor(
    private readonly url: string,
    private readonly clock: Clock,
    limits: Partial<PostgresLimits> = {},
  ) {
    super();
    this.#limits = { ...defaultLimits, ...limits };
    this.maxAppendBytes = this.#limits.appendBytes;
    const { readConnections: connections, readMs: deadlineMs, connectMs } = this.#limits;
    this.#sessions = new PostgresSessions(
      url,
      clock,
      { connections, deadlineMs, connectMs },
      { name: 'scrip-log-reader' },
    );
    this.#reader = new PostgresReader(this.#sessions);
    this.#tail = new LogTail(clock, () => this.#reader.head());
    this.#writer = new PostgresWriter(url, clock, this.#limits, (head) => {
      this.#tail.advance(head);
    });
  }

  /** Makes or updates the schema. Errors: StoreUnavailable, and those of the statements themselves. */
  async migrate(): Promise<void> {
    await migrateEventStore(this.url);
    await this.#sessions.prove();
  }

  override async append(request: AppendRequest): Promise<AppendResult> {
    this.#check(request);
    const flushed = await this.#writer.append(request);
    if (flushed.kind === 'rejected') return this.#reasonOfRejection(request);
    return { kind: 'appended', position: positionOf(flushed.first + request.events.length - 1) };
  }

  override sizeOf(event: EncodedEvent): number {
    return textBytesOf(event);
  }

  override async locate(eventIds: readonly string[]): Promise<ReadonlyMap<string, EventPlace>> {
    const places = await this.#reader.places(eventIds);
    return new Map(places.map(({ id, stream, revision }) => [id, { stream, revision }]));
  }

  override readStream(stream: StreamName, fromRevision: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#reader.stream(stream, fromRevision, limit);
  }

  override readAll(after: Position, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#reader.page(Number(after), limit, this.#limits.pageBytes);
  }

  override async *subscribe(after: Position, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]> {
    const ended = AbortSignal.any([signal, this.#closed.signal]);
    let from = Number(after);
    let backOff = firstBackOffMs;
    while (!ended.aborted) {
      let page: readonly RecordedEvent[];
      try {
        page = await this.#reader.page(from, this.#limits.pageEvents, this.#limits.pageBytes);
        backOff = firstBackOffMs;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        await sleepJittered(this.clock, backOff, ended);
        backOff = Math.min(backOff * 2, maxBackOffMs);
        continue;
      }
      if (page.length === 0) {
        await this.#tail.grownBeyond(from, ended);
      } else if (!ended.aborted) {
        assert(page[0]?.position === positionOf(from + 1), `the log has a gap after position ${from}`);
        from += page.length;
        yield page;
      }
    }
  }

  override async head(): Promise<Position> {
    return positionOf(await this.#reader.head());
  }

  override async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#tail.close();
    await this.#writer.close();
    await this.#sessions.close();
  }

  #check({ stream, expectedRevision, events }: AppendRequest): void {
    assert(events.length > 0, 'an append has at least one event');
    assert(expectedRevision >= NO_STREAM, 'an append expects an exact revision');
    let size = 0;
    for (const event of events) {
      const { id, hash, prevHash } = event;
      const wellFormed = id.length === idCharacters && hash.length === hashDigits && prevHash.length === hashDigits;
      assert(wellFormed, `malformed id or hash in ${stream}`);
      size += this.sizeOf(event);
    }
    assert(size <= this.maxAppendBytes, `an append of ${size} bytes is too large`);
  }

  /** Why the writer did not store it: done before, done elsewhere, or the stream stands at another revision. */
  async #reasonOfRejection({ stream, expectedRevision, events }: AppendRequest): Promise<AppendResult> {
    try {
      const places = await this.#reader.places(events.map(({ id }) => id));
      const found = new Map(places.map((place) => [place.id, place]));
      const atPlace = events.map(({ id }, index) => {
        const place = found.get(id);
        return place?.stream === stream && place.revision === expectedRevision + 1 + index ? place : undefined;
      });
      if (atPlace.every((place, index) => place?.hash === events[index]?.hash)) {
        return { kind: 'appended', position: positionOf(Number(atPlace.at(-1)?.position)) };
      }
      const elsewhere = events.filter(({ id }, index) => found.has(id) && atPlace[index] === undefined);
      if (elsewhere.length > 0) return { kind: 'duplicate', eventIds: elsewhere.map(({ id }) => id) };
      return { kind: 'conflict', actualRevision: await this.#reader.revision(stream) };
    } catch (cause) {
      throw new OutcomeUnknown('not stored now; whether it was before could not be read', { cause });
    }
  }
}
