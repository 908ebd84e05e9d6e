import { expect, it } from '@jest/globals';
import { ManualClock } from '../../test/support/worlds/manual-clock.js';
import { endsWithin } from './drain.js';

it('answers whether the work ended in time, and waits no longer', async () => {
  const clock = new ManualClock();
  const started = clock.now();
  expect(await endsWithin(clock, 10_000, Promise.resolve())).toBe(true);
  expect(await endsWithin(clock, 10_000, new Promise(() => undefined))).toBe(false);
  expect(clock.now() - started).toBe(20_000);
});
