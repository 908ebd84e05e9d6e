import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { InMemoryEventStore } from '../../../libs/event-store/in-memory.js';
import { createLogger } from '#config/logger.js';
import { SystemClock } from '#config/system-clock.js';
import { positionOf, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import { openDatabase, type Database } from '#database/database.js';
import { CheckpointMoved } from '#consuming/checkpoint.js';
import { InboxConsumer } from '../../../apps/worker/inbox/inbox.consumer.js';
import { PostgresInboxState } from '#records/inbox/postgres-state.js';
import { freshDatabase, query } from '../../support/databases/postgres.js';
import { migrateScrip } from '../../support/databases/scrip-database.js';
import { eventually } from '../../support/eventually.js';
import { InboxWorld } from '../../support/worlds/inbox-world.js';
import { stripeEvent } from '../../support/stripe/events.js';

/** Keeps the signals that its subscriptions were given. */
class WatchedStore extends InMemoryEventStore {
  readonly signals: AbortSignal[] = [];

  override subscribe(after: Position, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]> {
    this.signals.push(signal);
    return super.subscribe(after, signal);
  }
}

let db: Database;
let drop: () => Promise<void>;
let url: string;

beforeAll(async () => {
  ({ url, drop } = await freshDatabase());
  await migrateScrip(url);
  db = openDatabase(url, { clock: new SystemClock() });
});

afterAll(async () => {
  await db.close();
  await drop();
});

it('ends the subscription of an attempt that failed before it makes the next', async () => {
  const store = new WatchedStore();
  const { inbox, state } = new InboxWorld(store);
  await new InboxWorld(store).deliver(stripeEvent('checkout.session.completed.endive'));
  state.commit = () => Promise.reject(new CheckpointMoved('inbox'));
  const stopping = new AbortController();
  const consumer = new InboxConsumer(store, db, new SystemClock(), inbox, createLogger('test', 'fatal'));
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

it('lets a worker that was overtaken write nothing', async () => {
  const [early, late] = [new PostgresInboxState(db), new PostgresInboxState(db)];
  const from = await early.checkpoint();
  const to = positionOf(7);
  const change = { from, to, parked: new Map() };
  await early.commit({ ...change, links: new Map([['cus_1', [{ since: '', customerId: 'acme' }]]]) });
  const overtaken = late.commit({ ...change, links: new Map([['cus_2', [{ since: '', customerId: 'globex' }]]]) });
  await expect(overtaken).rejects.toThrow(CheckpointMoved);
  expect(await late.checkpoint()).toBe(to);
  expect(await query(url, 'select stripe_customer_id from scrip_app.inbox_links')).toEqual([
    { stripe_customer_id: 'cus_1' },
  ]);
});

it('keeps why an event waits, whatever characters that names, and finds it by them', async () => {
  const state = new PostgresInboxState(db);
  const from = await state.checkpoint();
  const reason = { code: 'unknown_price', subject: 'pack\0-50', detail: 'the catalogue has no such product' } as const;
  await state.commit({ from, to: positionOf(9), links: new Map(), parked: new Map([['evt_nul', reason]]) });
  expect(await state.waitingForSubjects('unknown_price', ['pack\0-50', 'other'], '', 10)).toEqual(['evt_nul']);
});
