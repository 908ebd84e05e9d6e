import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ConnectionHog } from '../support/processes/connection-hog.js';
import { eventually } from '../support/eventually.js';
import type { NodeProcess } from '../support/processes/node-process.js';
import { World } from '../support/worlds/world.js';
const customers = Array.from({ length: 20 }, (_, n) => `acme-${String(n)}`);
const callers = 16;

describe('Scrip under load, when a part of it dies', () => {
  let world: World;
  let worker: NodeProcess;

  beforeAll(async () => {
    world = await World.start();
    [, worker] = await Promise.all([world.startApi(), world.startWorker()]);
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

  it('goes on by itself when PostgreSQL is restarted in order', async () => {
    await underLoad(async () => {
      await world.postgres.stop('fast');
      await world.startPostgres();
    });
    expect([world.api.running, worker.running]).toEqual([true, true]);
    await expectAllWell();
  });

  it('waits for no transaction of others that was begun and forgotten', async () => {
    const forgotten = new pg.Client(world.postgres.url);
    forgotten.on('error', () => undefined);
    await forgotten.connect();
    await forgotten.query('begin isolation level repeatable read');
    await forgotten.query('select txid_current(), (select count(*) from scrip_log.events)'); // holds every horizon back
    await underLoad(() => sleep(500));
    await expectAllWell(); // it is still open
    await forgotten.query('rollback');
    await forgotten.end();
  });

  it('refuses at once while PostgreSQL has no connection left, and comes back when it has', async () => {
    await underLoad(async () => {
      const hog = await ConnectionHog.start(world.postgres.url);
      await hog.takeAll();
      const ask = () =>
        world.client.post('/v1/customers/acme-0/consumptions', `hogged-${String(performance.now())}`, { amount: 1 });
      const refused = await eventually(ask, ({ status }) => status === 503);
      expect(refused.headers.get('retry-after')).not.toBeNull();
      const begin = performance.now();
      expect((await ask()).status).toBe(503);
      expect(performance.now() - begin).toBeLessThan(5_000);
      expect((await fetch(`${world.api.url}/readyz`)).status).toBe(503);
      await hog.letGo();
      await eventually(ask, ({ status }) => status === 201);
      await eventually(
        () => fetch(`${world.api.url}/readyz`),
        ({ status }) => status === 200,
      );
    });
    expect([world.api.running, worker.running]).toEqual([true, true]);
    await expectAllWell();
  });

  it('answered every request within its deadline', () => {
    expect(Math.max(...world.client.asked.map(({ slowest }) => slowest))).toBeLessThan(20_000);
  });
});
