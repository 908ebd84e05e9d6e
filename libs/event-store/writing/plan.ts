import type { Decider, Refused, TypedEvent } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import type { StreamName } from '#kernel/stream-name.js';
import { BatchDraft, type Decision } from './draft.js';
import type { Codec, CommandRequest } from './command.js';
import { eventId } from '../port/encode-event.js';
import type { EncodedEvent, EventStore } from '../port/event-store.js';
import type { LoadedStream } from './stream-loader.js';

/** What was found out about one command before the append. */
export type Verdict<Event, Refusal extends Refused> =
  | Decision<Event, Refusal>
  /** Recorded before: the revision of its first event. */
  | { readonly kind: 'known'; readonly revision: number }
  /** The same key stands earlier in the batch: what becomes of that one becomes of this one. */
  | { readonly kind: 'follows'; readonly leader: number }
  | { readonly kind: 'failed'; readonly error: unknown };

export type Decided<Event, Refusal extends Refused> = Exclude<Verdict<Event, Refusal>, { kind: 'failed' | 'known' }>;

export type Plan<Event, State, Refusal extends Refused> = {
  readonly draft: State;
  readonly verdicts: readonly Verdict<Event, Refusal>[];
  readonly encoded: readonly EncodedEvent[];
  readonly recordedAt: string;
  /** Commands that did not fit; they are decided with the next batch. */
  readonly taken: number;
};

/** What was found out about a batch before it is decided. */
export type Known<Event> = {
  /** First event id of commands that were recorded long ago → revision. */
  readonly found: ReadonlyMap<string, number>;
  /** Commands of the batch, by index, whose decision met a bug. */
  readonly failed: Map<number, unknown>;
  /** Past events that the decisions need, by revision. */
  readonly past: ReadonlyMap<number, Event | null>;
  /** Filled by planning: past events that a decision needs because of what stands before it in the batch. */
  readonly missing: Set<number>;
};

/**
 * Decides the commands one after the other, each on what the ones before it left, on a fork of the state: the state itself
 * stays as it is until the store has taken the events. What is written together stays within `batchBytes`: a command that does
 * not fit behind others is left for the next batch, and one that is larger by itself goes alone, up to what the store takes in
 * one append. Null when the batch is to be planned again: a command met a bug, which is noted in `known.failed`, or a past event
 * has to be read first, see `known.missing`.
 */
export function planBatch<Command, Event extends TypedEvent, State, Refusal extends Refused>(
  decider: Decider<Command, Event, State, Refusal>,
  codec: Codec<Event>,
  given: {
    readonly stream: StreamName;
    readonly loaded: LoadedStream<State>;
    readonly requests: readonly CommandRequest<Command>[];
    readonly now: Instant;
    readonly store: Pick<EventStore, 'maxAppendBytes' | 'sizeOf'>;
    readonly batchBytes: number;
    readonly known: Known<Event>;
  },
): Plan<Event, State, Refusal> | null {
  const { loaded, requests, now, known } = given;
  // Time never goes back within a stream, whatever the clock does.
  const at = now < loaded.recordedAt ? loaded.recordedAt : now;
  const leaders = requests.length > 1 ? new Map<string, number>() : null;
  const verdicts: Verdict<Event, Refusal>[] = [];
  const draft = new BatchDraft(decider, codec, given, at);
  let complete = true;

  for (const [index, request] of requests.entries()) {
    if (draft.isFull) break;
    if (known.failed.has(index)) {
      verdicts.push({ kind: 'failed', error: known.failed.get(index) });
      continue;
    }
    const ids = idsOf(request, at, loaded.revision + 1 + draft.encoded.length);
    const firstId = ids(0);
    // A command that records nothing leaves its key free: the next one with it is decided by itself.
    const leader = leaders?.get(firstId);
    const knownAt = known.found.get(firstId) ?? loaded.keys.get(firstId)?.revision;
    if (leader !== undefined) verdicts.push({ kind: 'follows', leader });
    else if (knownAt !== undefined) verdicts.push({ kind: 'known', revision: knownAt });
    else {
      try {
        const past = pastAt(decider.needs?.(draft.state, request.command) ?? null, loaded.revision, known);
        complete &&= past !== undefined;
        const verdict = draft.decide(request, ids, past ?? null);
        if (verdict === null) break;
        if (verdict.kind === 'events') leaders?.set(firstId, index);
        verdicts.push(verdict);
      } catch (error) {
        known.failed.set(index, error);
        return null;
      }
    }
  }
  if (!complete) return null;
  return { draft: draft.state, verdicts, encoded: draft.encoded, recordedAt: at, taken: verdicts.length };
}

/** The event at a revision; undefined when it has to be read first, which is noted. */
function pastAt<Event>(
  needed: number | null,
  newest: number,
  { past, missing }: Known<Event>,
): Event | null | undefined {
  if (needed === null || needed > newest || past.has(needed))
    return needed === null ? null : (past.get(needed) ?? null);
  missing.add(needed);
  return undefined;
}

/** The ids of a command's events: from its key, so that they are the same in every try and for ever. */
export function idsOf<Command>(
  request: CommandRequest<Command>,
  at: string,
  revision: number,
): (index: number) => string {
  const { stream, origin, key, command } = request;
  // Without a key only an identical decision at the same revision may have the same ids.
  const name = key ?? `${at}|${String(revision)}|${JSON.stringify(command)}`;
  const space = key === null ? `${origin} without key` : origin;
  // The first is asked for often: as the command's own id, and by most commands as the id of their one event.
  const first = eventId(stream, space, name, 0);
  return (index) => (index === 0 ? first : eventId(stream, space, name, index));
}
