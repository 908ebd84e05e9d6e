import { expect, it } from '@jest/globals';
import { ManualClock } from '../../test/support/worlds/manual-clock.js';
import { runEvery, runForever, untilDone } from './run-forever.js';

/** Fails so many times, then ends. Notes when it was tried, in milliseconds since the first time. */
function failing(times: number, clock: ManualClock) {
  const tries: number[] = [];
  const started = clock.now();
  const work = (): Promise<void> => {
    tries.push(clock.now() - started);
    return tries.length > times ? Promise.resolve() : Promise.reject(new Error(`try ${String(tries.length)}`));
  };
  return { tries, work };
}

it('tries again, ever later up to the longest pause, and tells of each failure', async () => {
  const clock = new ManualClock();
  const reported: unknown[] = [];
  const { tries, work } = failing(4, clock);
  const report = (error: unknown): void => void reported.push((error as Error).message);
  await untilDone({ clock, report, longestPauseMs: 1_000 }, new AbortController().signal, work);
  // Pauses of 200, 400, 800 and 1,000 ms, a quarter shorter by the clock's chance.
  expect(tries).toEqual([0, 150, 450, 1_050, 1_800]);
  expect(reported).toEqual(['try 1', 'try 2', 'try 3', 'try 4']);
});

it('begins with the shortest pause again after progress', async () => {
  const clock = new ManualClock();
  const { tries, work } = failing(3, clock);
  await untilDone({ clock, report: () => undefined }, new AbortController().signal, (progressed) => {
    if (tries.length === 2) progressed();
    return work();
  });
  expect(tries).toEqual([0, 150, 450, 600]);
});

it('begins with the shortest pause again after an attempt longer than the longest one', async () => {
  const clock = new ManualClock();
  const { tries, work } = failing(3, clock);
  await untilDone({ clock, report: () => undefined, longestPauseMs: 1_000 }, new AbortController().signal, async () => {
    if (tries.length === 2) await clock.sleep(5_000);
    await work();
  });
  expect(tries).toEqual([0, 150, 5_450, 5_600]);
});

it('repeats until it is told to stop, and says nothing of what failed by that', async () => {
  const clock = new ManualClock();
  const ending = new AbortController();
  const reported: unknown[] = [];
  let times = 0;
  await runForever({ clock, report: (error) => reported.push(error) }, ending.signal, () => {
    times += 1;
    if (times < 3) return Promise.resolve();
    ending.abort();
    return Promise.reject(new Error('aborted'));
  });
  expect([times, reported]).toEqual([3, []]);
});

it('doubles the pause while the work does not get on', async () => {
  const clock = new ManualClock();
  const ending = new AbortController();
  const started = clock.now();
  const times: number[] = [];
  const answers = [true, false, false, false, true, true];
  await runEvery({ clock, everyMs: 1_000, longestMs: 4_000 }, ending.signal, () => {
    times.push(clock.now() - started);
    const answer = answers[times.length - 1] ?? true;
    if (times.length === answers.length) ending.abort();
    return Promise.resolve(answer);
  });
  expect(times).toEqual([0, 1_000, 3_000, 7_000, 11_000, 12_000]);
});
