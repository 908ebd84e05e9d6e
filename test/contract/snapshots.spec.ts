import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { InMemorySnapshotStore } from '#event-store/adapters/in-memory.js';
import { PostgresSnapshotStore } from '#event-store/adapters/postgres-snapshots.js';
import type { Snapshot, SnapshotStore } from '#event-store/snapshots.js';
import { freshDatabase } from '../support/postgres.js';
import { newStream } from '../support/sample-events.js';

const snapshotOf = (stream: string, version: number, revision: number): Snapshot => ({
  stream,
  version,
  revision,
  head: { hash: 'a'.repeat(64), recordedAt: '2026-11-21T08:00:00.000Z' },
  state: { revision, text: 'quotes " \\ é 🙂', list: [1, null, { a: true }] },
});

function snapshotContract(
  name: string,
  create: () => Promise<{ store: SnapshotStore; remove: () => Promise<void> }>,
): void {
  describe(`snapshot store contract: ${name}`, () => {
    let opened: { store: SnapshotStore; remove: () => Promise<void> };
    beforeAll(async () => {
      opened = await create();
    });
    afterAll(async () => {
      await opened.remove();
    });

    test('gives back the newest snapshot of a stream in the version asked for', async () => {
      const { store } = opened;
      const [stream, other] = [newStream(), newStream()];
      expect(await store.load(stream, 1)).toBeNull();
      await store.save(snapshotOf(stream, 1, 10));
      await store.save(snapshotOf(stream, 1, 20));
      await store.save(snapshotOf(stream, 1, 15));
      await store.save(snapshotOf(other, 1, 3));
      expect(await store.load(stream, 1)).toEqual(snapshotOf(stream, 1, 20));
      expect(await store.load(stream, 2)).toBeNull();
    });

    test('keeps a newer version against an older one', async () => {
      const { store } = opened;
      const stream = newStream();
      await store.save(snapshotOf(stream, 1, 20));
      await store.save(snapshotOf(stream, 2, 5));
      await store.save(snapshotOf(stream, 1, 30));
      expect(await store.load(stream, 2)).toEqual(snapshotOf(stream, 2, 5));
      expect(await store.load(stream, 1)).toBeNull();
    });
  });
}

snapshotContract('in memory', async () =>
  Promise.resolve({ store: new InMemorySnapshotStore(), remove: () => Promise.resolve() }),
);

snapshotContract('PostgreSQL', async () => {
  const { url, drop } = await freshDatabase();
  const store = new PostgresSnapshotStore(url, new SystemClock());
  await store.migrate();
  return {
    store,
    remove: async () => {
      await store.close();
      await drop();
    },
  };
});
