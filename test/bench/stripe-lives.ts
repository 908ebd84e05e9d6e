import { fork, type ChildProcess } from 'node:child_process';
import { peakMemoryOf } from '../support/processes/figures.js';
import { openMarket } from '../lives/story/market.js';
import { Writer } from '../support/ledger/writer.js';
import { apiKey, type Bench, type Figure } from './bench.js';
import { cpuSeconds } from './cpu-time.js';
import type { Batch, BatchResult } from './lives/batch.js';

const secret = 'whsec_bench_0123456789';
const YEAR = 365 * 86_400;
/** So many live side by side: what the generator keeps of Stripe stays within bounds. */
const TOGETHER = 500;

/** A year of random lives through webhook, ledger and read models, a few hundred at a time; audited to the cent and reconciled. */
export async function stripeLives(bench: Bench): Promise<readonly Figure[]> {
  const url = await bench.scripDatabase();
  const env = { STRIPE_WEBHOOK_SECRET: secret };
  const [api, worker] = await Promise.all([bench.api(url, env), bench.worker(url, env)]);
  const end = Math.floor(Date.now() / 1000) - 60;
  const start = end - YEAR;
  const writer = await Writer.open(url);
  await writer.applyCatalog(openMarket(start - 86_400).catalog);
  await writer.store.close();
  const generator = new LivesProcess();
  const results: BatchResult[] = [];
  const spent = () => ({
    api: cpuSeconds(api.pid),
    worker: cpuSeconds(worker.pid),
    postgres: cpuSeconds(bench.postgres.pid),
  });
  const before = spent();
  try {
    for (let done = 0; done < bench.effort.lives; done += TOGETHER) {
      const lives = Math.min(TOGETHER, bench.effort.lives - done);
      const common = { apiUrl: api.url, apiKey, webhookSecret: secret, databaseUrl: url, start, end };
      const last = done + lives >= bench.effort.lives;
      results.push(await generator.play({ ...common, firstSeed: done + 1, lives, last }));
      print(results, bench.effort.lives);
    }
    const after = spent();
    const memory = { api: await peakMemoryOf(api.pid), worker: await peakMemoryOf(worker.pid) };
    const cpu = {
      api: after.api - before.api,
      worker: after.worker - before.worker,
      postgres: after.postgres - before.postgres,
    };
    return figures(results, { memory, cpu });
  } finally {
    generator.stop();
    await api.stop();
    await worker.stop();
  }
}

const sumOf = (results: readonly BatchResult[], of: (result: BatchResult) => number): number =>
  results.reduce((sum, result) => sum + of(result), 0);

/** What a batch came to, while the others are still to come. */
function print(results: readonly BatchResult[], lives: number): void {
  const { webhooks, seconds, faults, reconciled } = results.at(-1)!;
  const rate = (webhooks / seconds.settled).toFixed(0);
  const done = Math.min(results.length * TOGETHER, lives);
  console.error(
    `${String(done)} of ${String(lives)} lives: ${String(webhooks)} webhooks, ${rate}/s, ${String(faults.length)} faults`,
  );
  for (const found of [...faults.slice(0, 10), ...(reconciled?.found.slice(0, 10) ?? [])])
    console.error(JSON.stringify(found));
}

type Spent = { readonly api: number; readonly worker: number };

function figures(
  results: readonly BatchResult[],
  { memory, cpu }: { memory: Spent; cpu: Spent & { readonly postgres: number } },
): readonly Figure[] {
  const webhooks = sumOf(results, (result) => result.webhooks);
  const statuses: Record<string, number> = {};
  for (const result of results) {
    for (const [status, count] of Object.entries(result.statuses)) statuses[status] = (statuses[status] ?? 0) + count;
  }
  const settled = sumOf(results, ({ seconds }) => seconds.settled);
  const micros = (seconds: number): number => Math.round((seconds * 1e6) / webhooks);
  const faults = results.flatMap((result) => result.faults);
  const generator = Math.max(...results.map(({ generatorMiB }) => generatorMiB));
  const consumptions = sumOf(results, (result) => result.consumptions);
  const cpuMicros = { api: micros(cpu.api), worker: micros(cpu.worker), postgres: micros(cpu.postgres) };
  const first = results[0]!;
  const last = results.at(-1)!;
  const growth = { first: first.webhooks / first.seconds.settled, last: last.webhooks / last.seconds.settled };
  return [
    {
      name: 'stripe-lives',
      value: webhooks / settled,
      unit: 'webhooks/s, read models included',
      bar: null,
      detail: { webhooks, settledSeconds: settled, consumptions, statuses, cpuMicros, growth },
    },
    {
      name: 'stripe-lives answered',
      value: webhooks / sumOf(results, ({ seconds }) => seconds.sent),
      unit: 'webhooks/s',
      bar: null,
      detail: {},
    },
    {
      name: 'stripe-lives reconciled',
      value: last.reconciled?.differences ?? Number.NaN,
      unit: 'differences',
      bar: { atMost: 0 },
      detail: { compared: last.reconciled?.checked, found: last.reconciled?.found },
    },
    {
      name: 'stripe-lives books',
      value: faults.length,
      unit: 'faults',
      bar: { atMost: 0 },
      detail: { faults: faults.slice(0, 50) },
    },
    {
      name: 'stripe-lives memory',
      value: Math.max(memory.api, memory.worker, generator),
      unit: 'MiB, the largest process',
      bar: { atMost: 1536 },
      detail: { ...memory, generator },
    },
  ];
}

/** The process that lives the lives. */
class LivesProcess {
  readonly #child: ChildProcess = fork(new URL('lives/lives-process.ts', import.meta.url), {
    execArgv: [...process.execArgv],
  });

  play(batch: Batch): Promise<BatchResult> {
    return new Promise((resolve, reject) => {
      this.#child.once('message', (message: { result: BatchResult } | { failed: string }) => {
        if ('result' in message) resolve(message.result);
        else reject(new Error(`lives: ${message.failed}`));
      });
      this.#child.send(batch);
    });
  }

  stop(): void {
    this.#child.disconnect();
  }
}
