import { assert } from '#kernel/assert.js';
import type { Clock } from '#kernel/clock.js';
import type { StreamName } from '#kernel/stream-name.js';
import {
  EventStore,
  NO_STREAM,
  OutcomeUnknown,
  START,
  StoreUnavailable,
  type AppendRequest,
  type AppendResult,
  type EncodedEvent,
  type EventPlace,
  type Position,
  type RecordedEvent,
} from '../port/event-store.js';
import { EventStoreDbAppends } from './appends.js';
import { connectionTo, type EventStoreDbConnection } from './connection.js';
import { proposalBytesOf } from './metadata.js';
import { EventStoreDbReads } from './reads.js';
import { EventStoreDbSubscription } from './subscription.js';

export type EventStoreDbLimits = {
  /** An append is answered within this time, plus `settleDeadlineMs` when the first answer left it open. */
  readonly appendDeadlineMs: number;
  readonly settleDeadlineMs: number;
  readonly readDeadlineMs: number;
  /** A subscription that brings nothing for this long asks whether the log went on without it. */
  readonly silenceMs: number;
  readonly maxPendingAppends: number;
  readonly maxPendingBytes: number;
  /** Below the server's own limit (`MaxAppendSize`, 1 MiB unless it is configured). */
  readonly maxAppendBytes: number;
  /** What a subscription holds of events that its consumer has not taken; full, it lets the server wait. */
  readonly maxBufferedEvents: number;
  readonly maxBufferedBytes: number;
};

const defaultLimits: EventStoreDbLimits = {
  appendDeadlineMs: 5_000,
  settleDeadlineMs: 1_000,
  readDeadlineMs: 10_000,
  silenceMs: 5_000,
  maxPendingAppends: 4_096,
  maxPendingBytes: 64 * 1024 * 1024,
  maxAppendBytes: 1_000_000,
  maxBufferedEvents: 2_000,
  maxBufferedBytes: 8 * 1024 * 1024,
};

const MAX_UNSETTLED = 10_000;

/**
 * The log in EventStoreDB 22.10 or newer, by the public methods of its client.
 *
 * - Revisions are always exact, and the server's event id is made from the event's hash. So the server recognises a repetition
 *   exactly when it is the identical append, for ever; anything else is a conflict.
 * - An append whose fate is open (no answer, an error that does not exclude it) is searched for by reading, at once or
 *   when it is repeated: the server ignores a repetition while the first try is under way.
 * - Positions are commit positions in `$all`.
 * - Any number of stores may live in one process.
 */
export class EventStoreDbEventStore extends EventStore {
  /** The server finds an id only at the revision where it is repeated. */
  override readonly knowsEveryId = false;
  override readonly maxAppendBytes: number;
  readonly #limits: EventStoreDbLimits;
  readonly #connection: EventStoreDbConnection;
  readonly #appends: EventStoreDbAppends;
  readonly #reads: EventStoreDbReads;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  /** Appends that were left open: what is repeated of them is first looked for. The oldest are forgotten. */
  readonly #unsettled = new Set<string>();

  /** `url`: see `connectionTo`, which throws. Connects when first used. */
  constructor(url: string, clock: Clock, limits: Partial<EventStoreDbLimits> = {}) {
    super();
    this.#limits = { ...defaultLimits, ...limits };
    this.maxAppendBytes = this.#limits.maxAppendBytes;
    this.#connection = connectionTo(url);
    this.#appends = new EventStoreDbAppends(this.#connection, clock, this.#limits);
    this.#reads = new EventStoreDbReads(this.#connection, clock, this.#limits);
    this.#clock = clock;
  }

  override async append(request: AppendRequest): Promise<AppendResult> {
    const { events, expectedRevision } = request;
    assert(events.length > 0, 'an append has events');
    this.#assertOpen();
    const open = this.#unsettled.has(identityOf(request));
    const known = open ? await this.#find(request) : null;
    if (known) return known;
    const answer = await this.#appends.append(request).catch((error: unknown) => {
      throw open ? this.#leftOpen(request, 'an earlier try, and no room for another') : error;
    });
    switch (answer.kind) {
      case 'refused':
        if (open) throw this.#leftOpen(request, `an earlier try; this one: ${answer.why}`);
        throw new StoreUnavailable(`EventStoreDB did not take the append: ${answer.why}`);
      case 'conflict':
        if (answer.actualRevision !== expectedRevision) return this.#settled(request, answer);
        return this.#lookFor(request, 'a conflict that is none');
      case 'unknown':
        return this.#lookFor(request, answer.why);
      case 'silent':
        throw this.#leftOpen(request, 'no answer in time');
      case 'stored': {
        const { revision, position } = answer;
        if (revision !== expectedRevision + events.length || position === null)
          return this.#lookFor(request, 'stored, but not to be found');
        return this.#settled(request, { kind: 'appended', position });
      }
    }
  }

  override sizeOf(event: EncodedEvent): number {
    return proposalBytesOf(event);
  }

  /** Nothing: the server has no index of ids. */
  override locate(): Promise<ReadonlyMap<string, EventPlace>> {
    return Promise.resolve(new Map());
  }

  override async readStream(
    stream: StreamName,
    fromRevision: number,
    limit: number,
  ): Promise<readonly RecordedEvent[]> {
    this.#assertOpen();
    return this.#reads.readStream(stream, fromRevision, limit);
  }

  override async readAll(after: Position, limit: number): Promise<readonly RecordedEvent[]> {
    this.#assertOpen();
    return this.#reads.readAll(after, limit);
  }

  override async head(): Promise<Position> {
    this.#assertOpen();
    return (await this.#reads.newest())?.position ?? START;
  }

  override subscribe(after: Position, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]> {
    const parts = {
      connection: this.#connection,
      clock: this.#clock,
      limits: this.#limits,
      head: () => this.head(),
    };
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    return new EventStoreDbSubscription(parts, after, ended).batches();
  }

  override async close(): Promise<void> {
    this.#closing.abort();
    await this.#appends.settled();
    await this.#connection.client.dispose();
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw new StoreUnavailable('the event store is closed');
  }

  /** Reads what became of an append; OutcomeUnknown when that cannot be seen now. */
  async #lookFor(request: AppendRequest, why: string): Promise<AppendResult> {
    const found = await this.#find(request);
    if (found) return found;
    throw this.#leftOpen(request, why);
  }

  /** The result of an append that is in the stream, or that another has made impossible; null when it may still come. */
  async #find(request: AppendRequest): Promise<AppendResult | null> {
    const { stream, expectedRevision, events } = request;
    try {
      const stored = await this.#reads.readStream(
        stream,
        expectedRevision + 1,
        events.length,
        this.#limits.settleDeadlineMs,
      );
      const last = stored.at(-1);
      if (last === undefined) return null;
      if (events.every((event, index) => event.hash === stored[index]?.hash))
        return this.#settled(request, { kind: 'appended', position: last.position });
      const newest = await this.#reads.newestOf(stream);
      return this.#settled(request, { kind: 'conflict', actualRevision: newest?.revision ?? NO_STREAM });
    } catch {
      throw this.#leftOpen(request, 'the stream cannot be read');
    }
  }

  #settled(request: AppendRequest, result: AppendResult): AppendResult {
    this.#unsettled.delete(identityOf(request));
    return result;
  }

  #leftOpen(request: AppendRequest, why: string): OutcomeUnknown {
    const [oldest] = this.#unsettled;
    if (oldest !== undefined && this.#unsettled.size >= MAX_UNSETTLED) this.#unsettled.delete(oldest);
    this.#unsettled.add(identityOf(request));
    return new OutcomeUnknown(`an append to EventStoreDB may or may not have happened: ${why}`);
  }
}

const identityOf = ({ events }: AppendRequest): string => events[0]?.hash ?? '';
