import { assert } from '#kernel/assert.js';
import type { Decider, Refused, TypedEvent } from '#kernel/decider.js';
import { sleepJittered, type Clock } from '#kernel/clock.js';
import { instantOf, type Instant } from '#kernel/instant.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { Codec, CommandOutcome, CommandPreview, CommandRequest, Recorded } from './command.js';
import { BatchQuestions } from './questions.js';
import { planBatch, type Decided, type Known, type Plan } from './plan.js';
import { KeyLookup } from './key-lookup.js';
import type { KeyIndex } from '../port/key-index.js';
import { LruCache } from './lru-cache.js';
import {
  OutcomeUnknown,
  StoreOverloaded,
  StoreUnavailable,
  type AppendResult,
  type EventStore,
  type Position,
} from '../port/event-store.js';
import { replay } from './replay.js';
import type { SnapshotStore } from '../port/snapshots.js';
import { StreamLoader, type LoadedStream } from './stream-loader.js';
import { defaultLimits, type WriteLimits, type WriteStatistics } from './limits.js';

/** A store that knows every event id answers for old keys itself; the few kept beside it only save it the work. */
const KEYS_BESIDE_ALL_KNOWING_STORE = 16;

/** A command with who waits for its outcome. */
export type Item<Command, Event, State, Refusal extends Refused> = {
  readonly request: CommandRequest<Command>;
  readonly resolve: (
    outcome: CommandOutcome<Event, State, Refusal> | Promise<CommandOutcome<Event, State, Refusal>>,
  ) => void;
  readonly reject: (reason: unknown) => void;
};
/** What writes a stream category stands on. */
export type WriterParts<Event extends TypedEvent> = {
  readonly store: EventStore;
  readonly snapshots: SnapshotStore | null;
  /** Needed with a store that does not know every event id. */
  readonly keys: KeyIndex | null;
  readonly clock: Clock;
  readonly codec: Codec<NoInfer<Event>>;
  readonly limits?: Partial<WriteLimits>;
};
/** A batch with the state that it was decided on. */
type Planned<Event, State, Refusal extends Refused> = {
  readonly loaded: LoadedStream<State>;
  readonly plan: Plan<Event, State, Refusal>;
};
/** A batch that was decided on the state in memory, and its append under way. */
export type Begun<Event, State, Refusal extends Refused> = Planned<Event, State, Refusal> & {
  readonly append: Promise<AppendResult>;
};

/**
 * Decides batches of commands of one stream, appends what they record as one write, and answers them. The state in memory is
 * never trusted alone: an append succeeds only at its exact revision, and a refusal is given only after the store has
 * confirmed that nothing newer exists.
 */
export class BatchWriter<Command, Event extends TypedEvent, State, Refusal extends Refused> {
  readonly statistics: WriteStatistics = {
    batches: 0,
    commands: 0,
    events: 0,
    conflicts: 0,
    duplicates: 0,
    unknownOutcomes: 0,
    waiting: 0,
  };
  readonly limits: WriteLimits;
  readonly #decider: Decider<Command, Event, State, Refusal>;
  readonly #store: EventStore;
  readonly #clock: Clock;
  readonly #codec: Codec<Event>;
  readonly #loader: StreamLoader<Command, Event, State, Refusal>;
  readonly #questions: BatchQuestions<Command, Event, State, Refusal>;
  readonly #cache: LruCache<StreamName, LoadedStream<State>>;
  /** What most batches are planned with. */
  readonly #nothingKnown: Known<Event> = { found: new Map(), failed: new Map(), past: new Map(), missing: new Set() };
  #lastNow = { ms: Number.NaN, instant: '' };

  constructor(decider: Decider<Command, Event, State, Refusal>, parts: WriterParts<Event>) {
    this.#decider = decider;
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#codec = parts.codec;
    this.limits = { ...defaultLimits, ...parts.limits };
    const { rememberedKeys, snapshotEvery, cachedStreams } = this.limits;
    const lookup = new KeyLookup(parts.store, parts.keys);
    this.#loader = new StreamLoader(decider, {
      ...parts,
      maxKeys: parts.store.knowsEveryId ? Math.min(rememberedKeys, KEYS_BESIDE_ALL_KNOWING_STORE) : rememberedKeys,
      canFind: (position) => lookup.canFind(position),
      snapshotEvery,
    });
    this.#cache = new LruCache(cachedStreams);
    this.#questions = new BatchQuestions(decider, {
      store: parts.store,
      loader: this.#loader,
      lookup,
      cache: this.#cache,
    });
  }

  /** The stream's state as the store has it now. The state belongs to the caller. */
  load(stream: StreamName): Promise<LoadedStream<State>> {
    return this.#loader.load(stream);
  }

  /** Decides a batch on the state in memory and sends its append; null when more has to be known first. */
  begin(
    stream: StreamName,
    batch: readonly Item<Command, Event, State, Refusal>[],
  ): Begun<Event, State, Refusal> | null {
    const loaded = this.#cache.get(stream);
    if (loaded === undefined || (!this.#store.knowsEveryId && loaded.keysFrom.revision > 0)) return null;
    const known = this.#nothingKnown;
    const plan = this.#plan(stream, loaded, batch, known);
    if (plan === null) {
      // What planning noted is found again where it can be looked up.
      known.failed.clear();
      known.missing.clear();
      return null;
    }
    if (!plan.verdicts.every(({ kind }) => kind === 'events' || kind === 'follows')) return null;
    const append = this.#store.append({ stream, expectedRevision: loaded.revision, events: plan.encoded });
    return { loaded, plan, append };
  }

  /** Answers a begun batch whose append was stored; says how many commands those were. */
  complete(
    stream: StreamName,
    batch: readonly Item<Command, Event, State, Refusal>[],
    begun: Begun<Event, State, Refusal>,
    position: Position,
  ): number {
    this.statistics.batches += 1;
    return this.#settle(stream, batch, begun, position);
  }

  /** After a bug, or a log that contradicts itself: everybody is told, and the stream is loaded again. */
  fail(stream: StreamName, batch: readonly Item<Command, Event, State, Refusal>[], error: unknown): void {
    this.#cache.delete(stream);
    for (const item of batch) item.reject(error);
  }

  /**
   * Carries a batch out, whatever it takes: answers as many commands as fit into one append, and says how many those were.
   * Rejects only for a bug or a log that contradicts itself.
   */
  async run(
    stream: StreamName,
    batch: readonly Item<Command, Event, State, Refusal>[],
    begun: Begun<Event, State, Refusal> | null,
  ): Promise<number> {
    this.statistics.batches += 1;
    let started = begun;
    const found = new Map<string, number>();
    const failed = new Map<number, unknown>();
    const missing = new Set<number>();
    // True once the store has been asked during this batch: only then may a refusal be given.
    let fresh = false;
    for (let conflicts = 0; conflicts <= this.limits.conflictRetries;) {
      const first = started;
      started = null;
      const loaded = first?.loaded ?? this.#cache.get(stream) ?? (await this.#questions.load(stream, batch));
      const past = loaded === null ? null : await this.#questions.prepare(stream, loaded, batch, { found, missing });
      if (loaded === null || past === null) return answerAll(batch, { kind: 'unavailable' });
      const plan = first?.plan ?? this.#plan(stream, loaded, batch, { found, failed, past, missing });
      if (plan === null) continue; // without a command that met a bug, or with more of the past
      if (plan.encoded.length === 0) {
        const staleness = await this.#questions.staleness(stream, loaded, batch, { fresh, found });
        if (staleness === 'unavailable') return answerAll(batch, { kind: 'unavailable' });
        fresh = true;
        if (staleness === 'stale') continue;
        return this.#settle(stream, batch, { loaded, plan }, loaded.position);
      }
      const doubts = await this.#questions.doubts(stream, loaded, batch, { plan, found });
      if (doubts === 'unavailable') return answerAll(batch, { kind: 'unavailable' });
      if (doubts === 'known') continue;
      const result = await this.#append(stream, loaded, plan, first?.append ?? null);
      if (result.kind === 'appended') return this.#settle(stream, batch, { loaded, plan }, result.position);
      if (result.kind === 'conflict') {
        conflicts += 1;
        this.statistics.conflicts += 1;
        if (conflicts > 1) await this.#clock.sleep(this.#clock.random() * 4 * 2 ** Math.min(conflicts, 6));
        if (!(await this.#questions.refreshed(stream, loaded))) return answerAll(batch, { kind: 'unavailable' });
        fresh = true;
      } else if (result.kind === 'duplicate') {
        this.statistics.duplicates += 1;
        if (!(await this.#questions.locate(result.eventIds, found))) return answerAll(batch, { kind: 'unavailable' });
      } else {
        if (result.kind === 'outcome_unknown') this.#cache.delete(stream);
        return answerAll(batch.slice(0, plan.taken), { kind: result.kind });
      }
    }
    return answerAll(batch, { kind: 'conflict' });
  }

  /** How a command would end now. It is decided on a state of its own, beside the batches, and nothing is appended. */
  async preview(request: CommandRequest<Command>): Promise<CommandPreview<Event, State, Refusal>> {
    const { stream } = request;
    const batch = [{ request }];
    const found = new Map<string, number>();
    const failed = new Map<number, unknown>();
    const missing = new Set<number>();
    const loaded = await this.#loaded(stream);
    for (; loaded !== null;) {
      const past = await this.#questions.prepare(stream, loaded, batch, { found, missing });
      if (past === null) break;
      const plan = this.#plan(stream, loaded, batch, { found, failed, past, missing });
      if (plan === null) continue;
      const staleness = await this.#questions.staleness(stream, loaded, batch, { fresh: true, found });
      if (staleness === 'unavailable') break;
      if (staleness === 'fresh') return this.#foreseen(request, { loaded, plan });
    }
    return { kind: 'unavailable' };
  }

  async #loaded(stream: StreamName): Promise<LoadedStream<State> | null> {
    try {
      return await this.#loader.load(stream);
    } catch (error) {
      if (error instanceof StoreUnavailable) return null;
      throw error;
    }
  }

  #foreseen(
    request: CommandRequest<Command>,
    { loaded, plan }: Planned<Event, State, Refusal>,
  ): CommandPreview<Event, State, Refusal> | Promise<CommandPreview<Event, State, Refusal>> {
    const [verdict] = plan.verdicts;
    assert(verdict !== undefined && verdict.kind !== 'follows', 'a single command was not decided');
    if (verdict.kind === 'failed') throw verdict.error;
    if (verdict.kind === 'known')
      return replay(this.#store, (event) => this.#loader.decode(event), request, verdict.revision);
    if (verdict.kind === 'unchanged') return { kind: 'unchanged', state: loaded.state };
    if (verdict.kind !== 'events') return verdict;
    const { revision, position } = loaded;
    const events = verdict.events.map((event, index) => {
      return { event, id: plan.encoded[index]?.id ?? '', revision: revision + 1 + index, position };
    });
    return { kind: 'would_record', events };
  }

  #plan(
    stream: StreamName,
    loaded: LoadedStream<State>,
    batch: readonly { readonly request: CommandRequest<Command> }[],
    known: Known<Event>,
  ): Plan<Event, State, Refusal> | null {
    return planBatch(this.#decider, this.#codec, {
      stream,
      loaded,
      requests: batch.map(({ request }) => request),
      now: this.#now(),
      store: this.#store,
      batchBytes: this.limits.batchBytes,
      known,
    });
  }

  /** Many batches are decided within one millisecond. */
  #now(): Instant {
    const ms = this.#clock.now();
    if (ms !== this.#lastNow.ms) this.#lastNow = { ms, instant: instantOf(ms) };
    return this.#lastNow.instant;
  }

  /** Appends, repeating the identical append while its outcome is unknown: only that settles it. */
  async #append(
    stream: StreamName,
    loaded: LoadedStream<State>,
    plan: Plan<Event, State, Refusal>,
    first: Promise<AppendResult> | null,
  ): Promise<AppendResult | { kind: 'unavailable' } | { kind: 'overloaded' } | { kind: 'outcome_unknown' }> {
    const request = { stream, expectedRevision: loaded.revision, events: plan.encoded };
    const deadline = this.#clock.now() + this.limits.settleMs;
    let unknown = false;
    let started = first;
    for (let delay = 20; ; delay = Math.min(delay * 2, 1_000)) {
      try {
        const append = started ?? this.#store.append(request);
        started = null;
        return await append;
      } catch (error) {
        if (error instanceof OutcomeUnknown) {
          unknown = true;
          this.statistics.unknownOutcomes += 1;
        } else if (error instanceof StoreUnavailable || error instanceof StoreOverloaded) {
          if (!unknown) return { kind: error instanceof StoreOverloaded ? 'overloaded' : 'unavailable' };
        } else throw error;
        if (this.#clock.now() >= deadline) return { kind: 'outcome_unknown' };
        await sleepJittered(this.#clock, delay);
      }
    }
  }

  /** The batch is stored, its last event at `position`: takes over the new state and answers every command. */
  #settle(
    stream: StreamName,
    batch: readonly Item<Command, Event, State, Refusal>[],
    { loaded, plan }: Planned<Event, State, Refusal>,
    position: Position,
  ): number {
    const firstRevision = loaded.revision + 1;
    loaded.state = this.#decider.merge(plan.draft);
    const newest = plan.encoded.at(-1);
    if (newest !== undefined) {
      loaded.revision += plan.encoded.length;
      loaded.hash = newest.hash;
      loaded.position = position;
      loaded.recordedAt = plan.recordedAt;
    }
    this.statistics.commands += plan.taken;
    this.statistics.events += plan.encoded.length;
    const outcomes: CommandOutcome<Event, State, Refusal>[] = [];
    const outcomeOf = (
      item: Item<Command, Event, State, Refusal>,
      verdict: Decided<Event, Refusal>,
    ): CommandOutcome<Event, State, Refusal> => {
      if (verdict.kind === 'refused' || verdict.kind === 'too_large') return verdict;
      if (verdict.kind === 'unchanged') return { kind: 'unchanged', state: loaded.state };
      if (verdict.kind === 'follows')
        return followed(item.request, batch[verdict.leader]?.request, outcomes[verdict.leader]);
      const events = verdict.events.map((event, i): Recorded<Event> => {
        const index = verdict.first + i;
        return {
          event,
          id: plan.encoded[index]?.id ?? '',
          revision: firstRevision + index,
          position,
        };
      });
      if (item.request.key !== null && events[0] !== undefined)
        this.#loader.remember(loaded, verdict.firstId, events[0]);
      return { kind: 'recorded', replayed: false, events };
    };
    for (const [index, verdict] of plan.verdicts.entries()) {
      const item = batch[index];
      if (item === undefined) break;
      if (verdict.kind === 'failed') item.reject(verdict.error);
      else if (verdict.kind === 'known')
        item.resolve(replay(this.#store, (event) => this.#loader.decode(event), item.request, verdict.revision));
      else item.resolve((outcomes[index] = outcomeOf(item, verdict)));
    }
    if (newest !== undefined) void this.#loader.saveSnapshot(stream, loaded);
    return plan.taken;
  }
}

/** What becomes of a command whose key stands earlier in the same batch. */
function followed<Command, Event, State, Refusal extends Refused>(
  request: CommandRequest<Command>,
  leader: CommandRequest<Command> | undefined,
  outcome: CommandOutcome<Event, State, Refusal> | undefined,
): CommandOutcome<Event, State, Refusal> {
  if (outcome?.kind !== 'recorded' || leader === undefined) return outcome ?? { kind: 'conflict' };
  if (request.fingerprint !== null && leader.fingerprint !== request.fingerprint) return { kind: 'key_reused' };
  return { ...outcome, replayed: true };
}

function answerAll<Command, Event, State, Refusal extends Refused>(
  batch: readonly Item<Command, Event, State, Refusal>[],
  outcome: CommandOutcome<Event, State, Refusal>,
): number {
  for (const item of batch) item.resolve(outcome);
  return batch.length;
}
