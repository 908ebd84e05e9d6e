import type { Refused, TypedEvent } from '#kernel/decider.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { EncodedEvent, Position } from '../port/event-store.js';

/** One command for one stream, with what must be known to record it. */
export type CommandRequest<Command> = {
  readonly stream: StreamName;
  readonly command: Command;
  /**
   * The key that makes the command happen once for ever: the caller's Idempotency-Key or the business key of a fact. Keys of
   * different origins never meet. Null only for commands that are harmless to repeat.
   */
  readonly key: string | null;
  readonly origin: 'api' | 'stripe' | 'scheduler' | 'transfers' | 'cli';
  /** The fingerprint that distinguishes request bodies; null where the key alone decides (a fact reported twice in two shapes is one fact). */
  readonly fingerprint: string | null;
  readonly actor: string;
  readonly causationId: string | null;
  readonly correlationId: string;
  /** Set where the stream most likely does not exist yet: the first try then appends without reading. */
  readonly assumeNew?: boolean;
};

/**
 * An event that the command recorded. `position` may be that of a later event of the same append: a read model that has reached
 * it shows this event. A replay gives the event's own.
 */
export type Recorded<Event> = {
  readonly event: Event;
  readonly id: string;
  readonly revision: number;
  readonly position: Position;
};

/** How a command ended. Everything but a bug is a value. */
export type CommandOutcome<Event, State, Refusal extends Refused> =
  /** Its events, as stored, in order: the same ones again when the key was used before (`replayed`). */
  | { readonly kind: 'recorded'; readonly replayed: boolean; readonly events: readonly Recorded<Event>[] }
  /** There was nothing to do; `state` is what the decision saw. */
  | { readonly kind: 'unchanged'; readonly state: State }
  /** Nothing was recorded, the key is still free. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The key was used for another body. */
  | { readonly kind: 'key_reused' }
  /** Its events are more than the store takes in one append; nothing was recorded, and the same again would end the same. */
  | { readonly kind: 'too_large' }
  /** Other processes kept writing the stream first; nothing was recorded. */
  | { readonly kind: 'conflict' }
  /** Too much is waiting; nothing was recorded. */
  | { readonly kind: 'overloaded' }
  /** The store cannot be reached; nothing was recorded. */
  | { readonly kind: 'unavailable' }
  /** It may have been recorded; the same key settles it. */
  | { readonly kind: 'outcome_unknown' };

/** How a command would end if it were given now. Its events have ids and revisions that only it would give them, and the stream's newest position. */
export type CommandPreview<Event, State, Refusal extends Refused> =
  | CommandOutcome<Event, State, Refusal>
  | { readonly kind: 'would_record'; readonly events: readonly Recorded<Event>[] };

/** How events become bytes and come back; the ledger's table, given by the composition root. */
export type Codec<Event extends TypedEvent> = {
  decode(stored: EncodedEvent): Event | { readonly undecodable: string };
  schemaVersionOf(type: Event['type']): number;
  dataToStore(event: Event): object;
};
