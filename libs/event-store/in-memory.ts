import { assert } from '#kernel/assert.js';
import type { StreamName } from '#kernel/stream-name.js';
import {
  EventStore,
  NO_STREAM,
  START,
  StoreUnavailable,
  positionOf,
  textBytesOf,
  type AppendRequest,
  type AppendResult,
  type EncodedEvent,
  type EventPlace,
  type Position,
  type RecordedEvent,
} from './port/event-store.js';
import { SnapshotStore, type Snapshot, type SnapshotBound } from './port/snapshots.js';

const pageSize = 1_000;

/** What several stores of one process may share, like several processes share a server. Position n is at index n−1. */
export class InMemoryLog {
  readonly events: RecordedEvent[] = [];
  readonly streams = new Map<StreamName, RecordedEvent[]>();
  readonly byId = new Map<string, RecordedEvent>();
  readonly #waiting = new Set<() => void>();

  /** Resolves when there are events after `after`, or when `signal` aborts. */
  async grownBeyond(after: number, signal: AbortSignal): Promise<void> {
    while (this.events.length <= after && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  append({ stream, expectedRevision, events }: AppendRequest): AppendResult {
    const stored = this.streams.get(stream) ?? [];
    const first = expectedRevision + 1;
    if (events.every((event, index) => isSame(stored[first + index], event))) {
      return { kind: 'appended', position: stored[first + events.length - 1]?.position ?? START };
    }
    const elsewhere = events.filter(({ id }, index) => {
      const found = this.byId.get(id);
      return found !== undefined && (found.stream !== stream || found.revision !== first + index);
    });
    if (elsewhere.length > 0) return { kind: 'duplicate', eventIds: elsewhere.map(({ id }) => id) };
    if (stored.length !== first) return { kind: 'conflict', actualRevision: stored.length - 1 };
    let position = START;
    for (const [index, event] of events.entries()) {
      position = positionOf(this.events.length + 1);
      const recorded = { ...event, stream, revision: first + index, position };
      this.events.push(recorded);
      stored.push(recorded);
      this.byId.set(event.id, recorded);
    }
    this.streams.set(stream, stored);
    for (const wake of [...this.#waiting]) wake();
    return { kind: 'appended', position };
  }
}

const isSame = (stored: RecordedEvent | undefined, event: { id: string; hash: string }): boolean =>
  stored !== undefined && stored.id === event.id && stored.hash === event.hash;

/** The log in this process's memory, for tests and simulations. Every answer comes in a later microtask, as over a network. */
export class InMemoryEventStore extends EventStore {
  override readonly knowsEveryId = true;
  override readonly maxAppendBytes: number = 16 * 1024 * 1024;
  readonly #closed = new AbortController();

  constructor(private readonly log = new InMemoryLog()) {
    super();
  }

  override async append(request: AppendRequest): Promise<AppendResult> {
    assert(request.events.length > 0, 'an append has at least one event');
    assert(request.expectedRevision >= NO_STREAM, 'an append expects an exact revision');
    const bytes = request.events.reduce((sum, event) => sum + this.sizeOf(event), 0);
    assert(bytes <= this.maxAppendBytes, `an append of ${bytes} bytes is too large`);
    await this.#open();
    return this.log.append(request);
  }

  override sizeOf(event: EncodedEvent): number {
    return textBytesOf(event);
  }

  override async locate(eventIds: readonly string[]): Promise<ReadonlyMap<string, EventPlace>> {
    await this.#open();
    const places = new Map<string, EventPlace>();
    for (const id of eventIds) {
      const found = this.log.byId.get(id);
      if (found !== undefined) places.set(id, { stream: found.stream, revision: found.revision });
    }
    return places;
  }

  override async readStream(
    stream: StreamName,
    fromRevision: number,
    limit: number,
  ): Promise<readonly RecordedEvent[]> {
    await this.#open();
    return this.log.streams.get(stream)?.slice(fromRevision, fromRevision + limit) ?? [];
  }

  override async readAll(after: Position, limit: number): Promise<readonly RecordedEvent[]> {
    await this.#open();
    return this.log.events.slice(Number(after), Number(after) + limit);
  }

  override async *subscribe(after: Position, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]> {
    const ended = AbortSignal.any([signal, this.#closed.signal]);
    let from = Number(after);
    while (!ended.aborted) {
      await this.log.grownBeyond(from, ended);
      const page = this.log.events.slice(from, from + pageSize);
      if (ended.aborted || page.length === 0) continue;
      from += page.length;
      yield page;
    }
  }

  override async head(): Promise<Position> {
    await this.#open();
    return this.log.events.at(-1)?.position ?? START;
  }

  override async close(): Promise<void> {
    await Promise.resolve();
    this.#closed.abort();
  }

  async #open(): Promise<void> {
    await Promise.resolve();
    if (this.#closed.signal.aborted) throw new StoreUnavailable('the store is closed');
  }
}

/** Snapshots in this process's memory. */
export class InMemorySnapshotStore extends SnapshotStore {
  readonly #snapshots = new Map<StreamName, readonly Snapshot[]>();

  override async load(stream: StreamName, version: number, bound: SnapshotBound = {}): Promise<Snapshot | null> {
    await Promise.resolve();
    const within = ({ head, revision, ...snapshot }: Snapshot): boolean =>
      snapshot.version === version &&
      (bound.recordedAt === undefined || head.recordedAt <= bound.recordedAt) &&
      (bound.position === undefined || head.position <= bound.position) &&
      (bound.revision === undefined || revision <= bound.revision);
    return this.#snapshots.get(stream)?.findLast(within) ?? null;
  }

  override async save(snapshot: Snapshot): Promise<void> {
    await Promise.resolve();
    const kept = this.#snapshots.get(snapshot.stream) ?? [];
    if (kept.some(({ version }) => version > snapshot.version)) return;
    const others = kept.filter(
      ({ version, revision }) => version === snapshot.version && revision !== snapshot.revision,
    );
    this.#snapshots.set(
      snapshot.stream,
      [...others, snapshot].sort((a, b) => a.revision - b.revision),
    );
  }
}
