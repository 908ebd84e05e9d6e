import { parseArgs } from 'node:util';
import { planOf } from './plan.js';
import { Probes } from './probes.js';
import { play, playSeeds, shrink } from './run-seed.js';
import { sabotages, type Sabotage } from './sabotage.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    plant: { type: 'string' },
  },
});
const plant = (sabotages as readonly string[]).includes(values.plant ?? '') ? (values.plant as Sabotage) : null;
const [first, count] =
  values.seed === undefined ? [Number(values.from), Number(values.seeds)] : [Number(values.seed), 1];
const probes = new Probes();
const started = performance.now();
const failure = await playSeeds(first, count, probes, plant);
const seconds = (performance.now() - started) / 1000;
for (const [name, hits] of probes.counts) console.log(`${String(hits).padStart(9)}  ${name}`);
if (failure === null) {
  console.log(`${String(count)} seeds from ${String(first)}: all promises kept, ${seconds.toFixed(1)} s`);
} else {
  console.log(`seed ${String(failure.seed)} fails:\n  ${failure.wrong.join('\n  ')}`);
  const plan = await shrink(planOf(failure.seed), plant);
  console.log(`shrunk to ${String(plan.steps.length)} steps: ${JSON.stringify(plan)}`);
  console.log(`which fails with:\n  ${(await play(plan, plant)).wrong.join('\n  ')}`);
  process.exitCode = 1;
}
