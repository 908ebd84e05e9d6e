import { openDatabase, READER_ROLE } from '#database/database.js';
import { ensureReaderRole, migrateSchema } from '#database/migrate.js';
import type { Clock } from '#kernel/clock.js';
import { ensureProjections } from './generations.js';
import type { Projection } from './projection.js';
import { SCHEMA } from './schema.js';

/** The fixed table. Projections make their own tables, generation by generation. */
const initial = `
  ${ensureReaderRole}
  grant usage on schema ${SCHEMA} to ${READER_ROLE};

  create table ${SCHEMA}.projection_checkpoints (
    name text not null,
    generation int not null,
    version int not null,
    role text not null check (role in ('live', 'building', 'retired')),
    state text not null check (state in ('running', 'halted')),
    position bigint not null,
    tables text[] not null,
    halted_position bigint,
    halted_reason text,
    rebuild_requested boolean not null default false,
    primary key (name, generation)
  ) with (fillfactor = 50);
  create unique index on ${SCHEMA}.projection_checkpoints (name) where role = 'live';
  create unique index on ${SCHEMA}.projection_checkpoints (name) where role = 'building';
  grant select on ${SCHEMA}.projection_checkpoints to ${READER_ROLE};`;

/**
 * Brings the schema of the read models up to date, and makes an empty first generation of each projection that has none. Safe
 * to run again and by several processes at once. Errors: those of migrateSchema.
 */
export async function migrateReadModels<Event>(
  url: string,
  clock: Clock,
  projections: readonly Projection<Event>[],
): Promise<void> {
  await migrateSchema(url, { schema: SCHEMA, versions: { '001-initial': initial } });
  const db = openDatabase(url, { clock, poolSize: 1 });
  try {
    await ensureProjections(db, projections);
  } finally {
    await db.close();
  }
}
