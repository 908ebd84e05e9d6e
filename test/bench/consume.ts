import pg from 'pg';
import type { NodeProcess } from '../support/processes/node-process.js';
import { apiKey, type Bench, type Figure, type Measured } from './bench.js';
import { baselineSchema } from './baseline/schema.js';
import { median } from './histogram.js';

const connections = 64;
const credits = 1_000_000_000;
const poolSizes = [2, 4, 8, 16, 32];

/** Single consumptions spread over 10,000 accounts: Scrip against mutable balance rows behind the same HTTP server. */
export const consumeSpread = (bench: Bench): Promise<readonly Figure[]> => compare(bench, spread);

/** The same, all from one account. */
export const consumeHot = (bench: Bench): Promise<readonly Figure[]> => compare(bench, hot);

export type Contest = { readonly name: string; readonly customers: number; readonly bar: { readonly atLeast: number } };
export const spread: Contest = { name: 'consume-spread', customers: 10_000, bar: { atLeast: 2 } };
export const hot: Contest = { name: 'consume-hot', customers: 1, bar: { atLeast: 6 } };

async function compare(bench: Bench, contest: Contest): Promise<readonly Figure[]> {
  const baseline = await bestBaseline(bench, contest);
  const scripUrl = await bench.scripDatabase();
  const scrip = await bench.api(scripUrl);
  const rounds: { scrip: Measured; baseline: Measured }[] = [];
  for (let round = 0; round < bench.effort.rounds; round += 1) {
    rounds.push({
      scrip: await scripRound(bench, scrip, contest, `r${String(round)}-`),
      baseline: await baselineRound(bench, baseline, contest, `r${String(round)}-`),
    });
  }
  await scrip.stop();
  await baseline.server.stop();
  const of = (which: 'scrip' | 'baseline', value: (result: Measured) => number): number =>
    median(rounds.map((round) => value(round[which])));
  const summary = (which: 'scrip' | 'baseline'): object => ({
    perSecond: Math.round(of(which, (result) => result.perSecond)),
    rounds: rounds.map((round) => Math.round(round[which].perSecond)),
    p50: of(which, (result) => result.latency.p50),
    p99: of(which, (result) => result.latency.p99),
    p999: of(which, (result) => result.latency.p999),
    max: of(which, (result) => result.latency.max),
    serverMicros: of(which, (result) => result.serverMicros),
    postgresMicros: of(which, (result) => result.postgresMicros),
    generatorCpu: of(which, (result) => result.generatorCpu),
    statuses: rounds.map((round) => round[which].statuses),
    failures: rounds.map((round) => round[which].failures),
  });
  const detail = {
    scrip: summary('scrip'),
    baseline: { ...summary('baseline'), poolSize: baseline.poolSize, poolSizesTried: baseline.tried },
  };
  return [
    {
      name: contest.name,
      value: of('scrip', (result) => result.perSecond) / of('baseline', (result) => result.perSecond),
      unit: '× baseline throughput',
      bar: contest.bar,
      detail,
    },
    {
      name: `${contest.name} p99`,
      value: of('scrip', (result) => result.latency.p99) / of('baseline', (result) => result.latency.p99),
      unit: '× baseline p99',
      bar: { atMost: 1 },
      detail: {},
    },
  ];
}

/** One measurement of Scrip, with accounts and keys of its own. */
export async function scripRound(
  bench: Bench,
  server: NodeProcess,
  { customers }: Contest,
  customerPrefix: string,
): Promise<Measured> {
  await grantAll(server, customerPrefix, customers, credits);
  const requests = { kind: 'consume' as const, customerPrefix, customers, keyPrefix: customerPrefix };
  return bench.run(server, { requests, connections, loop: { kind: 'closed' } });
}

/** Grants `amount` to each of the accounts `{prefix}0…`, by bulk commands. */
export async function grantAll(server: NodeProcess, prefix: string, customers: number, amount: number): Promise<void> {
  for (let from = 0; from < customers; from += 500) {
    const commands = Array.from({ length: Math.min(500, customers - from) }, (_, i) => ({
      type: 'grant',
      customerId: `${prefix}${String(from + i)}`,
      idempotencyKey: 'first-grant',
      amount,
      source: 'purchase',
    }));
    const response = await fetch(`${server.url}/v1/commands`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ commands }),
    });
    const { results } = (await response.json()) as { results: { status: number }[] };
    const refused = results.find(({ status }) => status !== 201);
    if (refused !== undefined) throw new Error(`a grant was answered ${JSON.stringify(refused)}`);
  }
}

type Baseline = {
  readonly server: NodeProcess;
  readonly url: string;
  readonly poolSize: number;
  readonly tried: Readonly<Record<string, number>>;
};

/** The baseline with the connection pool that suits it best here. */
async function bestBaseline(bench: Bench, contest: Contest): Promise<Baseline> {
  const url = await bench.database();
  await execute(url, baselineSchema);
  const tried: Record<string, number> = {};
  for (const poolSize of poolSizes) {
    const server = await bench.baseline(url, poolSize);
    const result = await baselineRound(bench, { server, url }, contest, `pool${String(poolSize)}-`);
    tried[String(poolSize)] = Math.round(result.perSecond);
    await server.stop();
  }
  const poolSize = poolSizes.reduce((best, size) => (tried[String(size)]! > tried[String(best)]! ? size : best));
  return { server: await bench.baseline(url, poolSize), url, poolSize, tried };
}

async function baselineRound(
  bench: Bench,
  baseline: Pick<Baseline, 'server' | 'url'>,
  { customers }: Contest,
  customerPrefix: string,
): Promise<Measured> {
  await execute(
    baseline.url,
    `insert into balances (customer_id, unit, available) select '${customerPrefix}' || n, 'credits', ${String(credits)} from generate_series(0, ${String(customers - 1)}) n`,
  );
  const requests = { kind: 'consume' as const, customerPrefix, customers, keyPrefix: customerPrefix };
  return bench.run(baseline.server, { requests, connections, loop: { kind: 'closed' } });
}

async function execute(url: string, text: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(text);
  await client.end();
}
