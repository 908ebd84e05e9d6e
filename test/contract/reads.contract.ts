import { expect, test } from '@jest/globals';
import { START } from '#event-store/port/event-store.js';
import { fill, newStream, readToEnd, sampleAppend } from '../support/ledger/sample-events.js';
import type { Contract } from './event-store.contract.js';

/** What every adapter promises of `readStream`, `readAll` and `head`. */
export function readContract(contract: Contract): void {
  test('reads a stream in pages from any revision, and nothing beyond its end', async () => {
    const { store } = contract;
    const stream = newStream();
    await store.append(sampleAppend(stream, 0, 25));
    const revisions = async (from: number, limit: number): Promise<number[]> =>
      (await store.readStream(stream, from, limit)).map(({ revision }) => revision);
    expect(await revisions(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await revisions(20, 10)).toEqual([20, 21, 22, 23, 24]);
    expect(await revisions(24, 1)).toEqual([24]);
    expect(await revisions(25, 10)).toEqual([]);
    expect(await revisions(1_000, 10)).toEqual([]);
    expect(await store.readStream(newStream(), 0, 10)).toEqual([]);
  });

  test('keeps streams apart whose names begin alike', async () => {
    const { store } = contract;
    const stream = newStream();
    const names = [
      stream,
      `${stream}.tokens`,
      `${stream}a`,
      `${stream}@b:c_d`,
      stream.toUpperCase().replace('ACCOUNT', 'account'),
    ];
    for (const [index, name] of names.entries()) await store.append(sampleAppend(name, 0, index + 1));
    for (const [index, name] of names.entries()) {
      const events = await store.readStream(name, 0, 20);
      expect(events.map((event) => event.stream)).toEqual(Array.from({ length: index + 1 }, () => name));
    }
  });

  test('reads the log in pages of any size: the same events in the same order', async () => {
    const { store } = contract;
    const before = await store.head();
    const streams = [newStream(), newStream('customer'), newStream('stripeEvent')];
    for (let round = 0; round < 10; round += 1)
      for (const stream of streams) await store.append(sampleAppend(stream, round * 2, 2));
    const all = await readToEnd(store, before, 1_000);
    expect(all).toHaveLength(60);
    for (const limit of [1, 7, 59, 60]) expect(await readToEnd(store, before, limit)).toEqual(all);
    const positions = all.map(({ position }) => position);
    expect([...positions].sort()).toEqual(positions);
    expect(await store.head()).toBe(positions.at(-1));
    expect(await store.readAll(await store.head(), 10)).toEqual([]);
    expect((await store.readAll(positions[57]!, 10)).map(({ position }) => position)).toEqual(positions.slice(58));
  });

  test('reads what was written before the read began, also while others read the same', async () => {
    const { store } = contract;
    const stream = newStream();
    for (let revision = 0; revision < 30; revision += 1) {
      const before = await store.head();
      const others = [store.readAll(before, 10), store.readAll(before, 10)];
      await store.append(sampleAppend(stream, revision));
      const own = store.readAll(before, 10);
      expect(await own).toHaveLength(1);
      await Promise.all(others);
    }
  });

  test('shows another client what was stored, from the beginning of the log', async () => {
    const stream = newStream();
    await fill(contract.store, stream, 2);
    const other = await contract.open();
    expect(await other.head()).toBe(await contract.store.head());
    const first = await other.readAll(START, 1);
    expect(first).toEqual(await contract.store.readAll(START, 1));
    expect(first).toHaveLength(1);
  });
}
