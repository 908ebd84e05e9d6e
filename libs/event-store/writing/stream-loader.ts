import { assert } from '#kernel/assert.js';
import type { Decider, Refused, TypedEvent } from '#kernel/decider.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { Codec } from './command.js';
import { ZERO_HASH } from '../port/encode-event.js';
import {
  metadataOf,
  NO_STREAM,
  START,
  type EventStore,
  type Position,
  type RecordedEvent,
} from '../port/event-store.js';
import { eventsBetween, type Snapshot, type SnapshotStore } from '../port/snapshots.js';

/** Where the first event of a command stands: its revision, and its position or a later one. */
export type KnownKey = { readonly revision: number; readonly position: Position };

/** A stream's folded state with what a writer needs to go on from its newest event. */
export type LoadedStream<State> = {
  state: State;
  revision: number;
  hash: string;
  /** Of the newest event. */
  position: Position;
  /** The recordedAt of the newest event; empty when there is none. */
  recordedAt: string;
  /** First event id of the known commands → where it stands, in the order they were recorded. */
  readonly keys: Map<string, KnownKey>;
  /** Every command at or after this place is in `keys`; revision 0: all of them. */
  keysFrom: KnownKey;
  /** Events since the last snapshot that make a new one worth while. */
  snapshotAfter: number;
  snapshotRevision: number;
};

/** Most streams, and most news of a stream, fit into the first page; a store may gather such short reads. */
const FIRST_PAGE = 64;
const PAGE = 1000;
/** So many times as many keys as usual are kept while the index lags behind. */
const KEPT_FOR_INDEX = 10;

/** The log contradicts itself: a hash does not follow from the one before, or an event cannot be read. Nothing may be written. */
export class StreamCorrupt extends Error {
  override readonly name = 'StreamCorrupt';
}

/** Folds streams from the log, with snapshots to shorten the way. One for each stream category. */
export class StreamLoader<Command, Event extends TypedEvent, State, Refusal extends Refused> {
  readonly #decider: Decider<Command, Event, State, Refusal>;
  readonly #store: EventStore;
  readonly #snapshots: SnapshotStore | null;
  readonly #codec: Codec<Event>;
  readonly #maxKeys: number;
  readonly #canFind: (position: Position) => boolean;
  readonly #snapshotEvery: number;

  /** @param parts.canFind whether the key of a command at that place is found although it is forgotten, and without a search. */
  constructor(
    decider: Decider<Command, Event, State, Refusal>,
    parts: {
      store: EventStore;
      snapshots: SnapshotStore | null;
      codec: Codec<Event>;
      maxKeys: number;
      canFind: (position: Position) => boolean;
      snapshotEvery: number;
    },
  ) {
    this.#decider = decider;
    this.#store = parts.store;
    this.#snapshots = parts.snapshots;
    this.#codec = parts.codec;
    this.#maxKeys = parts.maxKeys;
    this.#canFind = parts.canFind;
    this.#snapshotEvery = parts.snapshotEvery;
  }

  /** What is known of a stream that has no events. */
  empty(stream: StreamName): LoadedStream<State> {
    return {
      state: this.#decider.initial(stream),
      revision: NO_STREAM,
      hash: ZERO_HASH,
      position: START,
      recordedAt: '',
      keys: new Map(),
      keysFrom: { revision: 0, position: START },
      snapshotAfter: this.#snapshotEvery,
      snapshotRevision: NO_STREAM,
    };
  }

  /** The stream as the store has it now. Most streams are short: only a long one is worth a look for a snapshot. */
  async load(stream: StreamName): Promise<LoadedStream<State>> {
    const fromStart = this.empty(stream);
    if (await this.#foldPage(stream, fromStart, Math.min(FIRST_PAGE, this.#snapshotEvery))) return fromStart;
    const snapshot = await this.#snapshotOf(stream);
    if (snapshot !== null && snapshot.revision > fromStart.revision) {
      const loaded = this.#fromSnapshot(stream, snapshot);
      if (await this.#continues(loaded, stream)) return loaded;
    }
    await this.refresh(stream, fromStart);
    return fromStart;
  }

  /** Folds in what the store has beyond `loaded`; true when there was something. */
  async refresh(stream: StreamName, loaded: LoadedStream<State>): Promise<boolean> {
    const before = loaded.revision;
    let ended = await this.#foldPage(stream, loaded, FIRST_PAGE);
    while (!ended) ended = await this.#foldPage(stream, loaded, PAGE);
    return loaded.revision > before;
  }

  /** Folds in the next events, at most `limit`; true at the end of the stream. */
  async #foldPage(stream: StreamName, loaded: LoadedStream<State>, limit: number): Promise<boolean> {
    const events = await this.#store.readStream(stream, loaded.revision + 1, limit);
    for (const event of events) this.#fold(loaded, event);
    return events.length < limit;
  }

  /** One event of the stream, decoded; null when it is not there. */
  async eventAt(stream: StreamName, revision: number): Promise<Event | null> {
    const [event] = await this.#store.readStream(stream, revision, 1);
    return event === undefined ? null : this.decode(event);
  }

  decode(event: RecordedEvent): Event {
    const decoded = this.#codec.decode(event);
    if ('undecodable' in decoded)
      throw new StreamCorrupt(`${event.stream} at revision ${String(event.revision)}: ${String(decoded.undecodable)}`);
    return decoded;
  }

  /**
   * Remembers the first event of a command. Beyond the bound the older half is forgotten, as far as it can be found elsewhere:
   * else the stream would be searched for every command. Beyond ten times the bound it is forgotten anyway.
   */
  remember(loaded: LoadedStream<State>, firstEventId: string, { revision, position }: KnownKey): void {
    const { keys } = loaded;
    keys.set(firstEventId, { revision, position });
    const half = Math.ceil(this.#maxKeys / 2);
    const surplus = keys.size - this.#maxKeys - 1;
    if (surplus < 0 || surplus % half !== 0) return;
    const before = keys.size;
    for (const [id, place] of keys) {
      const tooMany = keys.size > KEPT_FOR_INDEX * this.#maxKeys;
      if (keys.size <= this.#maxKeys - half + 1 || !(tooMany || this.#canFind(place.position))) {
        if (keys.size < before) loaded.keysFrom = place;
        return;
      }
      keys.delete(id);
    }
  }

  /** Keeps a snapshot when enough has happened since the last. Never fails: a snapshot lost costs only time. */
  async saveSnapshot(stream: StreamName, loaded: LoadedStream<State>): Promise<void> {
    const codec = this.#decider.snapshot;
    if (codec === undefined || this.#snapshots === null) return;
    if (loaded.revision - loaded.snapshotRevision < loaded.snapshotAfter) return;
    loaded.snapshotRevision = loaded.revision;
    try {
      const state = codec.encode(loaded.state);
      loaded.snapshotAfter = eventsBetween(state, this.#snapshotEvery);
      const { revision, hash, recordedAt, position } = loaded;
      const head = { hash, recordedAt, position };
      await this.#snapshots.save({ stream, version: codec.version, revision, head, state });
    } catch {
      // The stream itself is all that a later load needs.
    }
  }

  async #snapshotOf(stream: StreamName): Promise<Snapshot | null> {
    const codec = this.#decider.snapshot;
    if (codec === undefined || this.#snapshots === null) return null;
    return this.#snapshots.load(stream, codec.version).catch(() => null);
  }

  #fromSnapshot(stream: StreamName, snapshot: Snapshot): LoadedStream<State> {
    const codec = this.#decider.snapshot;
    assert(codec !== undefined, 'a snapshot of a category without snapshots');
    return {
      ...this.empty(stream),
      state: codec.decode(snapshot.state, stream),
      revision: snapshot.revision,
      hash: snapshot.head.hash,
      position: snapshot.head.position,
      recordedAt: snapshot.head.recordedAt,
      snapshotRevision: snapshot.revision,
    };
  }

  /** Reads on from a snapshot; false when the log does not have the event that the snapshot was taken at. */
  async #continues(loaded: LoadedStream<State>, stream: StreamName): Promise<boolean> {
    const events = await this.#store.readStream(stream, loaded.revision, PAGE);
    const [at, ...tail] = events;
    if (at?.hash !== loaded.hash) return false;
    loaded.keysFrom = { revision: at.revision, position: at.position };
    loaded.keys.set(at.id, loaded.keysFrom);
    for (const event of tail) this.#fold(loaded, event);
    if (events.length === PAGE) await this.refresh(stream, loaded);
    return true;
  }

  #fold(loaded: LoadedStream<State>, event: RecordedEvent): void {
    if (event.revision !== loaded.revision + 1 || event.prevHash !== loaded.hash) {
      throw new StreamCorrupt(`${event.stream} does not continue at revision ${String(event.revision)}`);
    }
    loaded.state = this.#decider.evolve(loaded.state, this.decode(event), event.revision);
    loaded.revision = event.revision;
    loaded.hash = event.hash;
    loaded.position = event.position;
    const metadata = metadataOf(event);
    loaded.recordedAt = metadata.recordedAt;
    if (metadata.commandKey !== null) this.remember(loaded, event.id, event);
  }
}
