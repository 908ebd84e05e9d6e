import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { InMemorySnapshotStore } from '#event-store/in-memory.js';
import { PostgresSnapshotStore } from '#event-store/postgres/snapshots.js';
import type { Snapshot, SnapshotStore } from '#event-store/port/snapshots.js';
import { freshDatabase } from '../support/databases/postgres.js';
import { newStream } from '../support/ledger/sample-events.js';

const minute = (revision: number): string => `2026-11-21T08:${String(revision).padStart(2, '0')}:00.000Z`;
const place = (revision: number): string => String(revision * 7).padStart(19, '0');
const snapshotOf = (stream: string, version: number, revision: number): Snapshot => ({
  stream,
  version,
  revision,
  head: { hash: 'a'.repeat(64), recordedAt: minute(revision), position: place(revision) },
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

    test('gives back the newest snapshot within a bound', async () => {
      const { store } = opened;
      const stream = newStream();
      for (const revision of [10, 30, 20]) await store.save(snapshotOf(stream, 1, revision));
      const bounds = [
        { recordedAt: minute(29) },
        { recordedAt: minute(20) },
        { position: place(20) },
        { position: place(29) },
        { revision: 20 },
        { revision: 29, recordedAt: minute(25) },
      ];
      for (const bound of bounds) expect(await store.load(stream, 1, bound)).toEqual(snapshotOf(stream, 1, 20));
      expect(await store.load(stream, 1, { revision: Number.MAX_SAFE_INTEGER })).toEqual(snapshotOf(stream, 1, 30));
      for (const bound of [{ recordedAt: minute(9) }, { position: place(9) }, { revision: 9 }])
        expect(await store.load(stream, 1, bound)).toBeNull();
    });

    test('takes the place of one at the same revision', async () => {
      const { store } = opened;
      const stream = newStream();
      const other = { ...snapshotOf(stream, 1, 10), state: 'restored' };
      await store.save(snapshotOf(stream, 1, 10));
      await store.save(other);
      expect(await store.load(stream, 1)).toEqual(other);
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
