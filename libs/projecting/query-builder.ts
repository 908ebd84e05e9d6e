import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { SCHEMA } from './schema.js';

/** A Kysely that only builds: typed SQL over `Tables` of the read schema, run by any Reader. */
export function queryBuilder<Tables>(): Kysely<Tables> {
  const kysely = new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
  return kysely.withSchema(SCHEMA);
}
