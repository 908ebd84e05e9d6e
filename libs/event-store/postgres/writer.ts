import pg from 'pg';
import { sleepJittered, type Clock } from '#kernel/clock.js';
import { OutcomeUnknown, StoreOverloaded, StoreUnavailable, type AppendRequest } from '../port/event-store.js';
import { DeadlinePassed, within } from '../reading/deadline.js';
import { KnownStreams, type End, type FlushUnderWay } from './known-streams.js';
import { FlushEncoder } from './encoding.js';
import { sessionOptions } from './session.js';

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
  /** Its place in its flush for the database. */
  number: number;
};

/** Appends that are written together. */
type Flush = FlushUnderWay & {
  readonly batch: readonly Waiting[];
  /** The same: first the `unsure` ones, whose streams must be looked up. */
  readonly byNumber: readonly Waiting[];
  readonly unsure: number;
  readonly checkIds: boolean;
  /** The end of the log that makes the other streams stand where they are expected. */
  readonly after: End | null;
};

/** A connection with the buffers that its flushes are encoded into. */
type Connection = { readonly client: pg.Client; readonly newEventOid: number; readonly encoder: FlushEncoder };

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

const appendText = 'select head, rejected from scrip_log.append_after($1, $2, $3, $4, $5, $6, $7)';

/**
 * While one flush is being written, a second one waits for the log's lock inside the database and follows at once, instead of
 * after an answer and a turn of our event loop. More of them would only wait there longer.
 */
const flushesAtOnce = 2;
/** What a flush costs besides its events is little for so many of them; fewer had better wait for company. */
const worthASecondFlush = 32;

/**
 * Group commit. What arrives while flushes are under way waits and is written together by the next one, in one round trip and
 * one transaction.
 */
export class PostgresWriter {
  #queue: Waiting[] = [];
  #queuedEvents = 0;
  #queuedBytes = 0;
  readonly #flushesUnderWay = new Set<Flush>();
  #eventsUnderWay = 0;
  readonly #streamsUnderWay = new Set<string>();
  readonly #known = new KnownStreams();
  #running = 0;
  readonly #runs = new Set<Promise<void>>();
  readonly #open = new Set<Connection>();
  readonly #idle: Connection[] = [];
  #failures = 0;
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
      this.#queue.push({ request, bytes, resolve, reject, checkIds: false, alone: false, number: 0 });
      this.#queuedEvents += request.events.length;
      this.#queuedBytes += bytes;
      this.#start();
    });
  }

  /** Settles what waits and ends the connections. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#runs.size > 0) await Promise.all(this.#runs);
    await Promise.all([...this.#open].map(({ client }) => client.end()));
  }

  #start(): void {
    if (this.#running >= flushesAtOnce || !this.#isWorthAFlush()) return;
    this.#running += 1;
    const run = this.#run().finally(() => {
      this.#runs.delete(run);
    });
    this.#runs.add(run);
  }

  #isWorthAFlush(): boolean {
    if (this.#eventsUnderWay === 0) return this.#queue.length > 0;
    return this.#queuedEvents >= Math.max(this.#eventsUnderWay, worthASecondFlush);
  }

  /** Flush after flush, until nothing waits or what waits is left to the other run. */
  async #run(): Promise<void> {
    await Promise.resolve(); // appends of the same moment go together
    let written = 1;
    while (written > 0 && this.#isWorthAFlush()) {
      try {
        const connection = this.#idle.pop() ?? (await this.#connect());
        const batch = this.#take();
        await this.#flush(connection, batch);
        written = batch.length;
      } catch (error) {
        if (this.#running > 1) break;
        this.#refuse(this.#queue, error);
        this.#queue = [];
        this.#queuedEvents = 0;
        this.#queuedBytes = 0;
      }
    }
    this.#running -= 1;
  }

  /**
   * The next flush: in order, within the limits, each stream once and none that is under way (its next append expects what
   * that one leaves).
   */
  #take(): Waiting[] {
    const batch: Waiting[] = [];
    const later: Waiting[] = [];
    const streams = new Set(this.#streamsUnderWay);
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

  /** Writes one flush over a connection, which is idle again afterwards unless it was lost. */
  async #flush(connection: Connection, batch: readonly Waiting[]): Promise<void> {
    try {
      if (batch.length === 0) return;
      await this.#send(connection, this.#begin(batch));
    } finally {
      if (this.#open.has(connection)) this.#idle.push(connection);
    }
  }

  #begin(batch: readonly Waiting[]): Flush {
    const checkIds = batch.some((waiting) => waiting.checkIds);
    const [unsure, known]: [Waiting[], Waiting[]] = [[], []];
    for (const waiting of batch) (!checkIds && this.#known.include(waiting.request) ? known : unsure).push(waiting);
    const byNumber = [...unsure, ...known];
    for (const [index, waiting] of byNumber.entries()) waiting.number = index + 1;
    const [before] = this.#flushesUnderWay;
    const flush = {
      batch,
      byNumber,
      unsure: unsure.length,
      checkIds,
      after: this.#known.endAfter(before),
      events: batch.reduce((sum, { request }) => sum + request.events.length, 0),
      lastHash: batch.at(-1)?.request.events.at(-1)?.hash ?? '',
    };
    this.#flushesUnderWay.add(flush);
    this.#eventsUnderWay += flush.events;
    for (const { request } of batch) this.#streamsUnderWay.add(request.stream);
    return flush;
  }

  #ended(flush: Flush): void {
    this.#flushesUnderWay.delete(flush);
    this.#eventsUnderWay -= flush.events;
    for (const { request } of flush.batch) this.#streamsUnderWay.delete(request.stream);
  }

  /** Sends one flush and settles its appends, or puts them back. Throws when the queue should not wait any longer. */
  async #send({ client, newEventOid, encoder }: Connection, flush: Flush): Promise<void> {
    const { batch, byNumber, unsure, after, checkIds } = flush;
    const endHash = after === null ? null : Buffer.from(after.hash, 'hex');
    const values = [after?.position, endHash, unsure, ...encoder.encode(batch, byNumber, newEventOid), checkIds];
    const query = client.query<[string, number[]]>({ name: 'append', text: appendText, values, rowMode: 'array' });
    const answer = await within(this.clock, this.limits.deadlineMs, query).catch((error: unknown) => ({ error }));
    // In one step with what follows: an append that is put back must stand before a later one of its stream is taken.
    this.#ended(flush);
    if ('rows' in answer) {
      const [head, rejected] = answer.rows[0] ?? ['0', []];
      this.#settle(batch, Number(head), new Set(rejected));
    } else if (answer.error instanceof pg.DatabaseError && isCertainlyUndone(answer.error.code)) {
      this.#undone(batch, answer.error);
    } else {
      // Lost, hung or ended by the server: it may have committed before.
      this.#drop(client);
      for (const { reject } of batch) reject(new OutcomeUnknown('no answer to an append', { cause: answer.error }));
      if (answer.error instanceof DeadlinePassed) throw answer.error;
    }
  }

  #settle(batch: readonly Waiting[], head: number, rejected: ReadonlySet<number>): void {
    let position = head;
    const stored: AppendRequest[] = [];
    for (const { request, number, resolve } of batch) {
      if (rejected.has(number)) {
        resolve({ kind: 'rejected' });
      } else {
        resolve({ kind: 'stored', first: position + 1 });
        position += request.events.length;
        stored.push(request);
      }
    }
    this.#known.stored(head, stored);
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
    if (this.#failures > 0) {
      const longest = Math.min(firstBackOffMs * 2 ** this.#failures, maxBackOffMs);
      await sleepJittered(this.clock, longest);
    }
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'scrip-log-writer',
      connectionTimeoutMillis: this.limits.connectMs,
      keepAlive: true,
      // The timeout is shorter than the deadline, so that a lock held too long is a certain refusal and not an unknown outcome.
      // Planned once: all of it walks an index or what was sent, and planning a small flush again costs more than running it.
      options: `${sessionOptions(this.limits.deadlineMs * 0.8)} -c plan_cache_mode=force_generic_plan`,
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
      const connection = { client, newEventOid, encoder: new FlushEncoder() };
      this.#open.add(connection);
      return connection;
    } catch (error) {
      this.#failures += 1;
      client.end().catch(() => undefined);
      throw error;
    }
  }

  #drop(client: pg.Client): void {
    const connection = [...this.#open].find((open) => open.client === client);
    if (connection === undefined) return;
    this.#open.delete(connection);
    this.#known.forget();
    const place = this.#idle.indexOf(connection);
    if (place >= 0) this.#idle.splice(place, 1);
    client.end().catch(() => undefined);
  }
}

const sizeOf = ({ events }: AppendRequest): number =>
  events.reduce((bytes, { data, metadata }) => bytes + data.length + metadata.length + bytesBesides, 0);
const bytesBesides = 200; // ids, hashes, names
