import type { Config } from '#config/env.js';
import type { EventStore } from '#event-store/event-store.js';
import { openEventStore, openSnapshotStore } from '#event-store/event-store.module.js';
import type { KeyIndex } from '#event-store/key-index.js';
import type { SnapshotStore } from '#event-store/snapshots.js';
import type { Clock } from '#kernel/clock.js';
import { CommandKeyIndex } from '#projections/command-keys.js';
import type { ReadDatabase } from '#read-store/read-database.js';

/** What commands are written with. */
export type WriteParts = {
  readonly store: EventStore;
  readonly snapshots: SnapshotStore;
  /** Null with a store that knows every event id. */
  readonly keys: KeyIndex | null;
  readonly clock: Clock;
};

/** Opens the log and what helps to write it. Fails when the database cannot be reached. */
export async function openWriteParts(
  { eventStore, databaseUrl }: Config & { databaseUrl: string },
  clock: Clock,
  database: ReadDatabase,
): Promise<WriteParts> {
  const store = await openEventStore(
    eventStore.kind === 'postgres' ? { kind: 'postgres', databaseUrl } : eventStore,
    clock,
  );
  const snapshots = await openSnapshotStore(databaseUrl, clock);
  return { store, snapshots, keys: store.knowsEveryId ? null : new CommandKeyIndex(database), clock };
}
