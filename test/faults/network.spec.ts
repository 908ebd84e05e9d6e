import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TcpProxy } from '../support/processes/tcp-proxy.js';
import { World } from '../support/worlds/world.js';

const customers = Array.from({ length: 20 }, (_, n) => `acme-${String(n)}`);
/** The longest that a request may be under way, whatever the network does: the server's own deadlines and a margin. */
const deadlineMs = 20_000;

describe('a bad network between Scrip and PostgreSQL', () => {
  let world: World;
  let proxy: TcpProxy;

  beforeAll(async () => {
    world = await World.start();
    proxy = await TcpProxy.listen({ host: '127.0.0.1', port: world.postgres.port });
    const env = { DATABASE_URL: proxy.through(world.postgres.url) };
    await Promise.all([world.startApi(env), world.startWorker(env)]);
    await Promise.all(customers.map((customer) => world.client.grant(customer, 1_000_000)));
  });

  afterAll(async () => {
    await proxy.close();
    await world.stop();
  });

  /** Load for the time of the fault and after it; then everything must settle, and progress must be back at once. */
  async function through(fault: () => void, ms: number): Promise<void> {
    const enough = new AbortController();
    const load = world.client.load(customers, 16, enough.signal);
    await sleep(300);
    fault();
    await sleep(ms);
    proxy.heal();
    const healed = performance.now();
    enough.abort();
    await load;
    const probe = await world.client.consume('acme-0', 1, `probe-${String(healed)}`);
    await world.client.settle();
    expect(performance.now() - healed).toBeLessThan(30_000);
    expect(probe.answer?.status).toBe(201);
    expect(await world.violations()).toEqual([]);
    expect(world.api.running).toBe(true);
  }

  const faults: Readonly<Record<string, () => void>> = {
    'latency with jitter': () => {
      proxy.worsen({ latencyMs: 40, jitterMs: 120 });
    },
    'pieces of one byte': () => {
      proxy.worsen({ sliceBytes: 1 });
    },
    'a narrow line': () => {
      proxy.worsen({ bytesPerSecond: 20_000, sliceBytes: 500 });
    },
    'resets of every connection': () => {
      proxy.reset();
    },
    'connections refused': () => {
      proxy.refuse();
    },
    'silence in both directions': () => {
      proxy.worsen({ blackhole: true });
    },
    'answers that never come back': () => {
      proxy.worsen({ blackhole: true }, ['down']);
    },
    'requests that never arrive': () => {
      proxy.worsen({ blackhole: true }, ['up']);
    },
    'a peer that is gone without a word': () => {
      proxy.halfOpen();
    },
  };

  it.each(Object.keys(faults))('%s', async (name) => {
    await through(faults[name]!, 1_500);
  });

  it('a server that stands still', async () => {
    const backends = await world.query<{ pid: number }>(
      'select pid from pg_stat_activity where pid <> pg_backend_pid()',
    );
    const all = [world.postgres.pid, ...backends.map(({ pid }) => pid)];
    const signal = (name: NodeJS.Signals): void => {
      for (const pid of all) process.kill(pid, name);
    };
    const standing = setTimeout(() => {
      signal('SIGCONT');
    }, 1_300);
    await through(() => {
      signal('SIGSTOP');
    }, 1_500);
    clearTimeout(standing);
  });

  it('tells readers within five seconds, again and again, that PostgreSQL is silent', async () => {
    proxy.worsen({ blackhole: true });
    const queries = ['balance', 'balance?at=2026-01-01T00:00:00Z', 'grants', 'history', 'status', 'payments'];
    for (let round = 0; round < 2; round += 1)
      await Promise.all(
        queries.map(async (query) => {
          const started = performance.now();
          const { status, body } = await world.client.get(`/v1/customers/acme-0/${query}`);
          const tookTooLong = performance.now() - started > 5_500;
          expect([query, status, body['code'], tookTooLong]).toEqual([query, 503, 'store_unavailable', false]);
        }),
      );
    proxy.heal();
    const healed = performance.now();
    while ((await world.client.get('/v1/customers/acme-0/balance')).status !== 200)
      expect(performance.now() - healed).toBeLessThan(30_000);
  });

  it('has kept every request within its deadline, and every answer and read model true', async () => {
    expect(world.client.unsettled.size).toBeGreaterThan(0); // the faults were felt
    expect(Math.max(...world.client.asked.map(({ slowest }) => slowest))).toBeLessThan(deadlineMs);
    expect(await world.replayViolations()).toEqual([]);
    expect(await world.projectionViolations()).toEqual([]);
  });
});
