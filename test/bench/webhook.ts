import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Bench, Figure } from './bench.js';

const secret = 'whsec_bench_0123456789';
const customers = 2_000;
const burst = 20_000;

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
  const flood = await bench.run(api, {
    requests: requests('flood'),
    connections: 64,
    loop: { kind: 'closed' },
    warmUpSeconds: 0,
    seconds: 600,
    atMost: burst,
  });
  const begin = performance.now();
  const client = new pg.Client(url);
  client.on('error', () => undefined); // a benchmark that is broken off stops the server first
  await client.connect();
  const count = async (type: string): Promise<number> =>
    Number(
      (await client.query<{ n: string }>('select count(*) as n from scrip_log.events where type = $1', [type])).rows[0]!
        .n,
    );
  const received = await count('StripeEventReceived');
  let granted = 0;
  while (granted < received && performance.now() - begin < 600_000) {
    await sleep(250);
    granted = await count('CreditsGranted');
  }
  const seconds = (performance.now() - begin) / 1000;
  await client.end();
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
      value: flood.answers - (flood.statuses['200'] ?? 0) + received - granted,
      unit: 'of 20,000',
      bar: { atMost: 0 },
      detail: { ...flood, received, granted, grantedSecondsAfter: seconds },
    },
  ];
}
