import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { asDatabaseError, isUnanswered, notConnected, type DatabaseError } from './errors.js';

/**
 * A Kysely on a pool of PostgreSQL's connections. Every failure is a DatabaseError.
 * @param names of the statements that are prepared, by their text.
 */
export function kyselyOn(config: pg.PoolConfig, names: ReadonlyMap<string, string> | null): Kysely<unknown> {
  const pool = new pg.Pool(config);
  // The pool replaces a connection that breaks while idle; queries report their own failures. Between two statements of a
  // transaction nobody but the connection's own listener hears that it is lost.
  const replaced = (): undefined => undefined;
  pool.on('error', replaced);
  pool.on('connect', (client) => client.on('error', replaced));
  return new Kysely({ dialect: new PostgresDialect({ pool: new DialectPool(pool, names) }) });
}

/**
 * The pool as Kysely's dialect uses it: statements with a known name are prepared, every failure is a DatabaseError, and a
 * connection that did not answer is not lent again, nor asked anything else.
 */
class DialectPool implements PostgresPool {
  constructor(
    private readonly pool: pg.Pool,
    private readonly names: ReadonlyMap<string, string> | null,
  ) {}

  get options(): object {
    return this.pool.options;
  }

  async connect(): Promise<PostgresPoolClient> {
    const client = await this.pool.connect().catch((error: unknown) => {
      throw notConnected(error);
    });
    let lost: DatabaseError | null = null;
    const query = async (text: string, values: readonly unknown[]): Promise<pg.QueryResult> => {
      if (lost !== null) throw lost;
      const name = this.names?.get(text);
      try {
        return await client.query({ ...(name === undefined ? {} : { name }), text, values: [...values] });
      } catch (error) {
        const failure = asDatabaseError(error);
        if (isUnanswered(failure)) lost = failure;
        throw failure;
      }
    };
    return {
      query: query as unknown as PostgresPoolClient['query'],
      release: () => {
        client.release(lost !== null);
      },
    };
  }

  end(): Promise<void> {
    return this.pool.end();
  }
}
