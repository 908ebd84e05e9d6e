import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../support/processes/node-process.js';
import { apiKey, type Bench, type Figure, type Measured } from './bench.js';
import { grantAll } from './consume.js';
import { Histogram, median } from './histogram.js';

export const customers = 10_000;
export const customerPrefix = 'lag-';

/** How late a command shows in the balance query, under 1,000 commands a second. */
export async function lag(bench: Bench): Promise<readonly Figure[]> {
  const servers = await started(bench);
  const late = new Histogram();
  const { load } = await underLoad(bench, servers.api, (signal) => probeLag(servers.api, late, signal));
  await servers.stop();
  return [
    {
      name: 'lag',
      value: late.quantile(0.99),
      unit: 'ms p99',
      bar: { atMost: 200 },
      detail: { ...late.summary(), probes: late.total, load },
    },
  ];
}

/** Balance queries alone, and under the load of `lag`. */
export async function balanceRead(bench: Bench): Promise<readonly Figure[]> {
  const servers = await started(bench);
  const balance = { kind: 'balance' as const, customerPrefix, customers, suffix: '' };
  const alone: Measured[] = [];
  for (let round = 0; round < bench.effort.rounds; round += 1)
    alone.push(await bench.run(servers.api, { requests: balance, connections: 64, loop: { kind: 'closed' } }));
  const queries = new Histogram();
  const { load, probed: refused } = await underLoad(bench, servers.api, (signal) =>
    probeBalance(servers.api, queries, signal),
  );
  await servers.stop();
  return [
    {
      name: 'balance-read',
      value: median(alone.map(({ perSecond }) => perSecond)),
      unit: 'queries/s',
      bar: { atLeast: 8_000 },
      detail: { rounds: alone },
    },
    {
      name: 'balance-read under load',
      value: queries.quantile(0.99),
      unit: 'ms p99',
      bar: { atMost: 10 },
      detail: { ...queries.summary(), queries: queries.total, refused, load },
    },
  ];
}

/** An api and a worker over 10,000 accounts with credits. */
export async function started(bench: Bench): Promise<{ api: NodeProcess; url: string; stop: () => Promise<void> }> {
  const url = await bench.scripDatabase();
  const [api, worker] = await Promise.all([bench.api(url), bench.worker(url)]);
  await grantAll(api, customerPrefix, customers, 1_000_000_000);
  await sleep(2_000);
  return {
    api,
    url,
    stop: async () => {
      await api.stop();
      await worker.stop();
    },
  };
}

/** Runs `probe` while 1,000 commands a second come in, after the load's warm-up. */
export async function underLoad<Probed>(
  bench: Bench,
  api: NodeProcess,
  probe: (signal: AbortSignal) => Promise<Probed>,
): Promise<{ readonly load: Measured; readonly probed: Probed }> {
  const measuring = new AbortController();
  const loading = bench.run(api, {
    requests: { kind: 'consume', customerPrefix, customers, keyPrefix: customerPrefix },
    connections: 128,
    loop: { kind: 'open', rate: 1_000 },
    seconds: Math.max(bench.effort.seconds, bench.effort.lagSeconds),
  });
  await Promise.race([loading, sleep(bench.effort.warmUpSeconds * 1000)]);
  const probing = probe(measuring.signal);
  const load = await loading.finally(() => {
    measuring.abort();
  });
  return { load, probed: await probing };
}

const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };

/** From the answer to a command until the balance query shows it, 20 times a second. */
async function probeLag(api: NodeProcess, lag: Histogram, signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n += 1) {
    const response = await fetch(`${api.url}/v1/customers/lag-0/consumptions`, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': `probe-${String(n)}` },
      body: '{"amount":1}',
    });
    const { position } = (await response.json()) as { position: string };
    const from = performance.now();
    const read = await fetch(`${api.url}/v1/customers/lag-0/balance?minPosition=${position}&waitMs=10000`, { headers });
    await read.arrayBuffer();
    if (read.status !== 200) throw new Error(`a balance query was answered ${String(read.status)}`);
    lag.record((performance.now() - from) * 1000);
    await sleep(50);
  }
}

const probeBalance = (api: NodeProcess, queries: Histogram, signal: AbortSignal) =>
  probeReads(api, queries, signal, (n) => `/v1/customers/${customerPrefix}${String(n % customers)}/balance`);

/** 100 queries a second at fixed instants, counted from when they were due; gives how many were answered with which other code than 200. */
export async function probeReads(
  api: NodeProcess,
  queries: Histogram,
  signal: AbortSignal,
  pathOf: (n: number) => string,
): Promise<Readonly<Record<string, number>>> {
  const begin = performance.now();
  const under: Promise<void>[] = [];
  const refused: Record<string, number> = {};
  for (let n = 0; !signal.aborted; n += 1) {
    const due = begin + n * 10;
    await sleep(Math.max(0, due - performance.now()));
    const from = Math.max(due, performance.now() - 1); // the timer of this process is not what is measured
    const query = async (): Promise<void> => {
      const response = await fetch(`${api.url}${pathOf(n)}`, { headers });
      const { code = 'none' } = (await response.json()) as { readonly code?: string };
      if (response.status !== 200) refused[code] = (refused[code] ?? 0) + 1;
      queries.record((performance.now() - from) * 1000);
    };
    under.push(query());
  }
  await Promise.all(under);
  return refused;
}
