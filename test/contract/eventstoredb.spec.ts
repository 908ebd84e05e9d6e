import { SystemClock } from '#config/system-clock.js';
import { EventStoreDbEventStore } from '#event-store/adapters/eventstoredb.js';
import { EventStoreDbDouble } from '../support/eventstoredb-double.js';
import { eventStoreContract } from './event-store.contract.js';

eventStoreContract('EventStoreDB, on the double', async () => {
  const double = new EventStoreDbDouble();
  await double.start();
  return {
    open: () => Promise.resolve(new EventStoreDbEventStore(double.url, new SystemClock(), { silenceMs: 500 })),
    interrupt: () => double.dropConnections(),
    remove: () => Promise.resolve(double.stop()),
  };
});
