import { expect, test } from '@jest/globals';
import { StoreUnavailable, type AppendRequest, type AppendResult } from '#event-store/port/event-store.js';
import { fill, newStream, readToEnd, sampleAppend, sampleEvents } from '../support/ledger/sample-events.js';
import type { Contract } from './event-store.contract.js';

const positionOf = (result: AppendResult): string => {
  if (result.kind !== 'appended') throw new Error(`expected "appended", got ${JSON.stringify(result)}`);
  return result.position;
};

/** What every adapter promises of `append` and `locate`. */
export function appendContract(contract: Contract): void {
  test('stores events in order at contiguous revisions, and their positions sort as text', async () => {
    const { store } = contract;
    const stream = newStream();
    const first = positionOf(await store.append(sampleAppend(stream, 0, 3)));
    const second = positionOf(await store.append(sampleAppend(stream, 3, 2)));
    const stored = await store.readStream(stream, 0, 10);
    expect(stored.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
    const positions = stored.map(({ position }) => position);
    expect([...positions].sort()).toEqual(positions);
    expect(new Set(positions).size).toBe(5);
    for (const position of positions) expect(position).toMatch(/^\d{19}$/);
    expect([first, second]).toEqual([positions[2], positions[4]]);
  });

  test('gives back the exact bytes', async () => {
    const { store } = contract;
    const stream = newStream();
    const text = 'quotes " \\" \' , {} \\ \\u0000 \u0000 \n\t\r é ü 漢字 🙂 \ud800 \u2028 NULL null $1 %s';
    const append = sampleAppend(stream, 0, 2, { data: { text, [text]: { nested: [text, 1e21, -0.5, null] } } });
    await store.append(append);
    const stored = await store.readStream(stream, 0, 10);
    expect(stored).toEqual(
      append.events.map((event, index) => expect.objectContaining({ ...event, stream, revision: index })),
    );
  });

  test('stores a large event', async () => {
    const { store } = contract;
    const stream = newStream();
    const before = await store.head();
    const append = sampleAppend(stream, 0, 1, { data: { large: 'é"x'.repeat(180_000) } });
    await store.append(append);
    expect((await store.readStream(stream, 0, 2))[0]?.data === append.events[0]?.data).toBe(true);
    expect((await readToEnd(store, before)).at(-1)?.hash).toBe(append.events[0]?.hash);
  });

  test('takes an append of as many bytes as it says, and none larger', async () => {
    const { store } = contract;
    const stream = newStream();
    // Many quotes in the metadata and letters of several bytes: what a store adds and escapes counts too.
    const key = '"\\'.repeat(120);
    const count = 20;
    const letters = (each: number): AppendRequest =>
      sampleAppend(stream, 0, count, { key, data: { text: `${'é'.repeat(each / 2)}${'x'.repeat(each % 2)}` } });
    const bytesOf = ({ events }: AppendRequest): number => events.reduce((sum, event) => sum + store.sizeOf(event), 0);
    const room = Math.floor((store.maxAppendBytes - bytesOf(letters(0))) / count);
    const larger = letters(room + 1);
    expect(bytesOf(larger)).toBeGreaterThan(store.maxAppendBytes);
    await expect(store.append(larger)).rejects.toThrow('too large');
    expect(await store.readStream(stream, 0, 1)).toEqual([]);
    const largest = letters(room);
    expect(bytesOf(largest)).toBeGreaterThan(store.maxAppendBytes - count);
    expect((await store.append(largest)).kind).toBe('appended');
    expect((await store.readStream(stream, 0, count)).map(({ hash }) => hash)).toEqual(
      largest.events.map(({ hash }) => hash),
    );
  });

  test('refuses another expected revision and tells the real one', async () => {
    const { store } = contract;
    const stream = newStream();
    expect(await store.append(sampleAppend(stream, 1))).toEqual({ kind: 'conflict', actualRevision: -1 });
    await fill(store, stream, 3);
    for (const first of [0, 1, 2, 4, 9]) {
      expect(await store.append(sampleAppend(stream, first))).toEqual({ kind: 'conflict', actualRevision: 2 });
    }
    expect(await store.readStream(stream, 0, 10)).toHaveLength(3);
  });

  test('lets exactly one of 32 racing first appends win', async () => {
    const clients = [contract.store, await contract.open()];
    const stream = newStream();
    const results = await Promise.all(
      Array.from({ length: 32 }, (_none, index) => clients[index % 2]!.append(sampleAppend(stream, 0, 2))),
    );
    expect(results.filter(({ kind }) => kind === 'appended')).toHaveLength(1);
    const others = results.filter(({ kind }) => kind !== 'appended');
    expect(others).toEqual(others.map(() => ({ kind: 'conflict', actualRevision: 1 })));
    expect(await contract.store.readStream(stream, 0, 10)).toHaveLength(2);
  });

  test('finds an identical append again: at once, after later ones, from another client, and all at the same time', async () => {
    const { store } = contract;
    const stream = newStream();
    const append = sampleAppend(stream, 0, 3);
    const first = await store.append(append);
    expect(await store.append(append)).toEqual(first);
    await store.append(sampleAppend(stream, 3, 2));
    expect(await store.append(append)).toEqual(first);
    const other = await contract.open();
    expect(await other.append(append)).toEqual(first);
    const repeats = await Promise.all(Array.from({ length: 10 }, () => other.append(append)));
    expect(repeats).toEqual(repeats.map(() => first));
    expect(await store.readStream(stream, 0, 10)).toHaveLength(5);
  });

  test('does not take an event with the same id and other content for the same', async () => {
    const { store } = contract;
    const stream = newStream();
    await store.append(sampleAppend(stream, 0, 1, { key: 'same' }));
    const changed = sampleAppend(stream, 0, 1, { key: 'same', data: { amount: 77 } });
    expect(await store.append(changed)).toEqual({ kind: 'conflict', actualRevision: 0 });
    expect((await store.readStream(stream, 0, 5)).map(({ data }) => data)).toEqual(['{"amount":0}']);
  });

  test('knows event ids wherever they are, if it says so', async () => {
    const { store } = contract;
    if (!store.knowsEveryId) return;
    const [stream, other] = [newStream(), newStream()];
    await store.append(sampleAppend(stream, 0, 2, { key: 'done' }));
    const id = sampleEvents(stream, 0, 1, { key: 'done' })[0]!.id;
    const before = await store.head();
    const again = sampleAppend(stream, 2, 1, { key: 'done' });
    expect(await store.append(again)).toEqual({ kind: 'duplicate', eventIds: [id] });
    const [fresh] = sampleEvents(other, 0, 1);
    const elsewhere = {
      stream: other,
      expectedRevision: -1,
      events: [fresh!, { ...sampleEvents(other, 1, 1)[0]!, id }],
    };
    expect(await store.append(elsewhere)).toEqual({ kind: 'duplicate', eventIds: [id] });
    // Ids come before revisions: the command was done, whatever the caller expects now.
    expect(await store.append({ ...again, expectedRevision: 7 })).toEqual({ kind: 'duplicate', eventIds: [id] });
    expect(await store.head()).toBe(before);
    expect(await store.readStream(other, 0, 5)).toEqual([]);
  });

  test('locates events by id, and leaves out what it does not find', async () => {
    const { store } = contract;
    if (!store.knowsEveryId) return;
    const stream = newStream();
    const append = sampleAppend(stream, 0, 3);
    await store.append(append);
    const unknown = sampleEvents(stream, 0, 1)[0]!.id;
    const places = await store.locate([append.events[2]!.id, unknown, append.events[0]!.id]);
    expect(new Map(places)).toEqual(
      new Map([
        [append.events[0]!.id, { stream, revision: 0 }],
        [append.events[2]!.id, { stream, revision: 2 }],
      ]),
    );
    expect((await store.locate([])).size).toBe(0);
  });

  test('answers each of many appends at once by itself', async () => {
    const { store } = contract;
    const before = await store.head();
    const appends = Array.from({ length: 60 }, (_none, index) =>
      sampleAppend(newStream(), index % 5 === 3 ? 4 : 0, (index % 4) + 1),
    );
    const results = await Promise.all(appends.map((append) => store.append(append)));
    const stored = await readToEnd(store, before);
    for (const [index, result] of results.entries()) {
      const { stream, events } = appends[index]!;
      const own = stored.filter((event) => event.stream === stream);
      if (index % 5 === 3) {
        expect(result).toEqual({ kind: 'conflict', actualRevision: -1 });
        expect(own).toEqual([]);
      } else {
        expect(own.at(-1)?.position).toBe(positionOf(result));
        expect(own.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
      }
    }
  });

  test('stores nothing of an append that is refused', async () => {
    const { store } = contract;
    const stream = newStream();
    await fill(store, stream, 1);
    const before = await store.head();
    await store.append(sampleAppend(stream, 0, 5));
    await store.append(sampleAppend(stream, 2, 5));
    expect(await store.head()).toBe(before);
    expect(await store.readStream(stream, 0, 9)).toHaveLength(1);
  });

  test('settles what is under way when it closes, and refuses afterwards', async () => {
    const client = await contract.open();
    const streams = Array.from({ length: 20 }, () => newStream());
    const results = Promise.all(streams.map((stream) => client.append(sampleAppend(stream))));
    await client.close();
    for (const result of await results) expect(result.kind).toBe('appended');
    for (const stream of streams) expect(await contract.store.readStream(stream, 0, 2)).toHaveLength(1);
    await expect(client.append(sampleAppend(newStream()))).rejects.toThrow(StoreUnavailable);
  });
}
