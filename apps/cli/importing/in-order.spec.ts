import { expect, test } from '@jest/globals';
import { inOrder } from './in-order.js';
import { SeenIds } from './seen-ids.js';

async function* counted(to: number, started: number[]): AsyncGenerator<number> {
  for (let n = 0; n < to; n += 1) {
    started.push(n);
    yield n;
  }
}

test('results come in the order of the items, of which no more than the limit are under way', async () => {
  const under = { now: 0, most: 0 };
  const results = await Array.fromAsync(
    inOrder(counted(50, []), 4, async (n) => {
      under.most = Math.max(under.most, (under.now += 1));
      await new Promise((done) => setTimeout(done, n % 5));
      under.now -= 1;
      return n;
    }),
  );
  expect(results).toEqual(Array.from({ length: 50 }, (_, n) => n));
  expect(under.most).toBe(4);
});

test('a failure ends it, once what is under way has ended', async () => {
  const started: number[] = [];
  let ended = 0;
  const all = Array.fromAsync(
    inOrder(counted(50, started), 4, async (n) => {
      if (n === 3) throw new Error('no');
      await new Promise((done) => setTimeout(done, 5));
      ended += 1;
      return n;
    }),
  );
  await expect(all).rejects.toThrow('no');
  expect(started.length).toBeLessThan(10);
  expect(ended).toBe(started.length - 1);
});

test('where the items break off, the results of those before come first', async () => {
  const items = async function* (): AsyncGenerator<number> {
    yield* [1, 2, 3];
    throw new Error('no more');
  };
  const results: number[] = [];
  const all = async (): Promise<void> => {
    for await (const result of inOrder(items(), 10, (n) => Promise.resolve(n))) results.push(result);
  };
  await expect(all()).rejects.toThrow('no more');
  expect(results).toEqual([1, 2, 3]);
});

test('an id is new once', () => {
  const seen = new SeenIds();
  const ids = Array.from({ length: 20_000 }, (_, n) => `lot-${String(n)}`);
  expect(ids.every((id) => seen.add(id))).toBe(true);
  expect(ids.some((id) => seen.add(id))).toBe(false);
});
