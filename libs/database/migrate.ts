import { Kysely, PostgresAdapter, PostgresDialect, sql } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import pg from 'pg';
import { READER_ROLE } from './database.js';
import { asDatabaseError, notConnected, DatabaseError } from './errors.js';

/** A schema and the statements of its versions by name, which tells their order. A version that was released never changes. */
export type SchemaVersions = { readonly schema: string; readonly versions: Readonly<Record<string, string>> };

/** Statements that make the role of customers' queries, for a version that grants it something. */
export const ensureReaderRole = `
  do $$
  begin
    -- Roles belong to the whole server: another database's migration may be making the same one right now.
    if not exists (select from pg_roles where rolname = '${READER_ROLE}') then
      create role ${READER_ROLE} nologin;
    end if;
  exception when duplicate_object or unique_violation then null;
  end $$;
  do $$
  begin
    set local role ${READER_ROLE};
    reset role;
  exception when insufficient_privilege then
    execute format('grant ${READER_ROLE} to %I', current_user);
  end $$;`;

/** Kysely's own lock belongs to a session, which a transaction pooler does not give. Ours is held by the transaction. */
class LockedByTransaction extends PostgresAdapter {
  override acquireMigrationLock(): Promise<void> {
    return Promise.resolve();
  }

  override releaseMigrationLock(): Promise<void> {
    return Promise.resolve();
  }
}

class MigrationDialect extends PostgresDialect {
  override createAdapter(): PostgresAdapter {
    return new LockedByTransaction();
  }
}

/**
 * Brings a schema to its newest version, in one transaction. Safe to run again, by several processes at once, and behind a
 * transaction pooler. Throws DatabaseError, with a plain message where the user may not create the role.
 */
export async function migrateSchema(url: string, { schema, versions }: SchemaVersions): Promise<void> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: 5_000,
    application_name: 'scrip migrate',
  });
  pool.on('error', () => undefined);
  const db = new Kysely<unknown>({ dialect: new MigrationDialect({ pool }) });
  const migrations = Object.fromEntries(Object.entries(versions).map(([name, text]) => [name, migrationOf(text)]));
  try {
    const reached = await pool.connect().catch((error: unknown) => {
      throw notConnected(error);
    });
    reached.release();
    await db.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(hashtextextended(${`${schema}/migrate`}, 0))`.execute(transaction);
      const { error } = await new Migrator({
        db: transaction,
        provider: { getMigrations: () => Promise.resolve(migrations) },
        migrationTableSchema: schema,
        migrationTableName: 'migrations',
        migrationLockTableName: 'migrations_lock',
      }).migrateToLatest();
      if (error !== undefined) throw error;
    });
  } catch (error) {
    throw explained(asDatabaseError(error));
  } finally {
    await db.destroy();
  }
}

const migrationOf = (text: string): Migration => ({
  up: async (db) => {
    await sql.raw(text).execute(db);
  },
});

function explained(error: DatabaseError): DatabaseError {
  if (error.sqlState !== '42501') return error;
  return new DatabaseError(
    error.sqlState,
    `the database user may not set up the role ${READER_ROLE}; run once as an administrator: ` +
      `create role ${READER_ROLE} nologin; grant ${READER_ROLE} to <the database user>`,
    { cause: error },
  );
}
