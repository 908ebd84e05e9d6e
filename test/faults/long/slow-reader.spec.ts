import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { NodeProcess } from '../../support/processes/node-process.js';
import { memoryOf } from '../../support/processes/figures.js';
import { TcpProxy } from '../../support/processes/tcp-proxy.js';
import { World } from '../../support/worlds/world.js';

jest.setTimeout(240_000);

const customers = Array.from({ length: 20 }, (_, n) => `acme-${String(n)}`);

describe('a worker whose line to the database is slow', () => {
  let world: World;
  let proxy: TcpProxy;
  let worker: NodeProcess;

  beforeAll(async () => {
    world = await World.start();
    proxy = await TcpProxy.listen({ host: '127.0.0.1', port: world.postgres.port });
    [, worker] = await Promise.all([
      world.startApi(),
      world.startWorker({ DATABASE_URL: proxy.through(world.postgres.url) }),
    ]);
    await Promise.all(customers.map((customer) => world.client.grant(customer, 1_000_000)));
    await world.caughtUp();
  });

  afterAll(async () => {
    await proxy.close();
    await world.stop();
  });

  /** Commands acknowledged in `ms` milliseconds. */
  async function acknowledgedIn(ms: number): Promise<number> {
    const before = world.client.acknowledged.length;
    const enough = new AbortController();
    const load = world.client.load(customers, 8, enough.signal);
    await sleep(ms);
    enough.abort();
    await load;
    return world.client.acknowledged.length - before;
  }

  const lag = async (): Promise<number> => Math.max(...(await world.projections()).map(({ lagSeconds }) => lagSeconds));

  it('falls behind and says so, in bounded memory, costs the write path nothing, and catches up', async () => {
    const usual = await acknowledgedIn(4_000);
    await world.caughtUp();
    proxy.worsen({ bytesPerSecond: 20_000, sliceBytes: 2_000, latencyMs: 100 });
    const meanwhile = await acknowledgedIn(8_000);
    expect(meanwhile / 2).toBeGreaterThan(usual / 2); // half as many a second would be the noise of a busy machine
    expect(world.client.unsettled.size).toBe(0);
    const [early, memory] = [await lag(), await memoryOf(worker.pid)];
    expect(early).toBeGreaterThan(1);
    await acknowledgedIn(4_000);
    expect(await lag()).toBeGreaterThan(early);
    expect(await memoryOf(worker.pid)).toBeLessThan(memory + 100);
    proxy.heal();
    expect(await world.projectionViolations(60_000)).toEqual([]);
    expect(await lag()).toBeLessThan(5);
    expect(worker.running).toBe(true);
  });
});
