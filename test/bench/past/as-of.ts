import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProcess } from '../../support/processes/node-process.js';
import { apiKey, type Bench, type Figure } from '../bench.js';
import { Histogram } from '../histogram.js';
import { longAccount, type LongAccount } from './long-account.js';

const events = 150_000;
const readers = 6;
const commandsPerSecond = 50;

/** What the past of a long account costs to read, and what six readers of it cost the commands of another account. */
export async function asOf(bench: Bench): Promise<readonly Figure[]> {
  const url = await bench.scripDatabase();
  const account = await longAccount(url, 'past', events);
  const api = await bench.api(url);
  const query = pastMoments(account, 'balance');
  for (let n = 0; n < 200; n += 1) await read(api, query());
  const reads = await closedLoop(api, 1, query, bench.effort.seconds);
  const alone = await commands(api, 'alone', bench.effort.seconds);
  const measuring = closedLoop(api, readers, query, bench.effort.seconds + 1);
  const beside = await commands(api, 'beside', bench.effort.seconds);
  const crowded = await measuring;
  await api.stop();
  return [
    {
      name: 'as-of',
      value: reads.quantile(0.99),
      unit: 'ms p99',
      bar: { atMost: 50 },
      detail: { events: account.events, reads: reads.total, ...reads.summary() },
    },
    {
      name: 'as-of beside commands',
      value: beside.quantile(0.5),
      unit: 'ms p50 of a command',
      bar: { atMost: 10 },
      detail: { alone: alone.summary(), beside: beside.summary(), readers, reads: crowded.summary() },
    },
  ];
}

/** Queries about instants and positions of an account's life in turn, spread over it evenly and in no order. */
export function pastMoments(
  { customer, begin, end, positions }: LongAccount,
  route: 'balance' | 'explanation',
): () => string {
  let n = 0;
  return () => {
    n += 1;
    const share = (n * 0.618_033_988_75) % 1;
    const instant = new Date(begin + Math.floor(share * (end - begin))).toISOString();
    const position = positions.first + Math.floor(share * (positions.last - positions.first));
    const moment = n % 2 === 0 ? `at=${instant}` : `position=${String(position)}`;
    return `/v1/customers/${customer}/${route}?${moment}`;
  };
}

const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };

async function read(api: NodeProcess, path: string): Promise<void> {
  const response = await fetch(api.url + path, { headers });
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`${path} was answered ${String(response.status)}`);
}

/** So many readers, each with its next question when it has its answer. */
export async function closedLoop(
  api: NodeProcess,
  count: number,
  query: () => string,
  seconds: number,
): Promise<Histogram> {
  const latencies = new Histogram();
  const end = performance.now() + seconds * 1000;
  const reader = async (): Promise<void> => {
    while (performance.now() < end) {
      const from = performance.now();
      await read(api, query());
      latencies.record((performance.now() - from) * 1000);
    }
  };
  await Promise.all(Array.from({ length: count }, reader));
  return latencies;
}

/** Consumptions of another account at fixed instants. */
async function commands(api: NodeProcess, customer: string, seconds: number): Promise<Histogram> {
  const latencies = new Histogram();
  const send = async (path: string, key: string, body: object): Promise<void> => {
    const response = await fetch(`${api.url}/v1/customers/${customer}/${path}`, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': key },
      body: JSON.stringify(body),
    });
    await response.arrayBuffer();
    if (response.status !== 201) throw new Error(`a command was answered ${String(response.status)}`);
  };
  await send('grants', 'grant', { amount: 1_000_000, source: 'purchase' });
  const begin = performance.now();
  const sent: Promise<void>[] = [];
  for (let n = 0; n < seconds * commandsPerSecond; n += 1) {
    await sleep(Math.max(0, begin + (n * 1000) / commandsPerSecond - performance.now()));
    const from = performance.now();
    sent.push(
      send('consumptions', `k${String(n)}`, { amount: 1 }).then(() => {
        latencies.record((performance.now() - from) * 1000);
      }),
    );
  }
  await Promise.all(sent);
  return latencies;
}
