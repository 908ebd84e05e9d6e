import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SystemClock } from '#config/system-clock.js';
import { openEventStore } from '#event-store/event-store.module.js';
import { projectionStatus } from '#read-store/projection-status.js';
import { openReadDatabase } from '#read-store/read-database.js';
import type { NodeProcess } from '../support/node-process.js';
import { apiKey } from './bench.js';
import type { Bench, Figure } from './bench.js';
import { fill } from './bulk.js';
import { grantAll } from './consume.js';
import { Histogram } from './histogram.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** All projections from position zero, and an audit, over a log of a million events. */
export async function wholeLog(bench: Bench): Promise<readonly Figure[]> {
  const url = await bench.scripDatabase();
  const api = await bench.api(url);
  await fill(bench, api, 'log-', bench.effort.events);
  await api.stop();
  const { events, seconds, slowest } = await catchUp(bench, url);
  const verified = await verify(url, []);
  const logOnly = await verify(url, ['--log-only']);
  return [
    {
      name: 'catch-up',
      value: events / seconds,
      unit: 'events/s',
      bar: { atLeast: 25_000 },
      detail: { events, seconds, slowest },
    },
    {
      name: 'verify',
      value: events / verified.seconds,
      unit: 'events/s',
      bar: { atLeast: 100_000 },
      detail: { events, ...verified },
    },
    { name: 'verify --log-only', value: events / logOnly.seconds, unit: 'events/s', bar: null, detail: logOnly },
    { name: 'verify memory', value: verified.peakMiB, unit: 'MiB', bar: { atMost: 300 }, detail: {} },
  ];
}

/** Starts a worker on a log without read models; how long all of them need to reach its end. */
export async function catchUp(
  bench: Bench,
  url: string,
): Promise<{ events: number; seconds: number; slowest: string }> {
  const clock = new SystemClock();
  const store = await openEventStore({ kind: 'postgres', databaseUrl: url }, clock);
  const db = openReadDatabase(url, { clock });
  const head = await store.head();
  const worker = await bench.worker(url);
  const begin = performance.now();
  let slowest = '';
  for (;;) {
    const behind = (await projectionStatus(db, store, clock.now())).filter(({ position }) => position < head);
    if (behind.length === 0) break;
    slowest = behind.map(({ name }) => name).join(', ');
    await sleep(50);
  }
  const seconds = (performance.now() - begin) / 1000;
  await worker.stop();
  await db.close();
  await store.close();
  return { events: Number(head), seconds, slowest };
}

async function verify(
  url: string,
  flags: readonly string[],
): Promise<{ seconds: number; peakMiB: number; exitCode: number | null }> {
  const begin = performance.now();
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, ['dist/apps/cli/main.js', 'audit', 'verify', '--json', ...flags], {
    cwd: root,
    env: { PATH, DATABASE_URL: url },
    stdio: 'ignore',
  });
  let peakKiB = 0;
  const watch = setInterval(() => {
    try {
      peakKiB = Number(
        /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${String(child.pid)}/status`, 'utf8'))?.[1] ?? peakKiB,
      );
    } catch {
      clearInterval(watch); // it has ended
    }
  }, 50);
  const exitCode = await new Promise<number | null>((ended) => child.once('exit', ended));
  clearInterval(watch);
  return { seconds: (performance.now() - begin) / 1000, peakMiB: peakKiB / 1024, exitCode };
}

const customers = 10_000;

/** Balance queries alone; then, under 1,000 commands a second, how late a command shows in them and how fast they are. */
export async function reads(bench: Bench): Promise<readonly Figure[]> {
  const url = await bench.scripDatabase();
  const [api, worker] = await Promise.all([bench.api(url), bench.worker(url)]);
  const customerPrefix = 'lag-';
  await grantAll(api, customerPrefix, customers, 1_000_000_000);
  await sleep(2_000);
  const balance = { kind: 'balance' as const, customerPrefix, customers, suffix: '' };
  const alone = await bench.run(api, { requests: balance, connections: 64, loop: { kind: 'closed' } });
  const measuring = new AbortController();
  const [lag, queries] = [new Histogram(), new Histogram()];
  const probes = [probeLag(api, lag, measuring.signal), probeBalance(api, customerPrefix, queries, measuring.signal)];
  const load = await bench.run(api, {
    requests: { kind: 'consume', customerPrefix, customers, keyPrefix: 'lag-' },
    connections: 128,
    loop: { kind: 'open', rate: 1_000 },
    seconds: Math.max(bench.effort.seconds, bench.effort.lagSeconds),
  });
  measuring.abort();
  await Promise.all(probes);
  await api.stop();
  await worker.stop();
  return [
    {
      name: 'balance-read alone',
      value: alone.perSecond,
      unit: 'queries/s',
      bar: { atLeast: 8_000 },
      detail: { ...alone },
    },
    {
      name: 'balance-read under load',
      value: queries.quantile(0.99),
      unit: 'ms p99',
      bar: { atMost: 10 },
      detail: { ...queries.summary(), queries: queries.total },
    },
    {
      name: 'lag',
      value: lag.quantile(0.99),
      unit: 'ms p99',
      bar: { atMost: 200 },
      detail: { ...lag.summary(), probes: lag.total, load },
    },
  ];
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

/** 100 balance queries a second at fixed instants, counted from when they were due. */
async function probeBalance(api: NodeProcess, prefix: string, queries: Histogram, signal: AbortSignal): Promise<void> {
  const begin = performance.now();
  const under: Promise<void>[] = [];
  for (let n = 0; !signal.aborted; n += 1) {
    const due = begin + n * 10;
    await sleep(Math.max(0, due - performance.now()));
    const from = Math.max(due, performance.now() - 1); // the timer of this process is not what is measured
    const query = async (): Promise<void> => {
      await (
        await fetch(`${api.url}/v1/customers/${prefix}${String(n % customers)}/balance`, { headers })
      ).arrayBuffer();
      queries.record((performance.now() - from) * 1000);
    };
    under.push(query());
  }
  await Promise.all(under);
}
