import { isRefused, type Decider, type Refused, type TypedEvent } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { Codec, CommandRequest } from './command.js';
import { encodeEvent } from '../port/encode-event.js';
import type { EncodedEvent, EventStore } from '../port/event-store.js';
import type { LoadedStream } from './stream-loader.js';

/** What a command that was not recorded before comes to. */
export type Decision<Event, Refusal extends Refused> =
  | {
      readonly kind: 'events';
      readonly events: readonly Event[];
      readonly first: number;
      readonly firstId: string;
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'unchanged' }
  /** Its events alone are more than an append takes. */
  | { readonly kind: 'too_large' };

/** The one append of a batch while it is decided: its events, encoded, and the fork of the state that they lead to. */
export class BatchDraft<Command, Event extends TypedEvent, State, Refusal extends Refused> {
  readonly encoded: EncodedEvent[] = [];
  state: State;
  readonly #most: number;
  #bytes = 0;

  constructor(
    private readonly decider: Decider<Command, Event, State, Refusal>,
    private readonly codec: Codec<Event>,
    private readonly given: {
      readonly stream: StreamName;
      readonly loaded: LoadedStream<State>;
      readonly store: Pick<EventStore, 'maxAppendBytes' | 'sizeOf'>;
      readonly batchBytes: number;
    },
    private readonly at: Instant,
  ) {
    this.state = decider.fork(given.loaded.state);
    this.#most = Math.min(given.batchBytes, given.store.maxAppendBytes);
  }

  get isFull(): boolean {
    return this.#bytes >= this.#most;
  }

  /**
   * Decides a command and takes its events in, whole: null when they do not fit behind those of the others, and then nothing
   * has changed. The first may be as large as the store's largest append.
   */
  decide(
    request: CommandRequest<Command>,
    ids: (index: number) => string,
    past: Event | null,
  ): Decision<Event, Refusal> | null {
    const { decider, encoded } = this;
    const { loaded, store } = this.given;
    const first = encoded.length;
    const revision = loaded.revision + 1 + first;
    const decision = decider.decide(this.state, request.command, { at: this.at, revision, commandId: ids(0), past });
    if (isRefused<Event, Refusal>(decision)) return { kind: 'refused', refusal: decision };
    if (decision.length === 0) return { kind: 'unchanged' };
    const bytes = this.#encode(request, decision, ids);
    const isTooLarge = bytes > store.maxAppendBytes;
    if (isTooLarge || (first > 0 && this.#bytes + bytes > this.#most)) {
      encoded.length = first;
      return isTooLarge ? { kind: 'too_large' } : null;
    }
    this.#bytes += bytes;
    for (const [index, event] of decision.entries()) this.state = decider.evolve(this.state, event, revision + index);
    return { kind: 'events', events: decision, first, firstId: ids(0) };
  }

  /** Encodes a command's events behind those of the others, and says how many bytes they are. */
  #encode(request: CommandRequest<Command>, events: readonly Event[], ids: (index: number) => string): number {
    const { codec, encoded, at } = this;
    const { stream, loaded, store } = this.given;
    const { key, fingerprint, causationId, correlationId, actor } = request;
    let bytes = 0;
    for (const [index, event] of events.entries()) {
      const prevHash = encoded.at(-1)?.hash ?? loaded.hash;
      const written = encodeEvent(stream, loaded.revision + 1 + encoded.length, prevHash, {
        id: ids(index),
        type: event.type,
        schemaVersion: codec.schemaVersionOf(event.type),
        data: codec.dataToStore(event),
        metadata: { commandKey: key, commandHash: fingerprint, causationId, correlationId, actor, recordedAt: at },
      });
      encoded.push(written);
      bytes += store.sizeOf(written);
    }
    return bytes;
  }
}
