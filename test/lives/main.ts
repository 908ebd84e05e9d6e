import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { SERVER_URL, temporaryPostgres } from '../support/databases/postgres.js';
import { play, type Failure, type Played } from './play.js';
import { kinds } from './story/kinds.js';
import { Workers } from './workers.js';

const { values } = parseArgs({
  options: {
    lives: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    years: { type: 'string', default: '2' },
    /** So many live side by side. */
    together: { type: 'string', default: '100' },
    /** So many processes play. */
    workers: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string' },
    /** Ends with the figures as one line of JSON. */
    json: { type: 'boolean', default: false },
  },
});
const years = Number(values.years);
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.lives) : 1;
const together = Number(values.together);

/** The sums of all batches. */
const sums = { lives: 0, webhooks: 0, failed: 0 };
const money = new Map<string, number>();
const occurrences = new Map<string, number>(kinds.map((kind) => [kind, 0]));

// The server of a test run, or one of its own.
const server = process.env[SERVER_URL] === undefined ? await temporaryPostgres() : null;
if (server !== null) process.env[SERVER_URL] = server.server.url;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void server?.remove().finally(() => process.exit(1)));
}
try {
  process.exitCode = (await playAll()) ? 0 : 1;
} finally {
  await server?.remove();
}

async function playAll(): Promise<boolean> {
  const begin = performance.now();
  const seeds = Array.from({ length: count }, (_, index) => first + index);
  const batches = Array.from({ length: Math.ceil(count / together) }, (_, index) => ({
    seeds: seeds.slice(index * together, (index + 1) * together),
    years,
    without: [],
  }));
  const workers = new Workers(Math.min(Number(values.workers), batches.length));
  try {
    await workers.playAll(batches, add);
  } finally {
    workers.close();
  }
  for (const [key, amount] of [...money].sort()) console.log(`${String(amount).padStart(14)} ${key}`);
  for (const [kind, times] of occurrences) console.log(`${String(times).padStart(14)} ${kind}`);
  const { lives, webhooks, failed } = sums;
  const seconds = (performance.now() - begin) / 1000;
  const sum = `${String(lives)} lives from ${String(first)} of ${String(years)} years, ${String(webhooks)} webhooks, ${seconds.toFixed(1)} s`;
  console.log(failed === 0 ? `every cent has its credits or its reason: ${sum}` : `${String(failed)} fail: ${sum}`);
  if (values.json) console.log(JSON.stringify({ ...sums, kinds: Object.fromEntries(occurrences) }));
  return failed === 0 && lives === count;
}

/** Adds a batch to the sums; a failing life is printed, and the shortest is shrunk. */
async function add(played: Played): Promise<void> {
  sums.lives += played.lives;
  sums.webhooks += played.webhooks;
  sums.failed += played.failures.length + played.faults.length;
  for (const { currency, amount, became } of played.money) {
    const key = `${currency} ${became}`;
    money.set(key, (money.get(key) ?? 0) + amount);
  }
  for (const kind of kinds) occurrences.set(kind, (occurrences.get(kind) ?? 0) + (played.kinds[kind] ?? 0));
  for (const line of played.faults) console.log(line);
  for (const failure of played.failures) console.log(text(failure));
  const [shortest] = played.failures.toSorted((a, b) => a.story.length - b.story.length);
  if (shortest !== undefined) console.log(await shrunk(shortest, played));
}

function text({ seed, faults }: Failure): string {
  return `seed ${String(seed)} fails:\n  ${faults.join('\n  ')}`;
}

/** The failing life alone, with every step left out that it fails without. */
async function shrunk(failure: Failure, { lives }: Played): Promise<string> {
  const without = new Set<number>();
  const alone = async (): Promise<Failure | undefined> =>
    (await play({ seeds: [failure.seed], years, without: [...without] })).failures[0];
  let smallest = await alone();
  if (smallest === undefined) return `seed ${String(failure.seed)} fails only among ${String(lives)} lives`;
  const until = performance.now() + 60_000;
  const last = Number(/^\S+ (\d+)/.exec(failure.story.at(-1) ?? '')?.[1] ?? 0);
  for (let step = last; step > 0 && performance.now() < until; step -= 1) {
    without.add(step);
    const still = await alone();
    if (still === undefined) without.delete(step);
    else smallest = still;
  }
  return `shrunk: ${text(smallest)}\n  ${smallest.story.join('\n  ')}`;
}
