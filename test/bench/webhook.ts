import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { memoryOf } from '../support/processes/figures.js';
import type { Bench, Figure } from './bench.js';

const secret = 'whsec_bench_0123456789';
const customers = 2_000;
const burst = 20_000;
const patienceMs = 600_000;

/** Signed webhooks of paid top-ups: 200 a second, then 20,000 as fast as they are taken; every one must be granted. */
export async function webhook(bench: Bench): Promise<readonly Figure[]> {
  const url = await bench.scripDatabase();
  const env = { STRIPE_WEBHOOK_SECRET: secret };
  const [api, worker] = await Promise.all([bench.api(url, env), bench.worker(url, env)]);
  const requests = (idPrefix: string) => ({
    kind: 'webhook' as const,
    customerPrefix: 'payer-',
    customers,
    idPrefix,
    secret,
  });
  const steady = await bench.run(api, {
    requests: requests('steady'),
    connections: 32,
    loop: { kind: 'open', rate: 200 },
  });
  const begin = performance.now();
  const flood = await bench.run(api, {
    requests: requests('flood'),
    connections: 64,
    loop: { kind: 'closed' },
    warmUpSeconds: 0,
    seconds: 600,
    atMost: burst,
  });
  const taken = performance.now();
  const counts = await settled(url);
  const ended = performance.now();
  const memory = { api: await memoryOf(api.pid), worker: await memoryOf(worker.pid) };
  await api.stop();
  await worker.stop();
  return [
    {
      name: 'webhook',
      value: steady.latency.p99,
      unit: 'ms p99 to the answer',
      bar: { atMost: 25 },
      detail: { ...steady },
    },
    {
      name: 'webhook burst lost',
      value: steady.sent + burst - counts.granted,
      unit: 'of 20,000',
      bar: { atMost: 0 },
      detail: { ...flood, ...counts, memoryMiB: memory },
    },
    {
      name: 'webhook burst taken',
      value: (burst * 1000) / (taken - begin),
      unit: 'webhooks/s answered',
      bar: null,
      detail: {},
    },
    {
      name: 'webhook burst granted',
      value: (burst * 1000) / (ended - begin),
      unit: 'webhooks/s in the ledger',
      bar: null,
      detail: {},
    },
  ];
}

type Counts = { readonly received: number; readonly ended: number; readonly granted: number };

/** Waits until something has become of every event that was received. */
async function settled(url: string): Promise<Counts> {
  const client = new pg.Client(url);
  client.on('error', () => undefined); // a benchmark that is broken off stops the server first
  await client.connect();
  try {
    for (const until = performance.now() + patienceMs; ; await sleep(100)) {
      const { rows } = await client.query<Record<keyof Counts, string>>(
        `select count(*) filter (where type = 'StripeEventReceived') as received,
          count(*) filter (where type in ('StripeEventTranslated', 'StripeEventParked')) as ended,
          count(*) filter (where type = 'CreditsGranted') as granted from scrip_log.events`,
      );
      const { received = '0', ended = '0', granted = '0' } = rows[0] ?? {};
      const counts = { received: Number(received), ended: Number(ended), granted: Number(granted) };
      if (counts.ended >= counts.received || performance.now() > until) return counts;
    }
  } finally {
    await client.end();
  }
}
