import { streamNameFilter, type AllStreamSubscription } from '@eventstore/db-client';
import { sleepJittered, type Clock } from '#kernel/clock.js';
import type { Position, RecordedEvent } from '../port/event-store.js';
import type { EventStoreDbConnection } from './connection.js';
import { isSystem, recordedOf, type ReceivedEvent } from './metadata.js';
import { clientPosition } from './reads.js';

type Limits = {
  readonly silenceMs: number;
  readonly maxBufferedEvents: number;
  readonly maxBufferedBytes: number;
};

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;
/** Events come one by one; so long the first waits for others, so that consumers get batches. */
const GATHER_MS = 5;
/** The streams of the server itself stay with it. */
const ownStreams = streamNameFilter({ regex: '^[^$]', checkpointInterval: 1_000 });

/**
 * All events after a position, for ever. The server drops subscribers that fall a little behind, and calls break or end for many
 * reasons: whatever the reason, the next call goes on after the last event delivered. Only a call that delivered nothing is
 * followed by a pause.
 */
export class EventStoreDbSubscription {
  #position: Position;
  readonly #aborted: Promise<null>;

  /** `signal` must be this subscription's own: listeners stay on it. */
  constructor(
    private readonly parts: {
      readonly connection: EventStoreDbConnection;
      readonly clock: Clock;
      readonly limits: Limits;
      readonly head: () => Promise<Position>;
    },
    after: Position,
    private readonly signal: AbortSignal,
  ) {
    this.#position = after;
    this.#aborted = new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(null), { once: true });
    });
  }

  async *batches(): AsyncGenerator<readonly RecordedEvent[], void> {
    for (let delay = FIRST_DELAY_MS; !this.signal.aborted; delay = Math.min(delay * 2, LONGEST_DELAY_MS)) {
      for await (const batch of this.#oneCall()) {
        delay = 0;
        yield batch;
      }
      if (delay === 0) delay = FIRST_DELAY_MS / 2;
      else await sleepJittered(this.parts.clock, delay, this.signal);
    }
  }

  /** What one call delivers until it ends, in whatever way. Never rejects. */
  async *#oneCall(): AsyncGenerator<readonly RecordedEvent[], void> {
    const { client, credentials } = this.parts.connection;
    const fromPosition = clientPosition(this.#position);
    const call = client.subscribeToAll({ fromPosition, filter: ownStreams, credentials });
    const inbox = new Inbox(call, this.parts.clock, this.parts.limits);
    const stop = (): void => inbox.close();
    this.signal.addEventListener('abort', stop);
    try {
      for (;;) {
        const received = inbox.take().map(recordedOf);
        if (this.signal.aborted) return;
        const batch = received.filter((event) => event.position > this.#position && !isSystem(event));
        this.#position = batch.at(-1)?.position ?? this.#position;
        if (batch.length > 0) yield batch;
        else if (inbox.over) return;
        else if (await inbox.filled()) await this.parts.clock.sleep(GATHER_MS, this.signal);
        else if (await this.#missesEvents(inbox)) return;
      }
    } finally {
      this.signal.removeEventListener('abort', stop);
      inbox.close();
    }
  }

  /** Whether the log went on while the call stayed silent, and the call still says nothing. */
  async #missesEvents(inbox: Inbox): Promise<boolean> {
    const head = await Promise.race([this.parts.head().catch(() => null), this.#aborted]);
    if (head !== null && head <= this.#position) return false;
    return !(await inbox.filled());
  }
}

/** The events that a call has brought and nobody has taken yet. Full, it stops reading, and the server has to wait. */
class Inbox {
  #events: ReceivedEvent[] = [];
  #bytes = 0;
  #active = false;
  #wake: ((filled: boolean) => void) | null = null;
  readonly #ended = new AbortController();

  constructor(
    private readonly call: AllStreamSubscription,
    private readonly clock: Clock,
    private readonly limits: Limits,
  ) {
    call.on('data', ({ event }) => {
      this.#active = true;
      if (event === undefined) return;
      this.#events.push(event);
      this.#bytes += event.isJson ? 0 : event.data.length; // Scrip's own are never JSON to the server
      if (this.#events.length >= limits.maxBufferedEvents || this.#bytes >= limits.maxBufferedBytes) call.pause();
      this.#awaken(true);
    });
    for (const ending of ['end', 'close', 'error'] as const) call.on(ending, () => this.#end());
    void this.#watchSilence();
  }

  get over(): boolean {
    return this.#ended.signal.aborted;
  }

  take(): readonly ReceivedEvent[] {
    const events = this.#events;
    this.#events = [];
    this.#bytes = 0;
    if (this.call.isPaused()) this.call.resume();
    return events;
  }

  /** Waits until there is something to take, or the call is over; false when it is silent for long. */
  filled(): Promise<boolean> {
    if (this.over || this.#events.length > 0) return Promise.resolve(true);
    return new Promise((resolve) => (this.#wake = resolve));
  }

  close(): void {
    this.#end();
    this.call.unsubscribe().catch(() => undefined);
  }

  #end(): void {
    this.#ended.abort();
    this.#awaken(true);
  }

  #awaken(filled: boolean): void {
    this.#wake?.(filled);
    this.#wake = null;
  }

  async #watchSilence(): Promise<void> {
    while (!this.over) {
      this.#active = false;
      await this.clock.sleep(this.limits.silenceMs, this.#ended.signal);
      if (!this.#active) this.#awaken(false);
    }
  }
}
