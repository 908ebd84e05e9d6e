import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { type EventStore, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import { atLeast, collect, fill, newStream, readToEnd, sampleAppend } from '../support/ledger/sample-events.js';
import type { Contract } from './event-store.contract.js';

const placesOf = (events: readonly RecordedEvent[]): Position[] => events.map(({ position }) => position);

/** Several writers at once, each its own stream, appends of one to three events, with short pauses. */
async function writeConcurrently(stores: readonly EventStore[], writers: number, appends: number): Promise<void> {
  await Promise.all(
    Array.from({ length: writers }, async (_none, writer) => {
      const stream = newStream();
      let next = 0;
      for (let index = 0; index < appends; index += 1) {
        const count = ((index + writer) % 3) + 1;
        const result = await stores[writer % stores.length]!.append(sampleAppend(stream, next, count));
        expect(result.kind).toBe('appended');
        next += count;
        if (index % 10 === writer) await sleep(5);
      }
    }),
  );
}

/** What every adapter promises of `subscribe`. */
export function subscriptionContract(contract: Contract): void {
  test('gives everything after the position in the order of the log', async () => {
    const { store } = contract;
    const before = await store.head();
    await writeConcurrently([store], 5, 30);
    const all = await readToEnd(store, before);
    expect(await collect(store, before, atLeast(all.length))).toEqual(all);
  });

  test('resumes from any position, which is exclusive', async () => {
    const { store } = contract;
    const before = await store.head();
    const positions = await fill(store, newStream(), 12);
    for (const [index, after] of [before, ...positions].entries()) {
      const rest = positions.slice(index);
      if (rest.length > 0) expect(placesOf(await collect(store, after, atLeast(rest.length)))).toEqual(rest);
    }
  });

  test('gives the newest event to one that waits at the end', async () => {
    const { store } = contract;
    const received = collect(store, await store.head(), atLeast(1));
    await sleep(150);
    const [position] = await fill(store, newStream(), 1);
    expect(placesOf(await received)).toEqual([position]);
  });

  test('brings what another client appends within a second', async () => {
    const { store } = contract;
    const other = await contract.open();
    const stream = newStream();
    let appendedAt = 0;
    const delays: number[] = [];
    const received = collect(store, await store.head(), atLeast(5), () => {
      delays.push(performance.now() - appendedAt);
    });
    for (let revision = 0; revision < 5; revision += 1) {
      await sleep(revision * 40);
      appendedAt = performance.now();
      await other.append(sampleAppend(stream, revision));
    }
    expect((await received).map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
    expect(Math.min(...delays)).toBeLessThan(1_000); // a busy machine may be late now and then
  });

  test('passes from catching up to live without a gap or a repeat while others write', async () => {
    const other = await contract.open();
    const { store } = contract;
    const before = await store.head();
    await writeConcurrently([store], 4, 40);
    const writing = writeConcurrently([store, other], 6, 100);
    const received = collect(store, before, atLeast(4 * 80 + 6 * 200 - 20));
    const elsewhere = collect(other, before, atLeast(4 * 80 + 6 * 200 - 20));
    await writing;
    const all = await readToEnd(store, before);
    for (const events of [await received, await elsewhere])
      expect(placesOf(events)).toEqual(placesOf(all).slice(0, events.length));
    const next = new Map<string, number>();
    for (const { stream, revision } of all) {
      expect(revision).toBe(next.get(stream) ?? 0);
      next.set(stream, revision + 1);
    }
  });

  test('serves several subscriptions at once, each at its own place and pace', async () => {
    const { store } = contract;
    const before = await store.head();
    await writeConcurrently([store], 3, 30);
    const all = await readToEnd(store, before);
    const starts = [0, 1, 17, 60, all.length - 1];
    const received = Promise.all(
      starts.map((start, index) =>
        collect(store, all[start]!.position, atLeast(all.length - start + 9), () => sleep(index * 3)),
      ),
    );
    await fill(store, newStream(), 10);
    const complete = await readToEnd(store, before);
    for (const [index, events] of (await received).entries()) {
      const start = starts[index]! + 1;
      expect(placesOf(events)).toEqual(placesOf(complete).slice(start, start + events.length));
    }
  });

  test('waits for a slow consumer and loses nothing for it', async () => {
    const { store } = contract;
    const before = await store.head();
    const stream = newStream();
    let waiting = 0;
    const received = collect(store, before, atLeast(1_200), async (batch) => {
      waiting += 1;
      expect(waiting).toBe(1); // the next batch is not given while this one is worked on
      await sleep(Math.min(60, batch.length));
      waiting -= 1;
    });
    for (let next = 0; next < 1_200; next += 20) await store.append(sampleAppend(stream, next, 20));
    expect((await received).map(({ revision }) => revision)).toEqual(
      Array.from({ length: 1_200 }, (_none, index) => index),
    );
  });

  test('waits for a slow consumer of large events', async () => {
    const { store } = contract;
    const before = await store.head();
    const stream = newStream();
    const received = collect(store, before, atLeast(20), () => sleep(20));
    for (let next = 0; next < 20; next += 1) {
      await store.append(sampleAppend(stream, next, 1, { data: { large: 'x'.repeat(900_000) } }));
    }
    expect((await received).map(({ revision }) => revision)).toEqual(
      Array.from({ length: 20 }, (_none, index) => index),
    );
  });

  test('gives exactly the rest to a consumer that stops and starts again from its checkpoint', async () => {
    const { store } = contract;
    const before = await store.head();
    const writing = writeConcurrently([store], 4, 50);
    const received: RecordedEvent[] = [];
    for (let start = 0; received.length < 350; start += 1) {
      const client = start % 3 === 0 ? await contract.open() : store;
      received.push(...(await collect(client, received.at(-1)?.position ?? before, atLeast(1 + ((start * 7) % 40)))));
    }
    await writing;
    expect(placesOf(received)).toEqual(placesOf(await readToEnd(store, before)).slice(0, received.length));
  });

  test('ends soon when it is aborted: before it starts, while it waits, while its batch is worked on', async () => {
    const { store } = contract;
    const ended = async (after: Position, stop: AbortController): Promise<number> => {
      let batches = 0;
      for await (const batch of store.subscribe(after, stop.signal)) {
        batches += batch.length;
        stop.abort();
      }
      return batches;
    };
    const aborted = new AbortController();
    aborted.abort();
    expect(await ended(await store.head(), aborted)).toBe(0);

    const waiting = new AbortController();
    const waits = ended(await store.head(), waiting);
    await sleep(100);
    const at = performance.now();
    waiting.abort();
    expect(await waits).toBe(0);
    expect(performance.now() - at).toBeLessThan(2_000);

    const before = await store.head();
    await fill(store, newStream(), 3);
    expect(await ended(before, new AbortController())).toBeGreaterThan(0);
  });

  test('ends when the consumer leaves the loop, and when the store closes', async () => {
    const client = await contract.open();
    const before = await client.head();
    await fill(client, newStream(), 3);
    for await (const batch of client.subscribe(before, new AbortController().signal)) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
    const waits = collect(client, await client.head(), atLeast(1));
    await sleep(50);
    await client.close();
    expect(await waits).toEqual([]);
  });

  test('survives lost connections without a gap or a repeat', async () => {
    const { interrupt } = contract.log;
    if (interrupt === null) return;
    const { store } = contract;
    const before = await store.head();
    const stream = newStream();
    await store.append(sampleAppend(stream, 0, 200));
    const received = collect(store, before, atLeast(600), () => sleep(2));
    await interrupt();
    await store.append(sampleAppend(stream, 200, 200)).catch(() => undefined);
    const after = await contract.open();
    await after.append(sampleAppend(stream, (await after.readStream(stream, 200, 1)).length === 0 ? 200 : 400, 200));
    await sleep(200);
    await interrupt();
    const last = await contract.open();
    const count = (await last.readStream(stream, 0, 1_000)).length;
    if (count < 600) await last.append(sampleAppend(stream, count, 600 - count));
    expect((await received).slice(0, 600).map(({ revision }) => revision)).toEqual(
      Array.from({ length: 600 }, (_none, index) => index),
    );
  });
}
