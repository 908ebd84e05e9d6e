import { sleepJittered, type Clock } from '#kernel/clock.js';
import type { Position, RecordedEvent } from '../event-store.js';
import type { EventStoreDbConnection } from './eventstoredb-connection.js';
import { isSystem, startRead, subscriptionAfter, type Answered, type ReadCall } from './eventstoredb-reads.js';

type Limits = { readonly silenceMs: number; readonly maxBufferedEvents: number };

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;
/** Events come one by one; so long the first waits for others, so that consumers get batches. */
const GATHER_MS = 5;

/**
 * All events after a position, for ever. The server drops subscribers that fall a little behind, and calls break or end for many
 * reasons: whatever the reason, the next call goes on after the last event delivered. Only a call that delivered nothing is
 * followed by a pause.
 */
export class EventStoreDbSubscription {
  #position: Position;
  #inbox: Inbox | null = null;
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
    const stop = (): void => this.#inbox?.close();
    this.signal.addEventListener('abort', stop);
    try {
      for (let delay = FIRST_DELAY_MS; !this.signal.aborted; delay = Math.min(delay * 2, LONGEST_DELAY_MS)) {
        for await (const batch of this.#oneCall()) {
          delay = 0;
          yield batch;
        }
        if (delay === 0) delay = FIRST_DELAY_MS / 2;
        else await sleepJittered(this.parts.clock, delay, this.signal);
      }
    } finally {
      this.signal.removeEventListener('abort', stop);
      stop();
    }
  }

  /** What one call delivers until it ends, in whatever way. Never rejects. */
  async *#oneCall(): AsyncGenerator<readonly RecordedEvent[], void> {
    const inbox = await this.#open();
    if (!inbox) return;
    try {
      for (;;) {
        const received = inbox.take();
        if (this.signal.aborted) return;
        const batch = received.filter((event) => event.position > this.#position && !isSystem(event));
        this.#position = batch.at(-1)?.position ?? this.#position;
        if (batch.length > 0) yield batch;
        else if (inbox.over) return;
        else if (await inbox.filled()) await this.parts.clock.sleep(GATHER_MS, this.signal);
        else if (await this.#missesEvents(inbox)) return;
      }
    } finally {
      inbox.close();
    }
  }

  async #open(): Promise<Inbox | null> {
    const starting = startRead(this.parts.connection, subscriptionAfter(this.#position)).then(
      (call) => new Inbox(call, this.parts.clock, this.parts.limits),
      () => null,
    );
    const inbox = await Promise.race([starting, this.#aborted]);
    if (!inbox) void starting.then((late) => late?.close());
    return (this.#inbox = inbox);
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
  #events: RecordedEvent[] = [];
  #heard = false;
  #wake: ((filled: boolean) => void) | null = null;
  readonly #ended = new AbortController();

  constructor(
    private readonly call: ReadCall,
    private readonly clock: Clock,
    private readonly limits: Limits,
  ) {
    call.on('data', ({ event }: Answered) => {
      this.#heard = true;
      if (!event) return;
      this.#events.push(event);
      if (this.#events.length >= limits.maxBufferedEvents) call.pause();
      this.#awaken(true);
    });
    call.on('end', () => this.#end());
    call.on('error', () => this.#end());
    void this.#watchSilence();
  }

  get over(): boolean {
    return this.#ended.signal.aborted;
  }

  take(): readonly RecordedEvent[] {
    const events = this.#events;
    this.#events = [];
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
    this.call.cancel();
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
      this.#heard = false;
      await this.clock.sleep(this.limits.silenceMs, this.#ended.signal);
      if (!this.#heard) this.#awaken(false);
    }
  }
}
