import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { planOf } from './plan.js';
import { play } from './run-seed.js';

const run = promisify(execFile);
const SEEDS = 1_000;

/** In a process of its own, as `npm run simulate` does: jest's modules make every promise dearer. */
async function simulate(from: number, seeds: number): Promise<string> {
  const loader = ['--conditions=source', '--import', './test/support/run-typescript.mjs'];
  const args = [...loader, 'test/simulation/main.ts', '--from', String(from), '--seeds', String(seeds)];
  const { stdout } = await run(process.execPath, args, { maxBuffer: 1 << 24 }).catch(
    (error: { stdout: string }) => error,
  );
  return stdout;
}

test(`${String(SEEDS)} worlds full of faults keep every promise, and every rare branch was reached`, async () => {
  const outputs = await Promise.all([simulate(1, SEEDS / 2), simulate(1 + SEEDS / 2, SEEDS / 2)]);
  // A failing seed is named and shrunk in the output; it plays again with: npm run simulate -- --seed N
  for (const output of outputs) expect(output).toMatch(/all promises kept/);
  const missed = outputs.flatMap((output) => [...output.matchAll(/^ +0 {2}(.+)$/gm)].map((match) => match[1]));
  expect(missed).toEqual([]);
}, 900_000);

test('a seed replays exactly', async () => {
  const [first, second] = [await play(planOf(17)), await play(planOf(17))];
  expect([...second.probes.counts]).toEqual([...first.probes.counts]);
  expect(second.events).toBe(first.events);
});
