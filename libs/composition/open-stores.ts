import type { Config } from '#config/env.js';
import { openEventStore, openSnapshotStore } from '#event-store/event-store.module.js';
import type { EventStore } from '#event-store/port/event-store.js';
import type { KeyIndex } from '#event-store/port/key-index.js';
import type { SnapshotStore } from '#event-store/port/snapshots.js';
import type { Clock } from '#kernel/clock.js';
import { CommandKeyIndex } from '#projections/command-keys/key-index.js';
import { projectionsFor } from '#projections/registry.js';
import { migrateReadModels } from '#projecting/migrate.js';
import { migrateRecords } from '#records/migrate.js';
import { openDatabase, type Database, type DatabaseOptions } from '#database/database.js';

/** What a process reads and writes. */
export type Stores = {
  readonly store: EventStore;
  readonly snapshots: SnapshotStore;
  readonly database: Database;
  /** Null where the store knows every event id. */
  readonly keys: KeyIndex | null;
};

type Options = {
  readonly clock: Clock;
  /** Brings the tables besides the log to their newest version first; one process of an installation has to. */
  readonly migrates?: boolean;
} & Pick<DatabaseOptions, 'poolSize' | 'connectTimeoutMs' | 'queryTimeoutMs'>;

/** Opens what a process of the server stands on. Fails when the database cannot be reached. */
export async function openStores(
  config: Pick<Config, 'eventStore' | 'databaseDirectUrl'> & { readonly databaseUrl: string },
  { clock, migrates = false, ...reading }: Options,
): Promise<Stores> {
  const directUrl = config.databaseDirectUrl ?? config.databaseUrl;
  const store = await openLog(config.eventStore, () => directUrl, clock);
  if (migrates) await migrateDatabase(directUrl, store, clock);
  const snapshots = await openSnapshotStore(directUrl, clock);
  const database = openDatabase(config.databaseUrl, { clock, directUrl, ...reading });
  return { store, snapshots, database, keys: await keyIndexOf(store, () => database) };
}

/** The log that the environment names, its schema up to date; `directUrl` is asked for only where the log is in PostgreSQL. */
export async function openLog(
  eventStore: Config['eventStore'],
  directUrl: () => string | Promise<string>,
  clock: Clock,
): Promise<EventStore> {
  if (eventStore.kind !== 'postgres') return openEventStore(eventStore, clock);
  return openEventStore({ kind: 'postgres', databaseUrl: await directUrl() }, clock);
}

/** Brings the tables of the records and the read models to their newest version. */
export async function migrateDatabase(directUrl: string, store: EventStore, clock: Clock): Promise<void> {
  await migrateRecords(directUrl);
  await migrateReadModels(directUrl, clock, projectionsFor(store));
}

/** Where the keys of commands are found that the store does not find by itself; null where it finds all. */
export const keyIndexOf = async (
  store: EventStore,
  database: () => Database | Promise<Database>,
): Promise<KeyIndex | null> => (store.knowsEveryId ? null : new CommandKeyIndex(await database()));
