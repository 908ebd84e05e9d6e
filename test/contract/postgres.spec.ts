import { SystemClock } from '#config/system-clock.js';
import { PostgresEventStore } from '#event-store/adapters/postgres.js';
import { freshDatabase, query } from '../support/postgres.js';
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
