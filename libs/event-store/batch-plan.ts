import { isRefused, type Decider, type Refused, type TypedEvent } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { Codec, CommandRequest } from './command.js';
import { encodeEvent, eventId } from './encode-event.js';
import type { EncodedEvent } from './event-store.js';
import type { LoadedStream } from './stream-loader.js';

/** What was found out about one command before the append. */
export type Verdict<Event, Refusal extends Refused> =
  | {
      readonly kind: 'events';
      readonly events: readonly Event[];
      readonly first: number;
      readonly firstId: string;
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'unchanged' }
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
 * stays as it is until the store has taken the events. Null when the batch is to be planned again: a command met a bug, which
 * is noted in `known.failed`, or a past event has to be read first, see `known.missing`.
 */
export function planBatch<Command, Event extends TypedEvent, State, Refusal extends Refused>(
  decider: Decider<Command, Event, State, Refusal>,
  codec: Codec<Event>,
  given: {
    readonly stream: StreamName;
    readonly loaded: LoadedStream<State>;
    readonly requests: readonly CommandRequest<Command>[];
    readonly now: Instant;
    readonly maxBytes: number;
    readonly known: Known<Event>;
  },
): Plan<Event, State, Refusal> | null {
  const { stream, loaded, requests, now, known } = given;
  // Time never goes back within a stream, whatever the clock does.
  const at = now < loaded.recordedAt ? loaded.recordedAt : now;
  const leaders = requests.length > 1 ? new Map<string, number>() : null;
  const verdicts: Verdict<Event, Refusal>[] = [];
  const encoded: EncodedEvent[] = [];
  let draft = decider.fork(loaded.state);
  let hash = loaded.hash;
  let bytes = 0;
  let complete = true;

  const record = (request: CommandRequest<Command>, events: readonly Event[], ids: (index: number) => string): void => {
    for (const [index, event] of events.entries()) {
      const revision = loaded.revision + 1 + encoded.length;
      const written = encode(codec, stream, { revision, prevHash: hash, id: ids(index), event, request, at });
      encoded.push(written);
      hash = written.hash;
      bytes += written.data.length + written.metadata.length;
      draft = decider.evolve(draft, event, revision);
    }
  };
  const decide = (request: CommandRequest<Command>, ids: (index: number) => string): Verdict<Event, Refusal> => {
    const past = pastAt(decider.needs?.(draft, request.command) ?? null, loaded.revision, known);
    complete &&= past !== undefined;
    const first = encoded.length;
    const moment = { at, revision: loaded.revision + 1 + first, commandId: ids(0), past: past ?? null };
    const decision = decider.decide(draft, request.command, moment);
    if (isRefused<Event, Refusal>(decision)) return { kind: 'refused', refusal: decision };
    if (decision.length === 0) return { kind: 'unchanged' };
    record(request, decision, ids);
    return { kind: 'events', events: decision, first, firstId: ids(0) };
  };

  for (const [index, request] of requests.entries()) {
    if (bytes >= given.maxBytes) break;
    if (known.failed.has(index)) {
      verdicts.push({ kind: 'failed', error: known.failed.get(index) });
      continue;
    }
    const ids = idsOf(request, at, loaded.revision + 1 + encoded.length);
    const firstId = ids(0);
    // A command that records nothing leaves its key free: the next one with it is decided by itself.
    const leader = leaders?.get(firstId);
    const knownAt = known.found.get(firstId) ?? loaded.keys.get(firstId)?.revision;
    if (leader !== undefined) verdicts.push({ kind: 'follows', leader });
    else if (knownAt !== undefined) verdicts.push({ kind: 'known', revision: knownAt });
    else {
      try {
        const verdict = decide(request, ids);
        if (verdict.kind === 'events') leaders?.set(firstId, index);
        verdicts.push(verdict);
      } catch (error) {
        known.failed.set(index, error);
        return null;
      }
    }
  }
  return complete ? { draft, verdicts, encoded, recordedAt: at, taken: verdicts.length } : null;
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

function encode<Command, Event extends TypedEvent>(
  codec: Codec<Event>,
  stream: StreamName,
  written: {
    revision: number;
    prevHash: string;
    id: string;
    event: Event;
    request: CommandRequest<Command>;
    at: Instant;
  },
): EncodedEvent {
  const { revision, prevHash, id, event, request, at } = written;
  const { key, fingerprint, causationId, correlationId, actor } = request;
  return encodeEvent(stream, revision, prevHash, {
    id,
    type: event.type,
    schemaVersion: codec.schemaVersionOf(event.type),
    data: codec.dataToStore(event),
    metadata: { commandKey: key, commandHash: fingerprint, causationId, correlationId, actor, recordedAt: at },
  });
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
