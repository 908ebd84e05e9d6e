import type { BinaryEventData } from '@eventstore/db-client';
import { assert } from '#kernel/assert.js';
import type { Clock } from '#kernel/clock.js';
import { DeadlinePassed, within } from '../reading/deadline.js';
import { NO_STREAM, StoreOverloaded, positionOf, type AppendRequest, type Position } from '../port/event-store.js';
import type { EventStoreDbConnection } from './connection.js';
import { failureOf, type AppendFailure } from './errors.js';
import { proposalBytesOf, proposalOf } from './metadata.js';

export type AppendAnswer =
  /** Revision and position of the last event; null when the server gave no position. */
  | { readonly kind: 'stored'; readonly revision: number; readonly position: Position | null }
  /** There was no answer before the deadline. */
  | { readonly kind: 'silent' }
  | AppendFailure;

type Waiting = { sent: boolean; readonly send: () => void };

/** The longest that an append waits for others to be sent with. */
const GATHER_MS = 4;
/** When a server freezes, all appends in flight are cancelled at once: it refuses a client that cancels very many. */
const MAX_IN_FLIGHT = 256;
/** The client ends its call so long after the deadline: the timer here comes first. */
const CALL_MARGIN_MS = 500;

/**
 * Appends, each a call of its own, so that none waits for another and none fails with another. Calls of single appends are
 * what the client makes when they carry credentials; its batched appends share a table that one broken connection empties.
 */
export class EventStoreDbAppends {
  /** Those that are not sent yet. */
  readonly #queue = new Set<Waiting>();
  #inFlight = 0;
  #waitingBytes = 0;
  #gathering = false;

  constructor(
    private readonly connection: EventStoreDbConnection,
    private readonly clock: Clock,
    private readonly limits: {
      appendDeadlineMs: number;
      maxPendingAppends: number;
      maxPendingBytes: number;
      maxAppendBytes: number;
    },
  ) {}

  /**
   * Answers within the deadline; what the server says later is dropped. Errors: StoreOverloaded. An append that is larger than
   * the server takes is a bug: the write path plans within the bound.
   */
  async append(request: AppendRequest): Promise<AppendAnswer> {
    const { appendDeadlineMs, maxAppendBytes, maxPendingAppends, maxPendingBytes } = this.limits;
    const events = request.events.map(proposalOf);
    const bytes = request.events.reduce((sum, event) => sum + proposalBytesOf(event), 0);
    assert(bytes <= maxAppendBytes, `an append of ${String(bytes)} bytes is too large`);
    if (this.#queue.size + this.#inFlight >= maxPendingAppends || this.#waitingBytes + bytes > maxPendingBytes)
      throw new StoreOverloaded('too many appends are waiting for EventStoreDB');
    this.#waitingBytes += bytes;
    let send = (): void => undefined;
    const turn = new Promise<void>((resolve) => (send = resolve));
    const waiting: Waiting = { sent: false, send };
    let ended = Promise.resolve();
    try {
      const answer = turn.then(() => this.#call(request, events));
      this.#enqueue(waiting);
      return await within(this.clock, appendDeadlineMs, answer);
    } catch (error) {
      if (!(error instanceof DeadlinePassed)) throw error;
      if (!waiting.sent) return { kind: 'refused', why: 'not sent in time' };
      ended = this.clock.sleep(CALL_MARGIN_MS);
      return { kind: 'silent' };
    } finally {
      this.#queue.delete(waiting);
      this.#waitingBytes -= bytes;
      if (waiting.sent) void ended.then(() => this.#ended());
    }
  }

  #ended(): void {
    this.#inFlight -= 1;
    this.#sendIfEnough();
  }

  /** Resolves when no append is under way; at most their deadline. */
  async settled(): Promise<void> {
    while (this.#queue.size + this.#inFlight > 0) await this.clock.sleep(GATHER_MS);
  }

  async #call({ stream, expectedRevision }: AppendRequest, events: BinaryEventData[]): Promise<AppendAnswer> {
    try {
      const { success, nextExpectedRevision, position } = await this.connection.client.appendToStream(stream, events, {
        expectedRevision: expectedRevision === NO_STREAM ? 'no_stream' : BigInt(expectedRevision),
        credentials: this.connection.credentials,
        deadline: this.limits.appendDeadlineMs + CALL_MARGIN_MS,
      });
      const revision = Number(nextExpectedRevision);
      if (!success) return { kind: 'conflict', actualRevision: revision };
      return { kind: 'stored', revision, position: position === undefined ? null : positionOf(position.commit) };
    } catch (error) {
      return failureOf(error);
    }
  }

  #enqueue(waiting: Waiting): void {
    this.#queue.add(waiting);
    this.#sendIfEnough();
    if (this.#queue.size > 0 && !this.#gathering) void this.#sendSoon();
  }

  /** What is sent together the server takes together, for a fraction of its work: as many as are in flight. */
  #sendIfEnough(): void {
    if (Math.min(this.#queue.size, MAX_IN_FLIGHT - this.#inFlight) >= this.#inFlight) this.#send();
  }

  async #sendSoon(): Promise<void> {
    this.#gathering = true;
    while (this.#queue.size > 0) {
      await this.clock.sleep(GATHER_MS);
      this.#send();
    }
    this.#gathering = false;
  }

  #send(): void {
    for (const waiting of this.#queue) {
      if (this.#inFlight >= MAX_IN_FLIGHT) return;
      this.#queue.delete(waiting);
      this.#inFlight += 1;
      waiting.sent = true;
      waiting.send();
    }
  }
}
