import type { Compilable } from 'kysely';
import pg from 'pg';
import type { Clock } from '#kernel/clock.js';

/** A call to the read database failed. `sqlState` is null when there was no answer: the connection was lost or not let in. */
export class ReadDatabaseError extends Error {
  override readonly name = 'ReadDatabaseError';
  constructor(
    readonly sqlState: string | null,
    message: string,
    options?: { cause: unknown },
  ) {
    super(message, options);
  }
}

/** One statement. With a name it is prepared once per connection; equal names must mean equal texts. */
export type Statement = { readonly name?: string; readonly text: string; readonly values?: readonly unknown[] };

/** What can be asked for rows: the whole database, or one transaction of it. bigint columns arrive as text. */
export interface Reader {
  query<Row>(statement: Statement): Promise<readonly Row[]>;
  /** Runs what a `queryBuilder` built. */
  rows<Row>(query: Compilable<Row>): Promise<readonly Row[]>;
}

/** The role that customers' queries run under; the policies of every table with `customer_id` are written for it. */
export const READER_ROLE = 'scrip_reader';

type Queryable = { query(config: pg.QueryConfig): Promise<pg.QueryResult<pg.QueryResultRow>> };

async function ask<Row>(on: Queryable, statement: Statement): Promise<readonly Row[]> {
  try {
    const { name, text, values } = statement;
    const result = await on.query({ ...(name === undefined ? {} : { name }), text, values: [...(values ?? [])] });
    return result.rows as Row[];
  } catch (error) {
    throw asReadDatabaseError(error);
  }
}

const compiled = (query: Compilable): Statement => {
  const { sql, parameters } = query.compile();
  return { text: sql, values: parameters };
};

/** Any error of a statement as a ReadDatabaseError. The message of a server error may quote data; only its class and the names of things are kept. */
export function asReadDatabaseError(error: unknown): ReadDatabaseError {
  if (error instanceof ReadDatabaseError) return error;
  if (error instanceof pg.DatabaseError && error.code !== undefined) {
    const about = [error.schema, error.table, error.column, error.constraint]
      .filter((part) => part !== undefined)
      .join('.');
    return new ReadDatabaseError(error.code, `PostgreSQL error ${error.code}${about === '' ? '' : ` (${about})`}`, {
      cause: error,
    });
  }
  return new ReadDatabaseError(null, 'the database did not answer', { cause: error });
}

/** Whatever a server says to one that it does not let in, it is away: there was no statement that could be wrong. */
export function notConnected(error: unknown): ReadDatabaseError {
  // Only the code: a message may hold the address, and that of several addresses tried is empty.
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  return new ReadDatabaseError(null, `the database cannot be reached${code}`, { cause: error });
}

/** The connection is lost or hangs: whatever came next would only wait behind the statement that has no answer. */
const isUnanswered = (error: unknown): boolean => error instanceof ReadDatabaseError && error.sqlState === null;

const goodbyeMs = 1_000;

/** Ends a connection. Waits for the server's answer only so long: one that hangs, or broke inside TLS, never gives it. */
async function sayGoodbye(client: pg.Client, clock: Clock): Promise<void> {
  const ended = new AbortController();
  await Promise.race([client.end().catch(() => undefined), clock.sleep(goodbyeMs, ended.signal)]);
  ended.abort();
}

/**
 * A connection of its own, for work that holds locks across statements. When it is lost, so are its locks. A statement
 * without an answer in time ends it: all others then fail at once.
 */
export class Session implements Reader {
  readonly #client: pg.Client;
  readonly #clock: Clock;
  #ended = false;

  constructor(client: pg.Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  query<Row>(statement: Statement): Promise<readonly Row[]> {
    return this.#answered(ask<Row>(this.#client, statement));
  }

  rows<Row>(query: Compilable<Row>): Promise<readonly Row[]> {
    return this.query<Row>(compiled(query));
  }

  /** Several statements in one round trip, without parameters; the rows of all of them. */
  async script<Row>(text: string): Promise<readonly Row[]> {
    const results = (await this.#answered(this.#client.query(text))) as unknown as
      pg.QueryResult | readonly pg.QueryResult[];
    const all = Array.isArray(results) ? (results as readonly pg.QueryResult[]) : [results as pg.QueryResult];
    return all.flatMap(({ rows }) => rows as Row[]);
  }

  /** One transaction around `work`; rolled back when it throws. `begin` may add settings after `begin;`. */
  async transaction<Result>(work: (session: Session) => Promise<Result>, begin = 'begin'): Promise<Result> {
    await this.script(begin);
    try {
      const result = await work(this);
      await this.script('commit');
      return result;
    } catch (error) {
      await this.script('rollback').catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await sayGoodbye(this.#client, this.#clock);
  }

  async #answered<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      if (isUnanswered(asReadDatabaseError(error))) void this.close();
      throw asReadDatabaseError(error);
    }
  }
}

export type ReadDatabaseOptions = {
  readonly clock: Clock;
  /** Connections for queries; sessions come on top. Default 8. */
  readonly poolSize?: number;
  /** After how many milliseconds a query is given up. Default 15,000. */
  readonly queryTimeoutMs?: number;
  /** After how many milliseconds without a connection a query is given up. Default 5,000. */
  readonly connectTimeoutMs?: number;
};

/** The read models' database, open. Every failure is a ReadDatabaseError. */
export class ReadDatabase implements Reader {
  readonly clock: Clock;
  readonly #pool: pg.Pool;
  readonly #connection: pg.ClientConfig;

  constructor(url: string, options: ReadDatabaseOptions) {
    this.clock = options.clock;
    this.#connection = {
      connectionString: url,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 5000,
      keepAlive: true,
    };
    const timeout = options.queryTimeoutMs ?? 15_000;
    this.#pool = new pg.Pool({
      ...this.#connection,
      max: options.poolSize ?? 8,
      statement_timeout: timeout,
      query_timeout: timeout + 500,
      // A process that stands still within a transaction must not hold up the others for ever.
      idle_in_transaction_session_timeout: timeout,
      application_name: 'scrip read',
    });
    // The pool replaces a connection that breaks while idle; queries report their own failures. Between two statements of a
    // transaction nobody but the connection's own listener hears that it is lost.
    const replaced = (): undefined => undefined;
    this.#pool.on('error', replaced);
    this.#pool.on('connect', (client) => client.on('error', replaced));
  }

  async query<Row>(statement: Statement): Promise<readonly Row[]> {
    const client = await this.#connected();
    let broken = false;
    try {
      return await ask<Row>(client, statement);
    } catch (error) {
      broken = isUnanswered(error);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  rows<Row>(query: Compilable<Row>): Promise<readonly Row[]> {
    return this.query<Row>(compiled(query));
  }

  /** A connection of its own; the caller closes it. No time limit unless `queryTimeoutMs` is given. */
  async session(name: string, queryTimeoutMs?: number): Promise<Session> {
    const client = new pg.Client({
      ...this.#connection,
      application_name: `scrip ${name}`,
      ...(queryTimeoutMs === undefined
        ? {}
        : { statement_timeout: queryTimeoutMs, query_timeout: queryTimeoutMs + 1000 }),
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
    } catch (error) {
      await sayGoodbye(client, this.clock);
      throw notConnected(error);
    }
    return new Session(client, this.clock);
  }

  /** One transaction around `work` on a pooled connection; rolled back when it throws. `begin` may add settings after `begin;`. */
  async transaction<Result>(work: (reader: Reader) => Promise<Result>, begin = 'begin'): Promise<Result> {
    const client = await this.#connected();
    let broken = false;
    try {
      await ask(client, { text: begin });
      const reader: Reader = {
        query: (statement) => ask(client, statement),
        rows: (query) => ask(client, compiled(query)),
      };
      const result = await work(reader);
      await ask(client, { text: 'commit' });
      return result;
    } catch (error) {
      broken = isUnanswered(error);
      if (!broken) {
        await ask(client, { text: 'rollback' }).catch(() => {
          broken = true;
        });
      }
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  #connected(): Promise<pg.PoolClient> {
    return this.#pool.connect().catch((error: unknown) => {
      throw notConnected(error);
    });
  }
}

/** Opens the read database at a `postgres://` URL; connections are made when they are needed. */
export const openReadDatabase = (url: string, options: ReadDatabaseOptions): ReadDatabase =>
  new ReadDatabase(url, options);

/** A literal for statements that cannot have parameters. */
export const literal = (text: string): string => pg.escapeLiteral(text);
