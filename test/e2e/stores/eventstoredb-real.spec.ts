import { assert } from '#kernel/assert.js';
import { SystemClock } from '#config/system-clock.js';
import { EventStoreDbEventStore } from '#event-store/eventstoredb/store.js';
import { START } from '#event-store/port/event-store.js';
import { realServer } from '../../support/eventstoredb/real-server.js';
import { installationOnEventStoreDb } from './eventstoredb.contract.js';

const { url, restart } = realServer();

// Read models rightly halt at what the contract's tests write, which is no ledger's.
installationOnEventStoreDb(async () => {
  const store = new EventStoreDbEventStore(url, new SystemClock());
  const [event] = await store.readAll(START, 1);
  await store.close();
  assert(event === undefined, 'the server at EVENTSTORE_URL has events already: name a new one');
  return { url, restart, stop: () => undefined };
});
