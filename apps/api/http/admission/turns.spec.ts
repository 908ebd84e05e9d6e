import { describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { Turns } from './turns.js';

describe('turns', () => {
  const startIn = (turns: Turns, started: number[], size: number): void => {
    void turns.begin(size).then(() => started.push(size));
  };

  it('lets work run side by side as far as it fits, and the rest in its order', async () => {
    const turns = new Turns(10);
    const started: number[] = [];
    for (const size of [4, 5, 3, 1]) startIn(turns, started, size);
    await setImmediate();
    // The last would fit, but it came after one that does not.
    expect(started).toEqual([4, 5]);
    turns.end(4);
    await setImmediate();
    expect(started).toEqual([4, 5, 3, 1]);
  });

  it('runs work that never fits alone', async () => {
    const turns = new Turns(10);
    const started: number[] = [];
    for (const size of [1, 25, 2]) startIn(turns, started, size);
    await setImmediate();
    expect(started).toEqual([1]);
    turns.end(1);
    await setImmediate();
    expect(started).toEqual([1, 25]);
    turns.end(25);
    await setImmediate();
    expect(started).toEqual([1, 25, 2]);
  });
});
