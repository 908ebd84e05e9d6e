import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { EventStoreDbEventStore } from '#event-store/eventstoredb/store.js';
import { START, type AppendRequest, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import { appendOf, outcomeOf } from '../support/eventstoredb/appends.js';
import { EventStoreDbDouble, type SubscriptionFault } from '../support/eventstoredb/double.js';

const limits = { appendDeadlineMs: 2_000, settleDeadlineMs: 300, readDeadlineMs: 1_000, silenceMs: 100 };

let double: EventStoreDbDouble;
let store: EventStoreDbEventStore;
const last = new Map<string, AppendRequest>();

beforeEach(async () => {
  last.clear();
  double = new EventStoreDbDouble();
  await double.start();
  store = new EventStoreDbEventStore(double.url, new SystemClock(), limits);
});

afterEach(async () => {
  await store.close();
  double.stop();
});

/** Appends `appends` × `events` events to three streams in turn. */
async function write(appends: number, events: number): Promise<void> {
  for (let index = 0; index < appends; index += 1) {
    const stream = `account-${String(index % 3)}`;
    const request = appendOf(stream, events, last.get(stream) ?? null);
    last.set(stream, request);
    for (let outcome = ''; outcome !== 'appended';) {
      outcome = await outcomeOf(store.append(request));
      expect(outcome).not.toBe('conflict');
    }
  }
}

/** Takes events until there are `count`, with `pause` between the batches. */
async function take(after: Position, count: number, pause = 0): Promise<RecordedEvent[]> {
  const enough = new AbortController();
  const taken: RecordedEvent[] = [];
  for await (const batch of store.subscribe(after, enough.signal)) {
    expect(batch.length).toBeGreaterThan(0);
    taken.push(...batch);
    if (taken.length >= count) enough.abort();
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return taken;
}

async function everything(signal: AbortSignal): Promise<RecordedEvent[]> {
  const taken: RecordedEvent[] = [];
  for await (const batch of store.subscribe(START, signal)) taken.push(...batch);
  return taken;
}

const expectAll = (taken: readonly RecordedEvent[], after = START): void => {
  const expected = double.log.all.filter(({ stream }) => !stream.startsWith('$'));
  const positions = expected
    .map(({ position }) => position.toString().padStart(19, '0'))
    .filter((position) => position > after);
  expect(taken.map(({ position }) => position)).toEqual(positions);
};

const faults: [string, SubscriptionFault][] = [
  ['ended with OK', 'end_ok'],
  ['silent', 'silence'],
  ['dropped with its connection', 'drop'],
  ...[1, 2, 4, 10, 13, 14, 15].map((code): [string, SubscriptionFault] => [
    `failed with status ${String(code)}`,
    { code },
  ]),
];

describe.each(faults)('a subscription that is %s again and again', (_, fault) => {
  test.each(fault === 'drop' ? [7] : [1, 7, 50])(
    'every %i events: nothing is lost, doubled or out of order',
    async (every) => {
      const appends = fault === 'drop' || every === 1 ? 12 : 60;
      double.subscriptionFault = (sent) => (sent % every === 0 ? fault : null);
      const live = take(START, appends * 2);
      await write(appends, 2);
      expectAll(await live);
      expectAll(await take(START, appends * 2));
      expect(double.seen.subscriptions).toBeGreaterThanOrEqual(Math.floor((appends * 2) / every));
    },
  );
});

test('an interrupted consumer goes on after the position it kept', async () => {
  await write(10, 5);
  const [first] = await take(START, 1);
  const kept = first?.position ?? START;
  expectAll(await take(kept, 49), kept);
});

test('a consumer that falls behind is aborted by the server and misses nothing', async () => {
  await write(3, 1);
  const taking = take(START, 3 + 120 * 40, 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await write(120, 40);
  expectAll(await taking);
  expect(double.seen.tooSlow).toBeGreaterThan(0);
});

test('a slow consumer holds a bounded number of events', async () => {
  await write(60, 200);
  const small = new EventStoreDbEventStore(double.url, new SystemClock(), {
    ...limits,
    maxBufferedEvents: 100,
  });
  const stop = new AbortController();
  let largest = 0;
  let count = 0;
  for await (const batch of small.subscribe(START, stop.signal)) {
    largest = Math.max(largest, batch.length);
    count += batch.length;
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (count >= 12_000) stop.abort();
  }
  expect(count).toBe(12_000);
  expect(largest).toBeLessThanOrEqual(100);
  await small.close();
});

test('a slow consumer of large events holds a bounded number of bytes', async () => {
  const [small] = appendOf('account-1').events;
  for (let index = 0; index < 60; index += 1) {
    const event = { ...small!, data: 'x'.repeat(100_000), hash: String(10 + index).repeat(32) };
    await store.append({ stream: 'account-1', expectedRevision: index - 1, events: [event] });
  }
  const bounded = new EventStoreDbEventStore(double.url, new SystemClock(), { ...limits, maxBufferedBytes: 450_000 });
  const stop = new AbortController();
  let largest = 0;
  let count = 0;
  for await (const batch of bounded.subscribe(START, stop.signal)) {
    largest = Math.max(largest, batch.length);
    count += batch.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (count >= 60) stop.abort();
  }
  expect(count).toBe(60);
  expect(largest).toBe(5);
  await bounded.close();
});

test('events of the server itself are neither delivered nor in the way', async () => {
  const system = {
    id: '7d444840-9dc0-11d1-b245-5ffdce74fad2',
    type: '$stats',
    contentType: 'application/json',
    data: Buffer.from('{}'),
    metadata: Buffer.from(''),
  };
  const taking = take(START, 6);
  for (let index = 0; index < 3; index += 1) {
    for (let revision = 0; revision < 50; revision += 1)
      double.log.append(`$stats-${String(index)}`, revision - 1, [system]);
    await store.append(appendOf(`account-${String(index)}`, 2));
  }
  const taken = await taking;
  expectAll(taken);
});

test('a restarted server, and one that was away for a while', async () => {
  const taking = take(START, 40);
  await write(10, 1);
  double.stop();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await double.start();
  await write(30, 1);
  expectAll(await taking);
});

test.each(['idle', 'server frozen', 'server gone', 'consumer busy'])('ends promptly on abort: %s', async (state) => {
  await write(3, 1);
  const stop = new AbortController();
  const events = store.subscribe(START, stop.signal)[Symbol.asyncIterator]();
  for (let taken = 0; taken < 3;) taken += ((await events.next()).value ?? []).length;
  if (state === 'server frozen') double.freeze();
  if (state === 'server gone') double.stop();
  const next = state === 'consumer busy' ? null : events.next();
  await new Promise((resolve) => setTimeout(resolve, 250));
  const began = performance.now();
  stop.abort();
  expect(await (next ?? events.next())).toMatchObject({ done: true });
  expect(performance.now() - began).toBeLessThan(limits.readDeadlineMs);
});

test('an aborted signal delivers nothing; closing the store ends every subscription', async () => {
  await write(3, 1);
  expect(await everything(AbortSignal.abort())).toEqual([]);
  const all = everything(new AbortController().signal);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await store.close();
  expect(await all).toHaveLength(3);
});

test('a consumer that leaves the loop leaves nothing behind', async () => {
  await write(3, 1);
  for await (const batch of store.subscribe(START, new AbortController().signal)) {
    expect(batch.length).toBeGreaterThan(0);
    break;
  }
  expect(await store.head()).not.toBe(START);
});
