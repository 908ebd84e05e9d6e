import { expect, it } from '@jest/globals';
import { joined } from './batches.js';

async function* pages(...all: readonly (readonly number[])[]): AsyncGenerator<readonly number[]> {
  for (const page of all) {
    await Promise.resolve();
    yield page;
  }
}

async function collect(source: AsyncIterable<readonly number[]>): Promise<(readonly number[])[]> {
  const batches: (readonly number[])[] = [];
  for await (const batch of source) batches.push(batch);
  return batches;
}

it('joins what is ready up to the bound, in order, and loses nothing', async () => {
  const batches = await collect(joined(pages([1, 2], [3], [4, 5], [6]), 4));
  expect(batches.flat()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(batches.length).toBeLessThan(4);
});

it('does not wait for what is not there yet', async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  async function* slow(): AsyncGenerator<readonly number[]> {
    yield [1];
    await promise;
    yield [2];
  }
  const batches = joined(slow(), 10);
  expect((await batches.next()).value).toEqual([1]);
  resolve(undefined);
  expect((await batches.next()).value).toEqual([2]);
  expect((await batches.next()).done).toBe(true);
});

it('passes a failure on when it is reached, not before', async () => {
  async function* failing(): AsyncGenerator<readonly number[]> {
    yield [1];
    await Promise.resolve();
    throw new Error('gone');
  }
  const batches = joined(failing(), 1);
  expect((await batches.next()).value).toEqual([1]);
  await expect(batches.next()).rejects.toThrow('gone');
});

it('ends the source when the caller stops early, though it was read ahead', async () => {
  let ended = false;
  async function* endless(): AsyncGenerator<readonly number[]> {
    try {
      for (let page = 0; ; page += 1) {
        await Promise.resolve();
        yield [page];
      }
    } finally {
      ended = true;
    }
  }
  for await (const batch of joined(endless(), 1)) if (batch.includes(2)) break;
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toBe(true);
});

it('passes the failure of its caller on, not that of a source which cannot end', async () => {
  async function* stubborn(): AsyncGenerator<readonly number[]> {
    try {
      await Promise.resolve();
      for (;;) yield [1];
    } finally {
      await Promise.reject(new Error('cannot end'));
    }
  }
  const applying = async (): Promise<void> => {
    for await (const batch of joined(stubborn(), 1)) throw new Error(`cannot apply ${String(batch[0])}`);
  };
  await expect(applying()).rejects.toThrow('cannot apply 1');
});
