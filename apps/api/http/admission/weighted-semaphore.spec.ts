import { describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { WeightedSemaphore } from './weighted-semaphore.js';

describe('a weighted semaphore', () => {
  const startIn = (semaphore: WeightedSemaphore, started: number[], size: number): void => {
    void semaphore.acquire(size).then(() => started.push(size));
  };

  it('lets work run side by side as far as it fits, and the rest in its order', async () => {
    const semaphore = new WeightedSemaphore(10);
    const started: number[] = [];
    for (const size of [4, 5, 3, 1]) startIn(semaphore, started, size);
    await setImmediate();
    // The last would fit, but it came after one that does not.
    expect(started).toEqual([4, 5]);
    semaphore.release(4);
    await setImmediate();
    expect(started).toEqual([4, 5, 3, 1]);
  });

  it('runs work that never fits alone', async () => {
    const semaphore = new WeightedSemaphore(10);
    const started: number[] = [];
    for (const size of [1, 25, 2]) startIn(semaphore, started, size);
    await setImmediate();
    expect(started).toEqual([1]);
    semaphore.release(1);
    await setImmediate();
    expect(started).toEqual([1, 25]);
    semaphore.release(25);
    await setImmediate();
    expect(started).toEqual([1, 25, 2]);
  });
});
