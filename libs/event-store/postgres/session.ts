import pg from 'pg';
import type { Clock } from '#kernel/clock.js';
import { StoreUnavailable } from '../port/event-store.js';
import { within } from '../reading/deadline.js';

/**
 * What every connection to the log asks of the server. All statements here are meant to walk an index, and a plan made
 * while the tables were empty must not choose otherwise.
 */
export const sessionOptions = (statementTimeoutMs: number): string =>
  [
    `statement_timeout=${Math.round(statementTimeoutMs)}`,
    'idle_in_transaction_session_timeout=10000',
    'enable_seqscan=off',
    // Neither may come from a setting of the database: two writers would fail on each other, or a commit not be durable.
    'default_transaction_isolation=read\\ committed',
    'synchronous_commit=on',
    'jit=off',
  ]
    .map((setting) => `-c ${setting}`)
    .join(' ');

export type SessionLimits = { readonly connections: number; readonly deadlineMs: number; readonly connectMs: number };

/** What PgBouncer answers to settings that it does not pass on. */
const protocolViolation = '08P01';
const noSessions =
  'the log needs sessions of PostgreSQL itself, which a transaction pooler does not give: set DATABASE_DIRECT_URL';

/** A small pool of connections in which every query ends within its deadline. */
export class PostgresSessions {
  readonly #pool: pg.Pool;

  /** @param named what the server calls the connections, and what they ask of it besides `sessionOptions`. */
  constructor(
    url: string,
    private readonly clock: Clock,
    private readonly limits: SessionLimits,
    named: { readonly name: string; readonly options?: string },
  ) {
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: named.name,
      max: limits.connections,
      connectionTimeoutMillis: limits.connectMs,
      keepAlive: true,
      allowExitOnIdle: true,
      options: `${sessionOptions(limits.deadlineMs)} ${named.options ?? ''}`,
    });
    const replaced = (): undefined => undefined; // the pool makes a new connection, and a query in work is rejected by itself
    this.#pool.on('error', replaced);
    this.#pool.on('connect', (client) => client.on('error', replaced));
  }

  /** The rows of one prepared statement. Errors: StoreUnavailable; another kind where the statement itself is at fault. */
  async query<Row>(statement: { name: string; text: string; values: unknown[]; rowMode?: 'array' }): Promise<Row[]> {
    try {
      const client = await this.#pool.connect();
      try {
        const { rows } = await within(this.clock, this.limits.deadlineMs, client.query(statement));
        client.release();
        return rows as Row[];
      } catch (error) {
        client.release(true); // it may be lost, or still busy
        throw error;
      }
    } catch (cause) {
      // What the server says may quote values, so only its code is told.
      const fault = faultIn(cause);
      if (fault !== null) throw new Error(`the statement "${statement.name}" is at fault: SQLSTATE ${fault}`);
      throw new StoreUnavailable('the database did not answer a read', { cause });
    }
  }

  /** Errors: StoreUnavailable, where a pooler stands before the server and takes what is asked of a session away. */
  async prove(): Promise<void> {
    const text = `select current_setting('enable_seqscan') = 'off' as kept`;
    const found = await this.#pool.query<{ kept: boolean }>(text).catch((cause: unknown) => {
      const isRefused = cause instanceof pg.DatabaseError && cause.code === protocolViolation;
      throw new StoreUnavailable(isRefused ? noSessions : 'the database did not answer', { cause });
    });
    if (found.rows[0]?.kept !== true) throw new StoreUnavailable(noSessions);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** The SQLSTATE of an error that waiting does not mend: bad values (class 22), or a statement that does not fit (42). */
function faultIn(error: unknown): string | null {
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) return null;
  return /^(22|42)/.test(error.code) ? error.code : null;
}
