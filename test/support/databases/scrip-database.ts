import { SystemClock } from '#config/system-clock.js';
import { openEventStore, openSnapshotStore } from '#event-store/event-store.module.js';
import { projectionsFor } from '#projections/registry.js';
import { migrateReadModels } from '#projecting/migrate.js';
import { migrateRecords } from '#records/migrate.js';

/** Gives an empty database Scrip's tables: the log, snapshots, read models. */
export async function migrateScrip(url: string): Promise<void> {
  const clock = new SystemClock();
  const store = await openEventStore({ kind: 'postgres', databaseUrl: url }, clock);
  await store.close();
  const snapshots = await openSnapshotStore(url, clock);
  if ('close' in snapshots) await (snapshots as { close(): Promise<void> }).close();
  await migrateRecords(url);
  await migrateReadModels(url, clock, projectionsFor({ knowsEveryId: true }));
}
