import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { World } from '../support/world.js';

jest.setTimeout(120_000);

const customers = Array.from({ length: 20 }, (_, n) => `acme-${String(n)}`);
const callers = 16;

describe('Scrip under load, when a part of it dies', () => {
  let world: World;

  beforeAll(async () => {
    world = await World.start();
    await world.startApi();
    await world.startWorker();
    await Promise.all(customers.map((customer) => world.client.grant(customer, 1_000_000)));
  });

  afterAll(async () => {
    await world.stop();
  });

  /** Runs load, does what `harm` does meanwhile, and lets everything settle. */
  async function underLoad(harm: () => Promise<void>): Promise<void> {
    const acknowledged = world.client.acknowledged.length;
    const enough = new AbortController();
    const load = world.client.load(customers, callers, enough.signal);
    await sleep(500);
    await harm();
    await sleep(500);
    enough.abort();
    await load;
    await world.client.settle();
    expect(world.client.acknowledged.length).toBeGreaterThan(acknowledged + 100);
  }

  async function expectAllWell(): Promise<void> {
    expect(await world.violations()).toEqual([]);
    expect(await world.replayViolations()).toEqual([]);
    expect(await world.projectionViolations()).toEqual([]);
  }

  it('keeps every acknowledged command, once, when the api is killed', async () => {
    await underLoad(async () => {
      for (let i = 0; i < 3; i += 1) {
        await world.api.stop('SIGKILL');
        await world.startApi();
        await sleep(300 + 200 * i);
      }
    });
    expect(world.client.unsettled.size).toBeGreaterThan(0);
    await expectAllWell();
  });

  it('survives the death of database connections without a restart', async () => {
    await underLoad(async () => {
      for (let i = 0; i < 15; i += 1) {
        await world.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' order by random() limit 3`,
        );
        await sleep(100);
      }
    });
    expect(world.api.running).toBe(true);
    await expectAllWell();
  });

  it('loses nothing when PostgreSQL crashes', async () => {
    await underLoad(async () => {
      for (const downMs of [0, 1_000]) {
        await world.crashPostgres(downMs);
        await sleep(700);
      }
    });
    expect(world.api.running).toBe(true);
    await expectAllWell();
  });

  it('answered every request within its deadline', () => {
    expect(Math.max(...world.client.asked.map(({ slowest }) => slowest))).toBeLessThan(20_000);
  });
});
