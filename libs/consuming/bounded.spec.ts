import { expect, it } from '@jest/globals';
import { eachBounded } from './bounded.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('works on every item, and never on more at a time than the limit', async () => {
  let [atATime, most] = [0, 0];
  const done: number[] = [];
  await eachBounded([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    most = Math.max(most, (atATime += 1));
    await turn();
    atATime -= 1;
    done.push(item);
  });
  expect(most).toBe(3);
  expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

it('starts nothing after a failure, and throws it only when what runs has ended', async () => {
  const started: number[] = [];
  const ended: number[] = [];
  const work = async (item: number): Promise<void> => {
    started.push(item);
    if (item === 1) throw new Error('broken');
    await turn();
    ended.push(item);
  };
  await expect(eachBounded([1, 2, 3, 4], 2, work)).rejects.toThrow('broken');
  expect([started, ended]).toEqual([[1, 2], [2]]);
});
