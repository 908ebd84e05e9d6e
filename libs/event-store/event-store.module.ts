import type { Clock } from '#kernel/clock.js';
import { InMemoryEventStore, InMemorySnapshotStore } from './in-memory.js';
import { PostgresSnapshotStore } from './postgres/snapshots.js';
import { PostgresEventStore } from './postgres/store.js';
import type { EventStore } from './port/event-store.js';
import type { SnapshotStore } from './port/snapshots.js';

export type EventStoreOptions =
  | { readonly kind: 'postgres'; readonly databaseUrl: string }
  | { readonly kind: 'eventstoredb'; readonly url: string }
  | { readonly kind: 'in-memory' };

/**
 * The one place that chooses an adapter. Brings the PostgreSQL schema to its newest version first, which fails when the
 * database cannot be reached; EventStoreDB is reached when it is first used.
 */
export async function openEventStore(options: EventStoreOptions, clock: Clock): Promise<EventStore> {
  switch (options.kind) {
    case 'postgres': {
      const store = new PostgresEventStore(options.databaseUrl, clock);
      await store.migrate();
      return store;
    }
    case 'eventstoredb': {
      // Its client and gRPC take 30 MB and half a second: loaded only by who uses them.
      const { EventStoreDbEventStore } = await import('./eventstoredb/store.js');
      return new EventStoreDbEventStore(options.url, clock);
    }
    case 'in-memory':
      return new InMemoryEventStore();
  }
}

/** Snapshots in PostgreSQL, whichever store holds the log; in memory without a database. */
export async function openSnapshotStore(databaseUrl: string | null, clock: Clock): Promise<SnapshotStore> {
  if (databaseUrl === null) return new InMemorySnapshotStore();
  const store = new PostgresSnapshotStore(databaseUrl, clock);
  await store.migrate();
  return store;
}
