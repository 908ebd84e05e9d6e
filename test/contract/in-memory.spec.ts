import { InMemoryEventStore, InMemoryLog } from '#event-store/in-memory.js';
import { eventStoreContract } from './event-store.contract.js';

eventStoreContract('in memory', async () => {
  const log = new InMemoryLog();
  return Promise.resolve({
    open: () => Promise.resolve(new InMemoryEventStore(log)),
    interrupt: null,
    remove: () => Promise.resolve(),
  });
});
