import pg from 'pg';
import type { Clock } from '#kernel/clock.js';
import { OutcomeUnknown, StoreOverloaded, StoreUnavailable, type AppendRequest } from '../event-store.js';
import { DeadlinePassed, within } from './deadline.js';
import { FlushEncoder } from './postgres-encoding.js';
import { sessionOptions } from './postgres-session.js';

/** Bounds of one process's writer. */
export type WriterLimits = {
  /** Events and bytes of one flush; a larger append goes alone. */
  readonly flushEvents: number;
  readonly flushBytes: number;
  /** Events and bytes that may wait. */
  readonly queueEvents: number;
  readonly queueBytes: number;
  /** How long a flush may take before its outcome counts as unknown. */
  readonly deadlineMs: number;
  readonly connectMs: number;
};

/** How an append ended: stored at `first` and the places after it, or not stored for a reason that a read finds out. */
type Flushed = { readonly kind: 'stored'; readonly first: number } | { readonly kind: 'rejected' };

type Waiting = {
  readonly request: AppendRequest;
  readonly bytes: number;
  resolve(result: Flushed): void;
  reject(error: Error): void;
  /** What a failed flush taught: look its ids up first; send it without others. */
  checkIds: boolean;
  alone: boolean;
};

type Connection = { readonly client: pg.Client; readonly newEventOid: number };

const firstBackOffMs = 25;
const maxBackOffMs = 1_000;
const uniqueViolation = '23505';
/** Classes of errors that lie in what was sent: data, constraints, limits, protocol. All others lie in the server. */
const sendersFault = new Set(['08', '22', '23', '54']);

/**
 * An error that ended the statement and nothing else. Told by its code, since its severity comes in the server's language.
 * After a shutdown, a lost connection or a failure of the server itself the transaction may have been committed before.
 */
const isCertainlyUndone = (code: string | undefined): boolean => code !== undefined && !/^(57P|08|58|XX)/.test(code);

const appendText = 'select head, rejected from scrip_log.append($1, $2, $3, $4)';

/**
 * Group commit: one connection, one flush at a time. What arrives while a flush is under way waits and is written together
 * by the next one, in one round trip and one transaction.
 */
export class PostgresWriter {
  readonly #encoder = new FlushEncoder();
  #queue: Waiting[] = [];
  #queuedEvents = 0;
  #queuedBytes = 0;
  #connection: Connection | null = null;
  #failures = 0;
  #running: Promise<void> | null = null;
  #closed = false;

  constructor(
    private readonly url: string,
    private readonly clock: Clock,
    private readonly limits: WriterLimits,
    /** Told the newest position after each flush that stored something. */
    private readonly onStored: (head: number) => void,
  ) {}

  append(request: AppendRequest): Promise<Flushed> {
    if (this.#closed) return Promise.reject(new StoreUnavailable('the store is closed'));
    const bytes = sizeOf(request);
    const full =
      this.#queuedEvents + request.events.length > this.limits.queueEvents ||
      this.#queuedBytes + bytes > this.limits.queueBytes;
    if (full && this.#queue.length > 0) return Promise.reject(new StoreOverloaded('too many appends are waiting'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, bytes, resolve, reject, checkIds: false, alone: false });
      this.#queuedEvents += request.events.length;
      this.#queuedBytes += bytes;
      this.#running ??= this.#run();
    });
  }

  /** Settles what waits and ends the connection. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#connection?.client.end();
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // appends of the same moment go together
    while (this.#queue.length > 0) {
      try {
        const connection = await this.#connect();
        await this.#flush(connection, this.#take());
      } catch (error) {
        this.#refuse(this.#queue, error);
        this.#queue = [];
        this.#queuedEvents = 0;
        this.#queuedBytes = 0;
      }
    }
    this.#running = null;
  }

  /** The next flush: in order, within the limits, each stream once (its second append expects what the first one leaves). */
  #take(): Waiting[] {
    const batch: Waiting[] = [];
    const later: Waiting[] = [];
    const streams = new Set<string>();
    let events = 0;
    let bytes = 0;
    let full = false;
    for (const waiting of this.#queue) {
      const { stream, events: own } = waiting.request;
      full ||=
        batch.length > 0 &&
        (waiting.alone ||
          events + own.length > this.limits.flushEvents ||
          bytes + waiting.bytes > this.limits.flushBytes);
      if (full || streams.has(stream)) {
        later.push(waiting);
      } else {
        batch.push(waiting);
        events += own.length;
        bytes += waiting.bytes;
        full = waiting.alone;
      }
      streams.add(stream);
    }
    this.#queue = later;
    this.#queuedEvents -= events;
    this.#queuedBytes -= bytes;
    return batch;
  }

  #putBack(batch: readonly Waiting[]): void {
    this.#queue = [...batch, ...this.#queue];
    for (const { request, bytes } of batch) {
      this.#queuedEvents += request.events.length;
      this.#queuedBytes += bytes;
    }
  }

  /** Sends one flush and settles its appends, or puts them back. Throws when the queue should not wait any longer. */
  async #flush({ client, newEventOid }: Connection, batch: readonly Waiting[]): Promise<void> {
    const requests = batch.map(({ request }) => request);
    const checkIds = batch.some((waiting) => waiting.checkIds);
    const values = [...this.#encoder.encode(requests, newEventOid), checkIds];
    try {
      const query = client.query<[string, number[]]>({ name: 'append', text: appendText, values, rowMode: 'array' });
      const { rows } = await within(this.clock, this.limits.deadlineMs, query);
      const [head, rejected] = rows[0] ?? ['0', []];
      this.#settle(batch, Number(head), new Set(rejected));
    } catch (error) {
      if (error instanceof pg.DatabaseError && isCertainlyUndone(error.code)) {
        this.#undone(batch, error);
        return;
      }
      // Lost, hung or ended by the server: it may have committed before.
      this.#drop(client);
      for (const { reject } of batch) reject(new OutcomeUnknown('no answer to an append', { cause: error }));
      if (error instanceof DeadlinePassed) throw error;
    }
  }

  #settle(batch: readonly Waiting[], head: number, rejected: ReadonlySet<number>): void {
    let position = head;
    for (const [index, { request, resolve }] of batch.entries()) {
      if (rejected.has(index + 1)) {
        resolve({ kind: 'rejected' });
      } else {
        resolve({ kind: 'stored', first: position + 1 });
        position += request.events.length;
      }
    }
    if (position > head) this.onStored(position);
  }

  /** After an error of the statement: its transaction is certainly undone. Finds out which append is to blame. */
  #undone(batch: readonly Waiting[], error: pg.DatabaseError): void {
    if (!sendersFault.has((error.code ?? '').slice(0, 2))) {
      this.#refuse(batch, error);
    } else if (error.code === uniqueViolation && !batch.every(({ checkIds }) => checkIds)) {
      for (const waiting of batch) waiting.checkIds = true;
      this.#putBack(batch);
    } else if (batch.length > 1) {
      for (const waiting of batch) waiting.alone = true;
      this.#putBack(batch);
    } else {
      for (const { reject } of batch) reject(error);
    }
  }

  #refuse(appends: readonly Waiting[], cause: unknown): void {
    for (const { reject } of appends) reject(new StoreUnavailable('the log cannot be written', { cause }));
  }

  async #connect(): Promise<Connection> {
    if (this.#connection !== null) return this.#connection;
    if (this.#failures > 0) {
      const longest = Math.min(firstBackOffMs * 2 ** this.#failures, maxBackOffMs);
      await this.clock.sleep(longest * (0.5 + this.clock.random() / 2));
    }
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'scrip-log-writer',
      connectionTimeoutMillis: this.limits.connectMs,
      keepAlive: true,
      // Shorter than the deadline, so that a lock held too long is a certain refusal and not an unknown outcome.
      options: sessionOptions(this.limits.deadlineMs * 0.8),
    });
    const lost = (): void => {
      this.#drop(client);
    };
    client.on('error', lost);
    client.on('end', lost);
    try {
      await client.connect();
      const type = client.query<{ oid: number }>("select 'scrip_log.new_event'::regtype::oid as oid");
      const newEventOid = (await within(this.clock, this.limits.connectMs, type)).rows[0]?.oid ?? 0;
      this.#failures = 0;
      this.#connection = { client, newEventOid };
      return this.#connection;
    } catch (error) {
      this.#failures += 1;
      client.end().catch(() => undefined);
      throw error;
    }
  }

  #drop(client: pg.Client): void {
    if (this.#connection?.client !== client) return;
    this.#connection = null;
    client.end().catch(() => undefined);
  }
}

const sizeOf = ({ events }: AppendRequest): number =>
  events.reduce((bytes, { data, metadata }) => bytes + data.length + metadata.length + bytesBesides, 0);
const bytesBesides = 200; // ids, hashes, names
