import type { Decider, Refused, TypedEvent } from '#kernel/decider.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { Plan } from './plan.js';
import type { CommandRequest } from './command.js';
import { eventId } from '../port/encode-event.js';
import { StoreUnavailable, type EventStore } from '../port/event-store.js';
import type { KeyLookup } from './key-lookup.js';
import type { LruCache } from './lru-cache.js';
import type { LoadedStream, StreamLoader } from './stream-loader.js';

type Asked<Command> = { readonly request: CommandRequest<Command> };

/**
 * What a batch asks the store before it is decided, and before anything of it is refused. Rejects only for a bug or a log that
 * contradicts itself; a store that cannot be reached is an answer.
 */
export class BatchQuestions<Command, Event extends TypedEvent, State, Refusal extends Refused> {
  readonly #decider: Decider<Command, Event, State, Refusal>;
  readonly #store: EventStore;
  readonly #loader: StreamLoader<Command, Event, State, Refusal>;
  readonly #lookup: KeyLookup;
  readonly #cache: LruCache<StreamName, LoadedStream<State>>;

  /** @param parts.cache the streams in memory: what is loaded is put there, what cannot be trusted is taken out. */
  constructor(
    decider: Decider<Command, Event, State, Refusal>,
    parts: {
      readonly store: EventStore;
      readonly loader: StreamLoader<Command, Event, State, Refusal>;
      readonly lookup: KeyLookup;
      readonly cache: LruCache<StreamName, LoadedStream<State>>;
    },
  ) {
    this.#decider = decider;
    this.#store = parts.store;
    this.#loader = parts.loader;
    this.#lookup = parts.lookup;
    this.#cache = parts.cache;
  }

  /** The stream as the store has it, remembered; null when the store cannot be reached. */
  async load(stream: StreamName, batch: readonly Asked<Command>[]): Promise<LoadedStream<State> | null> {
    try {
      const assumeNew = batch.every(({ request }) => request.assumeNew === true);
      const loaded = assumeNew ? this.#loader.empty(stream) : await this.#loader.load(stream);
      this.#cache.set(stream, loaded);
      return loaded;
    } catch (error) {
      if (error instanceof StoreUnavailable) return null;
      throw error;
    }
  }

  /** Folds in what others wrote meanwhile; false when the store cannot be reached. */
  async refreshed(stream: StreamName, loaded: LoadedStream<State>): Promise<boolean> {
    try {
      await this.#loader.refresh(stream, loaded);
      return true;
    } catch (error) {
      this.#cache.delete(stream);
      if (error instanceof StoreUnavailable) return false;
      throw error;
    }
  }

  /** Adds to `found` the revisions of those ids that the log has; false when the store cannot be reached. */
  async locate(eventIds: readonly string[], found: Map<string, number>): Promise<boolean> {
    try {
      for (const [id, place] of await this.#store.locate(eventIds)) found.set(id, place.revision);
      return true;
    } catch (error) {
      if (error instanceof StoreUnavailable) return false;
      throw error;
    }
  }

  /**
   * Reads what the decisions need besides the state: past events they name, and old keys where the store does not know them.
   * Null when the store cannot be reached.
   */
  async prepare(
    stream: StreamName,
    loaded: LoadedStream<State>,
    batch: readonly Asked<Command>[],
    { found, missing }: { found: Map<string, number>; missing: ReadonlySet<number> },
  ): Promise<ReadonlyMap<number, Event | null> | null> {
    const past = new Map<number, Event | null>();
    try {
      for (const { request } of batch) {
        const revision = this.#decider.needs?.(loaded.state, request.command) ?? null;
        if (revision === null || revision > loaded.revision || past.has(revision)) continue;
        past.set(revision, await this.#loader.eventAt(stream, revision));
      }
      for (const revision of missing) past.set(revision, await this.#loader.eventAt(stream, revision));
      if (!this.#store.knowsEveryId)
        await this.#lookup.find(stream, loaded, unknownIds(stream, loaded, batch, found), found);
      return past;
    } catch (error) {
      if (error instanceof StoreUnavailable) return null;
      throw error;
    }
  }

  /**
   * Before a refusal (or a "nothing to do") is given: has another process written meanwhile, or was the key used long ago?
   * An append finds that out by itself, so this is asked only when there is none.
   */
  async staleness(
    stream: StreamName,
    loaded: LoadedStream<State>,
    batch: readonly Asked<Command>[],
    { fresh, found }: { fresh: boolean; found: Map<string, number> },
  ): Promise<'stale' | 'fresh' | 'unavailable'> {
    const before = loaded.revision;
    if (!fresh && !(await this.refreshed(stream, loaded))) return 'unavailable';
    if (loaded.revision > before) return 'stale';
    if (!this.#store.knowsEveryId) return 'fresh';
    const ids = unknownIds(stream, loaded, batch, found);
    const known = found.size;
    if (ids.length > 0 && !(await this.locate(ids, found))) return 'unavailable';
    return found.size > known ? 'stale' : 'fresh';
  }

  /**
   * The store finds an old key among what is appended; for what is refused beside it, nobody would ask. That nothing newer
   * exists is confirmed by the append itself.
   */
  async doubts(
    stream: StreamName,
    loaded: LoadedStream<State>,
    batch: readonly Asked<Command>[],
    { plan, found }: { plan: Plan<Event, State, Refusal>; found: Map<string, number> },
  ): Promise<'none' | 'known' | 'unavailable'> {
    if (!this.#store.knowsEveryId) return 'none';
    const unrecorded = batch.filter((_item, index) => {
      const kind = plan.verdicts[index]?.kind;
      return kind === 'refused' || kind === 'unchanged' || kind === 'too_large';
    });
    const ids = unknownIds(stream, loaded, unrecorded, found);
    const known = found.size;
    if (ids.length > 0 && !(await this.locate(ids, found))) return 'unavailable';
    return found.size > known ? 'known' : 'none';
  }
}

/** The ids of commands with a key of which nobody knows yet whether they were recorded long ago. */
function unknownIds<Command, State>(
  stream: StreamName,
  loaded: LoadedStream<State>,
  batch: readonly Asked<Command>[],
  found: ReadonlyMap<string, number>,
): string[] {
  if (loaded.keysFrom.revision === 0) return [];
  return batch
    .filter(({ request }) => request.key !== null)
    .map(({ request }) => eventId(stream, request.origin, request.key ?? '', 0))
    .filter((id) => !loaded.keys.has(id) && !found.has(id));
}
