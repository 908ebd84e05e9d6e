import { expect, test } from '@jest/globals';
import { planOf } from './plan.js';
import { Probes } from './probes.js';
import { play, playSeeds, shrink } from './run-seed.js';
import { sabotages } from './sabotage.js';

test.each(sabotages)('finds the planted bug: %s', async (sabotage) => {
  expect(await playSeeds(1, 300, new Probes(), sabotage)).not.toBeNull();
});

test('shrinks a failing plan to a smaller one that still fails', async () => {
  const plan = planOf(1);
  const small = await shrink(plan, 'drops-key', 30);
  expect(small.steps.length).toBeLessThan(plan.steps.length);
  expect((await play(small, 'drops-key')).wrong).not.toEqual([]);
});
