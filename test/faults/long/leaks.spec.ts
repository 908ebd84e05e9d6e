import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { NodeProcess } from '../../support/processes/node-process.js';
import { memoryOf, openFilesOf } from '../../support/processes/figures.js';
import { TcpProxy } from '../../support/processes/tcp-proxy.js';
import { World } from '../../support/worlds/world.js';

jest.setTimeout(300_000);

const customers = Array.from({ length: 20 }, (_, n) => `acme-${String(n)}`);
const [warmUpRounds, rounds] = [8, 24];

describe('connections that are lost again and again', () => {
  let world: World;
  let proxy: TcpProxy;
  let processes: NodeProcess[];

  beforeAll(async () => {
    world = await World.start();
    proxy = await TcpProxy.listen({ host: '127.0.0.1', port: world.postgres.port });
    const env = { DATABASE_URL: proxy.through(world.postgres.url) };
    processes = await Promise.all([world.startApi(env), world.startWorker(env)]);
    await Promise.all(customers.map((customer) => world.client.grant(customer, 1_000_000)));
  });

  afterAll(async () => {
    await proxy.close();
    await world.stop();
  });

  /** Load, a reset of every connection, load; then time to close what is not needed. */
  async function round(): Promise<void> {
    const enough = new AbortController();
    const load = world.client.load(customers, 4, enough.signal);
    await sleep(700);
    proxy.reset();
    await sleep(700);
    enough.abort();
    await load;
    await world.client.settle();
    await world.caughtUp();
    world.client.asked.splice(0);
  }

  const figures = () =>
    Promise.all(processes.map(async ({ pid }) => ({ files: await openFilesOf(pid), memory: await memoryOf(pid) })));

  it('leave no file open, no session at the server, and no memory taken', async () => {
    for (let n = 0; n < warmUpRounds; n += 1) await round();
    const before = await figures();
    for (let n = 0; n < rounds; n += 1) await round();
    const after = await figures();
    for (const [index, { files, memory }] of after.entries()) {
      expect(files).toBeLessThanOrEqual(before[index]!.files + 6); // a pool may just be at its largest
      expect(memory).toBeLessThan(before[index]!.memory * 1.25 + 30);
    }
    const [{ sessions } = { sessions: 0 }] = await world.query<{ sessions: number }>(
      `select count(*)::int as sessions from pg_stat_activity where application_name like 'scrip%'`,
    );
    expect(sessions).toBeLessThan(60);
    expect(processes.every(({ running }) => running)).toBe(true);
    expect(await world.projectionViolations()).toEqual([]);
  });
});
