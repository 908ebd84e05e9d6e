import { SystemClock } from '#config/system-clock.js';
import { EventStoreDbEventStore } from '#event-store/eventstoredb/store.js';
import { EventStoreDbDouble } from '../support/eventstoredb/double.js';
import { eventStoreContract } from './event-store.contract.js';

/** Nothing here is about deadlines, and the double shares a busy machine with its clients. */
const limits = { silenceMs: 500, appendDeadlineMs: 60_000, settleDeadlineMs: 30_000, readDeadlineMs: 60_000 };

eventStoreContract('EventStoreDB, on the double', async () => {
  const double = new EventStoreDbDouble();
  // What the adapter counts to: it may count more than the server, never less.
  double.maxAppendBytes = 1_000_000;
  await double.start();
  return {
    open: () => Promise.resolve(new EventStoreDbEventStore(double.url, new SystemClock(), limits)),
    interrupt: () => double.dropConnections(),
    remove: () => Promise.resolve(double.stop()),
  };
});
