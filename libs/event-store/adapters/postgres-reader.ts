import pg from 'pg';
import type { Clock } from '#kernel/clock.js';
import type { StreamName } from '#kernel/stream-name.js';
import { StoreUnavailable, positionOf, type RecordedEvent } from '../event-store.js';
import { within } from './deadline.js';
import { sessionOptions } from './postgres-session.js';

const columns =
  "position, revision, schema_version, id, stream, type, encode(prev_hash, 'hex'), encode(hash, 'hex'), data, metadata";

const streamText = `select ${columns} from scrip_log.events where stream = $1 and revision >= $2 order by revision limit $3`;

/** A page ends early behind the event with which it reaches the bytes; it always holds one event if there is one. */
const pageText = `select ${columns} from (
  select *, sum(octet_length(data) + octet_length(metadata)) over (order by position rows unbounded preceding)
    - octet_length(data) - octet_length(metadata) as bytes_before
  from (select * from scrip_log.events where position > $1 order by position limit $2) page
) bounded where bytes_before < $3 order by position`;

const placesText = `select id, stream, revision, position, encode(hash, 'hex') as hash from scrip_log.events where id = any($1)`;
const revisionText = 'select coalesce(max(revision), -1) as revision from scrip_log.events where stream = $1';
const headText = 'select coalesce(max(position), 0) as position from scrip_log.events';

type Row = [string, number, number, string, string, string, string, string, string, string];

/** An event found by its id. */
export type Place = {
  readonly id: string;
  readonly stream: StreamName;
  readonly revision: number;
  readonly position: string;
  readonly hash: string;
};

/** Reads of the log through a small pool, each within a deadline. All errors are StoreUnavailable. */
export class PostgresReader {
  readonly #pool: pg.Pool;

  constructor(
    url: string,
    private readonly clock: Clock,
    private readonly limits: { readonly connections: number; readonly deadlineMs: number; readonly connectMs: number },
  ) {
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: 'scrip-log-reader',
      max: limits.connections,
      connectionTimeoutMillis: limits.connectMs,
      keepAlive: true,
      options: sessionOptions(limits.deadlineMs),
    });
    this.#pool.on('error', () => undefined); // a lost idle connection is replaced by the pool
  }

  /** The pool itself, for the schema's migration. */
  get pool(): pg.Pool {
    return this.#pool;
  }

  async stream(stream: StreamName, fromRevision: number, limit: number): Promise<readonly RecordedEvent[]> {
    return (await this.#query<Row>('stream', streamText, [stream, fromRevision, limit], true)).map(eventOf);
  }

  /** At most `limit` events after `after`, fewer when they reach `bytes`. */
  async page(after: number, limit: number, bytes: number): Promise<readonly RecordedEvent[]> {
    return (await this.#query<Row>('page', pageText, [after, limit, bytes], true)).map(eventOf);
  }

  async places(eventIds: readonly string[]): Promise<readonly Place[]> {
    return this.#query<Place>('places', placesText, [eventIds], false);
  }

  /** The newest revision of the stream; -1 when there is none. */
  async revision(stream: StreamName): Promise<number> {
    const [row] = await this.#query<{ revision: number }>('revision', revisionText, [stream], false);
    return row?.revision ?? -1;
  }

  async head(): Promise<number> {
    const [row] = await this.#query<{ position: string }>('head', headText, [], false);
    return Number(row?.position ?? 0);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #query<R>(name: string, text: string, values: unknown[], asArrays: boolean): Promise<R[]> {
    try {
      const client = await this.#pool.connect();
      try {
        const config = { name, text, values, ...(asArrays ? { rowMode: 'array' } : {}) };
        const { rows } = await within(this.clock, this.limits.deadlineMs, client.query(config));
        client.release();
        return rows as R[];
      } catch (error) {
        client.release(true); // it may be lost, or still busy
        throw error;
      }
    } catch (cause) {
      throw new StoreUnavailable('the log cannot be read', { cause });
    }
  }
}

const eventOf = (row: Row): RecordedEvent => ({
  id: row[3],
  type: row[5],
  schemaVersion: row[2],
  data: row[8],
  metadata: row[9],
  prevHash: row[6],
  hash: row[7],
  stream: row[4],
  revision: row[1],
  position: positionOf(Number(row[0])),
});
