import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Job, JobResult, Requests } from '../bench/load/job.js';
import { LoadProcess } from '../bench/load/load-process.js';
import { eventually } from '../support/eventually.js';
import { memoryOf } from '../support/processes/figures.js';
import { adminKey, World } from '../support/worlds/world.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const fromSource = ['--conditions=source', `--import=${root}test/support/run-typescript.mjs`];
const customers = Array.from({ length: 20 }, (_, n) => `acme-${String(n)}`);

/** Ten times the load that an api can serve, for so many seconds. */
export function overloadSuite(seconds: number): void {
  jest.setTimeout(180_000 + seconds * 1_000);

  describe(`an api under ten times the load that it can serve, for ${String(seconds)} s`, () => {
    let world: World;
    let generator: LoadProcess;

    beforeAll(async () => {
      world = await World.start();
      await world.startApi({ MAX_IN_FLIGHT: '300' });
      generator = new LoadProcess(fromSource);
      await Promise.all(customers.map((customer) => world.client.grant(customer, 100_000_000)));
    });

    afterAll(async () => {
      generator.stop();
      await world.stop();
    });

    const run = (requests: Requests, job: Pick<Job, 'connections' | 'loop' | 'seconds'>): Promise<JobResult> =>
      generator.run({
        host: '127.0.0.1',
        port: Number(new URL(world.api.url).port),
        apiKey: adminKey,
        requests,
        warmUpSeconds: 0,
        atMost: null,
        ...job,
      });

    const shared = { customerPrefix: 'acme-', customers: customers.length };
    const loads = [
      { of: 'single commands', accepted: '201', requests: { kind: 'consume', ...shared, keyPrefix: 'one-' } },
      {
        of: 'bulk requests',
        accepted: '200',
        requests: { kind: 'bulk', ...shared, keyPrefix: 'many-', commands: 100 },
      },
    ] as const;

    it.each(loads)(
      '$of: refuses early with Retry-After, serves the others in time, stays small, recovers at once',
      async ({ accepted, requests }) => {
        const { perSecond } = await run(
          { ...requests, keyPrefix: `calm-${requests.keyPrefix}` },
          { connections: 64, loop: { kind: 'closed' }, seconds: 3 },
        );
        const memory = await memoryOf(world.api.pid);
        const storm = run(requests, {
          connections: 3_000,
          loop: { kind: 'open', rate: perSecond * 10, giveUp: true },
          seconds,
        });
        const earlier = world.client.acknowledged.length;
        const enough = new AbortController();
        const load = world.client.load(customers, 8, enough.signal);
        const refusal = await eventually(
          () =>
            world.client.post('/v1/customers/acme-0/consumptions', `probe-${String(performance.now())}`, { amount: 1 }),
          ({ status }) => status !== 201,
        );
        expect([refusal.status, refusal.headers.get('retry-after')]).toEqual([503, '1']);
        const { statuses, failures } = await storm;
        expect(await memoryOf(world.api.pid)).toBeLessThan(memory + 300);
        enough.abort();
        await load;
        // Only these two answers, both of them, and nobody was cut off.
        expect(Object.keys(statuses).sort()).toEqual([accepted, '503']);
        expect(failures).toBe(0);
        const acknowledged = world.client.acknowledged.slice(earlier);
        const served = acknowledged.map(({ slowest }) => slowest).sort((a, b) => a - b);
        expect(served[Math.floor(served.length * 0.99)]).toBeLessThan(10_000); // a busy machine included
        await expectCalm();
        await world.client.settle();
        expect(await world.violations()).toEqual([]);
      },
    );

    async function expectCalm(): Promise<void> {
      const asked = await eventually(
        () => world.client.consume('acme-0', 1, `calm-${String(performance.now())}`),
        ({ answer, slowest }) => answer?.status === 201 && slowest < 500,
        10_000,
      );
      expect(asked.answer?.status).toBe(201);
      expect((await fetch(`${world.api.url}/readyz`)).status).toBe(200);
    }
  });
}
