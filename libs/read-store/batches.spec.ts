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
