import type { NodeProcess } from '../support/processes/node-process.js';
import { catalog } from '../support/ledger/catalog.js';
import { Writer } from '../support/ledger/writer.js';
import { customerPrefix, customers, probeReads, started, underLoad } from './balance-reads.js';
import type { Bench, Figure, Measured } from './bench.js';
import { hot, scripRound, spread, type Contest } from './consume.js';
import { Histogram, median } from './histogram.js';

const connections = 64;
const feature = 'calls';
const plenty = 1_000_000_000_000;
const plans = catalog.plans.map((plan) =>
  plan.free ? { ...plan, limits: { [feature]: { day: plenty, month: plenty, period: plenty } } } : plan,
);

/** Checked uses of a feature with three limits, hot and spread, against consumptions in the same run. */
export async function usage(bench: Bench): Promise<readonly Figure[]> {
  return [
    await compare(bench, { ...hot, name: 'usage-hot' }),
    await compare(bench, { ...spread, name: 'usage-spread' }),
  ];
}

async function compare(bench: Bench, contest: Contest): Promise<Figure> {
  const url = await bench.scripDatabase();
  const writer = await withPlans(url);
  const scrip = await bench.api(url);
  const rounds: { uses: Measured; consumptions: Measured }[] = [];
  for (let round = 0; round < bench.effort.rounds; round += 1) {
    const prefix = `r${String(round)}-`;
    await enterAll(writer, prefix, contest.customers);
    rounds.push({
      uses: await usageRound(bench, scrip, contest, prefix),
      consumptions: await scripRound(bench, scrip, contest, prefix),
    });
  }
  await scrip.stop();
  await writer.store.close();
  const of = (which: 'uses' | 'consumptions', value: (result: Measured) => number): number =>
    median(rounds.map((round) => value(round[which])));
  const summary = (which: 'uses' | 'consumptions'): object => ({
    perSecond: Math.round(of(which, (result) => result.perSecond)),
    rounds: rounds.map((round) => Math.round(round[which].perSecond)),
    p99: of(which, (result) => result.latency.p99),
    serverMicros: of(which, (result) => result.serverMicros),
    postgresMicros: of(which, (result) => result.postgresMicros),
    statuses: rounds.map((round) => round[which].statuses),
  });
  return {
    name: contest.name,
    value: of('uses', (result) => result.perSecond) / of('consumptions', (result) => result.perSecond),
    unit: '× consumptions',
    bar: { atLeast: 0.8 },
    detail: { uses: summary('uses'), consumptions: summary('consumptions') },
  };
}

function usageRound(
  bench: Bench,
  server: NodeProcess,
  { customers: count }: Contest,
  prefix: string,
): Promise<Measured> {
  const requests = {
    ...{ kind: 'usage' as const, customerPrefix: prefix, customers: count, keyPrefix: prefix, feature },
  };
  return bench.run(server, { requests, connections, loop: { kind: 'closed' } });
}

/** How long the check of one feature takes while 1,000 commands a second come in. */
export async function entitlementCheck(bench: Bench): Promise<readonly Figure[]> {
  const { api, stop, url } = await started(bench);
  const writer = await withPlans(url);
  await enterAll(writer, customerPrefix, customers);
  const queries = new Histogram();
  const path = (n: number): string => `/v1/customers/${customerPrefix}${String(n % customers)}/entitlements/${feature}`;
  const { load, probed: refused } = await underLoad(bench, api, (signal) => probeReads(api, queries, signal, path));
  await stop();
  await writer.store.close();
  return [
    {
      name: 'entitlement-check',
      value: queries.quantile(0.99),
      unit: 'ms p99',
      bar: { atMost: 5 },
      detail: { ...queries.summary(), queries: queries.total, refused, load },
    },
  ];
}

async function withPlans(url: string): Promise<Writer> {
  const writer = await Writer.open(url);
  await writer.applyCatalog({ ...catalog, plans });
  return writer;
}

/** Puts the customers `{prefix}0…` on the free plan. */
async function enterAll(writer: Writer, prefix: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const batch = Array.from({ length: Math.min(500, count - from) }, (_, i) => `${prefix}${String(from + i)}`);
    await Promise.all(batch.map((customer) => writer.startFreePlan(customer, 'free')));
  }
}
