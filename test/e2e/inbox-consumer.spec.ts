import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { InMemoryEventStore } from '../../libs/event-store/adapters/in-memory.js';
import { createLogger } from '#config/logger.js';
import { SystemClock } from '#config/system-clock.js';
import type { Position, RecordedEvent } from '#event-store/event-store.js';
import { openReadDatabase } from '#read-store/read-database.js';
import type { ReadDatabase } from '#read-store/read-database.js';
import { InboxFenced } from '../../apps/worker/inbox-state.js';
import { InboxConsumer } from '../../apps/worker/inbox.consumer.js';
import { freshDatabase } from '../support/postgres.js';
import { eventually } from '../support/eventually.js';
import { InboxWorld } from '../support/inbox-world.js';
import { stripeEvent } from '../support/stripe-events.js';

/** Keeps the signals that its subscriptions were given. */
class WatchedStore extends InMemoryEventStore {
  readonly signals: AbortSignal[] = [];

  override subscribe(after: Position, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]> {
    this.signals.push(signal);
    return super.subscribe(after, signal);
  }
}

let db: ReadDatabase;
let drop: () => Promise<void>;

beforeAll(async () => {
  const { url, drop: remove } = await freshDatabase();
  drop = remove;
  db = openReadDatabase(url, { clock: new SystemClock() });
});

afterAll(async () => {
  await db.close();
  await drop();
});

it('ends the subscription of an attempt that failed before it makes the next', async () => {
  const store = new WatchedStore();
  const { inbox, state } = new InboxWorld(store);
  await new InboxWorld(store).deliver(stripeEvent('checkout.session.completed.endive'));
  state.commit = () => Promise.reject(new InboxFenced('another worker has it'));
  const stopping = new AbortController();
  const consumer = new InboxConsumer(store, db, inbox, state, new SystemClock(), createLogger('test', 'fatal'));
  const done = consumer.run(stopping.signal);
  await eventually(
    () => Promise.resolve(store.signals.length),
    (count) => count >= 3,
  );
  const earlier = store.signals.slice(0, -1).map(({ aborted }) => aborted);
  stopping.abort();
  await done;
  expect(earlier).toEqual(earlier.map(() => true));
});
