import { SystemClock } from '#config/system-clock.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresEventStore } from '#event-store/postgres/store.js';
import { StoreUnavailable } from '#event-store/port/event-store.js';
import { freshDatabase, query } from '../support/databases/postgres.js';
import { eventStoreContract } from './event-store.contract.js';

eventStoreContract('PostgreSQL', async () => {
  const { url, drop } = await freshDatabase();
  return {
    open: async () => {
      const store = new PostgresEventStore(url, new SystemClock());
      await store.migrate();
      return store;
    },
    interrupt: async () => {
      await query(
        url,
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
    },
    remove: drop,
  };
});

describe('the PostgreSQL store', () => {
  let drop: () => Promise<void>;
  let store: PostgresEventStore;

  beforeAll(async () => {
    const fresh = await freshDatabase();
    drop = fresh.drop;
    store = new PostgresEventStore(fresh.url, new SystemClock());
    await store.migrate();
  });

  afterAll(async () => {
    await store.close();
    await drop();
  });

  it('tells a statement that is at fault from a database that is away', async () => {
    const error: unknown = await store.readAll('9999999999999999999', 10).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(StoreUnavailable);
    expect((error as Error).message).toContain('22003');
  });
});
