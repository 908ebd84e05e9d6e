import {
  CompiledQuery,
  type AccessMode,
  type Compilable,
  type ControlledTransaction,
  type IsolationLevel,
  type Kysely,
} from 'kysely';
import type pg from 'pg';
import type { Clock } from '#kernel/clock.js';
import { kyselyOn } from './kysely-on.js';

/**
 * One statement. With a name it is prepared once per connection, unless connections are lent by a pooler; equal names must mean
 * equal texts. A text of several statements has no values, and gives no rows.
 */
export type Statement = { readonly name?: string; readonly text: string; readonly values?: readonly unknown[] };

/** What can be asked for rows: the whole database, or one transaction of it. bigint columns arrive as text. */
export interface Reader {
  query<Row>(statement: Statement): Promise<readonly Row[]>;
  /** Runs what Kysely built. */
  rows<Row>(query: Compilable<Row>): Promise<readonly Row[]>;
}

/** The role that customers' queries run under; the policies of every table with `customer_id` are written for it. */
export const READER_ROLE = 'scrip_reader';

export type DatabaseOptions = {
  readonly clock: Clock;
  /**
   * Where PostgreSQL itself is reached. Another address than the database's says that the latter is a transaction pooler: no
   * statement is prepared there, and no setting is given to a session. Long transactions go to this one. Default: the same.
   */
  readonly directUrl?: string;
  /** Connections for queries; long transactions come on top. Default 8. */
  readonly poolSize?: number;
  /** After how many milliseconds a query is given up. Default 15,000. */
  readonly queryTimeoutMs?: number;
  /** After how many milliseconds without a connection a query is given up. Default 5,000. */
  readonly connectTimeoutMs?: number;
};

export type TransactionOptions = {
  readonly accessMode?: AccessMode;
  readonly isolationLevel?: IsolationLevel;
  /** Settings of PostgreSQL that hold for this transaction alone. */
  readonly settings?: Readonly<Record<string, string>>;
};

/** A transaction that outlives one function. Whoever began it ends it; when its connection is lost, every query fails. */
export type LongTransaction = Reader & { readonly end: () => Promise<void> };

type Executor = Pick<Kysely<unknown>, 'executeQuery'>;

const GOODBYE_MS = 1_000;

/** PostgreSQL besides the log, open. Every failure of a query is a DatabaseError. */
export class Database implements Reader {
  readonly clock: Clock;
  readonly #kysely: Kysely<unknown>;
  /** Of connections for long transactions. */
  readonly #direct: pg.PoolConfig;
  /** The names of statements that are prepared, by their text. Null behind a pooler. */
  readonly #names: Map<string, string> | null;
  /** What a session would be told once. */
  readonly #limits: Readonly<Record<string, string>>;

  constructor(url: string, options: DatabaseOptions) {
    this.clock = options.clock;
    const { directUrl = url, poolSize = 8, queryTimeoutMs: timeout = 15_000, connectTimeoutMs = 5_000 } = options;
    const connection = { connectionTimeoutMillis: connectTimeoutMs, keepAlive: true, application_name: 'scrip' };
    const isPooled = directUrl !== url;
    this.#names = isPooled ? null : new Map();
    // A process that stands still within a transaction must not hold up the others for ever.
    const limits = { statement_timeout: timeout, idle_in_transaction_session_timeout: timeout };
    this.#limits = isPooled ? Object.fromEntries(Object.entries(limits).map(([name, ms]) => [name, String(ms)])) : {};
    this.#kysely = kyselyOn(
      {
        ...connection,
        ...(isPooled ? {} : limits),
        connectionString: url,
        max: poolSize,
        query_timeout: timeout + 500,
      },
      this.#names,
    );
    this.#direct = { ...connection, connectionString: directUrl, max: 1 };
  }

  query<Row>(statement: Statement): Promise<readonly Row[]> {
    return this.#reader(this.#kysely).query(statement);
  }

  rows<Row>(query: Compilable<Row>): Promise<readonly Row[]> {
    return this.#reader(this.#kysely).rows(query);
  }

  /** One transaction around `work`; rolled back when it throws. `work` must use the reader that it is given. */
  transaction<Result>(work: (reader: Reader) => Promise<Result>, options: TransactionOptions = {}): Promise<Result> {
    let begin = this.#kysely.transaction();
    if (options.accessMode !== undefined) begin = begin.setAccessMode(options.accessMode);
    if (options.isolationLevel !== undefined) begin = begin.setIsolationLevel(options.isolationLevel);
    return begin.execute(async (transaction) => {
      await set(transaction, { ...this.#limits, ...options.settings });
      return work(this.#reader(transaction));
    });
  }

  /**
   * Begins a transaction on a connection to PostgreSQL of its own, which the caller ends. Its queries have no limit of time unless
   * `queryTimeoutMs` gives them one; whatever comes after a query that was given up fails.
   * @param name what the server calls the connection.
   */
  async begin(
    name: string,
    options: TransactionOptions & { readonly queryTimeoutMs?: number } = {},
  ): Promise<LongTransaction> {
    const { accessMode, isolationLevel, settings = {}, queryTimeoutMs } = options;
    const kysely = kyselyOn(
      {
        ...this.#direct,
        application_name: `scrip ${name}`,
        ...(queryTimeoutMs === undefined ? {} : { query_timeout: queryTimeoutMs }),
      },
      null,
    );
    try {
      let begin = kysely.startTransaction();
      if (accessMode !== undefined) begin = begin.setAccessMode(accessMode);
      if (isolationLevel !== undefined) begin = begin.setIsolationLevel(isolationLevel);
      const transaction = await begin.execute();
      await set(transaction, settings);
      return { ...this.#reader(transaction), end: () => this.#goodbye(kysely, transaction) };
    } catch (error) {
      await this.#goodbye(kysely, null);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#kysely.destroy();
  }

  /** Ends a connection. Waits for the server's answer only so long: one that hangs, or broke inside TLS, never gives it. */
  async #goodbye(kysely: Kysely<unknown>, transaction: ControlledTransaction<unknown> | null): Promise<void> {
    const ended = new AbortController();
    const ending = async (): Promise<void> => {
      if (transaction?.isRolledBack === false) await transaction.rollback().execute();
      await kysely.destroy();
    };
    await Promise.race([ending().catch(() => undefined), this.clock.sleep(GOODBYE_MS, ended.signal)]);
    ended.abort();
  }

  #reader(on: Executor): Reader {
    const run = async <Row>(query: CompiledQuery<Row>): Promise<readonly Row[]> => (await on.executeQuery(query)).rows;
    return {
      query: <Row>({ name, text, values = [] }: Statement) => {
        if (name !== undefined) this.#names?.set(text, name);
        return run(CompiledQuery.raw(text, [...values]) as CompiledQuery<Row>);
      },
      rows: <Row>(query: Compilable<Row>) => run(query.compile()),
    };
  }
}

async function set(on: Executor, settings: Readonly<Record<string, string>>): Promise<void> {
  const names = Object.keys(settings);
  if (names.length === 0) return;
  const calls = names.map((_, index) => `set_config($${String(2 * index + 1)}, $${String(2 * index + 2)}, true)`);
  await on.executeQuery(CompiledQuery.raw(`select ${calls.join(', ')}`, Object.entries(settings).flat()));
}

/** Opens the database at a `postgres://` URL; connections are made when they are needed. */
export const openDatabase = (url: string, options: DatabaseOptions): Database => new Database(url, options);
