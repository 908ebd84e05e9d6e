import { expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { EventStoreDbEventStore } from '#event-store/eventstoredb/store.js';
import { appendOf } from '../support/eventstoredb/appends.js';
import { realServer } from '../support/eventstoredb/real-server.js';
import { newStream } from '../support/ledger/sample-events.js';
import { eventStoreContract } from './event-store.contract.js';

/*
 * The contract on a real server: EVENTSTORE_URL=esdb://127.0.0.1:2113?tls=false npm run test:eventstoredb
 * It writes into streams with new names and leaves them there.
 */
const { url, restart } = realServer();

const open = (): EventStoreDbEventStore => new EventStoreDbEventStore(url, new SystemClock());

eventStoreContract('EventStoreDB', () =>
  Promise.resolve({ open: () => Promise.resolve(open()), interrupt: restart, remove: () => Promise.resolve() }),
);

test('throughput, for information', async () => {
  const store = open();
  const figures: Record<string, number> = {};
  const perSecond = async (name: string, count: number, work: () => Promise<void>): Promise<void> => {
    const began = performance.now();
    await work();
    figures[name] = Math.round((count * 1_000) / (performance.now() - began));
  };
  const before = await store.head();

  const small = Array.from({ length: 5_000 }, () => appendOf(newStream()));
  await perSecond('appends of 1 event, 64 at a time', small.length, async () => {
    const queue = small.values();
    const worker = async (): Promise<void> => {
      for (const request of queue) await store.append(request);
    };
    await Promise.all(Array.from({ length: 64 }, worker));
  });

  const bulk: ReturnType<typeof appendOf>[] = [];
  const stream = newStream();
  for (let index = 0; index < 25; index += 1) bulk.push(appendOf(stream, 500, bulk.at(-1) ?? null));
  await perSecond('events in appends of 500', 12_500, async () => {
    for (const request of bulk) expect((await store.append(request)).kind).toBe('appended');
  });

  await perSecond('events read from the log', 17_500, async () => {
    let after = before;
    for (;;) {
      const events = await store.readAll(after, 5_000);
      if (events.length === 0) break;
      after = events.at(-1)!.position;
    }
  });

  await perSecond('events of a subscription', 17_500, async () => {
    const stop = new AbortController();
    let count = 0;
    for await (const batch of store.subscribe(before, stop.signal)) if ((count += batch.length) >= 17_500) stop.abort();
  });

  await store.close();
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
});
