import pg from 'pg';
import { positionOf, StoreUnavailable, type RecordedEvent } from '../event-store.js';
import type { LogShareRequest, TakeEvents } from '../log-share.js';
import { sessionOptions } from './postgres-session.js';

/** Handed on together: what is done with each event is then done to many in a row. */
const BATCH = 256;

/** What stands before the rows of a binary copy: its signature, flags and the length of an extension that there is none of. */
const HEADER_BYTES = 19;
/** A row begins with the number of its fields; the end is marked by a negative one. */
const FIELD_COUNT_BYTES = 2;

/** The columns in the order in which `eventIn` reads them. Streams are told apart by what follows the category, up to a dot. */
const copyText = ({ share, through }: LogShareRequest): string =>
  `copy (
    select position, revision, schema_version, id::text, stream, type, prev_hash, hash, data, metadata from scrip_log.events
     where position <= ${String(Number(through))}
       and mod(hashtext(split_part(substr(stream, position('-' in stream) + 1), '.', 1))::bigint + 2147483648, ${String(share.of)}) = ${String(share.index)}
     order by position
  ) to stdout (format binary)`;

/**
 * Reads a share of the log in one statement, in PostgreSQL's binary form and as fast as `take` goes along: rows that it has
 * not come to wait in the socket, not in memory. Throws StoreUnavailable, and what `take` throws.
 */
export async function readPostgresShare(request: LogShareRequest, take: TakeEvents): Promise<void> {
  const client = new pg.Client({
    connectionString: request.databaseUrl,
    application_name: 'scrip-log-share',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    options: sessionOptions(0),
  });
  client.on('error', () => undefined); // also told to the copy
  try {
    await client.connect().catch((cause: unknown) => {
      throw new StoreUnavailable('the database cannot be reached', { cause });
    });
    const copying = new CopyOut(copyText(request), take);
    client.query(copying);
    await copying.ended;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A statement that the client runs, and hands each message that it is answered with. */
class CopyOut {
  readonly ended: Promise<void>;
  readonly #text: string;
  readonly #take: TakeEvents;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #failed = false;
  #begun = false;
  #batch: RecordedEvent[] = [];

  constructor(text: string, take: TakeEvents) {
    this.#text = text;
    this.#take = take;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: pg.Connection): void {
    (connection as unknown as { query(text: string): void }).query(this.#text);
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#failed) return;
    const start = this.#begun ? 0 : HEADER_BYTES;
    this.#begun = true;
    if (chunk.length < start + FIELD_COUNT_BYTES || chunk.readInt16BE(start) < 0) return;
    this.#batch.push(eventIn(chunk, start + FIELD_COUNT_BYTES));
    if (this.#batch.length >= BATCH) this.#handOn();
  }

  handleCommandComplete(): void {
    if (this.#batch.length > 0) this.#handOn();
  }

  handleReadyForQuery(): void {
    this.#resolve();
  }

  handleError(cause: unknown): void {
    this.#fail(new StoreUnavailable('the database did not answer a read', { cause }));
  }

  #handOn(): void {
    const batch = this.#batch;
    this.#batch = [];
    try {
      this.#take(batch);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failed = true;
    this.#reject(error);
  }
}

/** The event of a row whose first field stands at `start`. */
function eventIn(row: Buffer, start: number): RecordedEvent {
  let end = start;
  const next = (): number => {
    const from = end + 4;
    end = from + row.readInt32BE(end);
    return from;
  };
  const upper = next();
  const position = positionOf(row.readUInt32BE(upper) * 2 ** 32 + row.readUInt32BE(upper + 4));
  const revision = row.readInt32BE(next());
  const schemaVersion = row.readInt32BE(next());
  return {
    position,
    revision,
    schemaVersion,
    id: row.toString('latin1', next(), end),
    stream: row.toString('utf8', next(), end),
    type: row.toString('utf8', next(), end),
    prevHash: row.toString('hex', next(), end),
    hash: row.toString('hex', next(), end),
    data: row.toString('utf8', next(), end),
    metadata: row.toString('utf8', next(), end),
  };
}
