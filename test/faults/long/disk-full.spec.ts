import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { EmbeddedPostgres } from '../../../apps/cli/installation/embedded-postgres.js';
import { migrateScrip } from '../../support/databases/scrip-database.js';
import { World } from '../../support/worlds/world.js';

jest.setTimeout(240_000);

const customers = Array.from({ length: 10 }, (_, n) => `acme-${String(n)}`);

const mount = (directory: string, megabytes: number): void => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(megabytes)}m`, 'tmpfs', directory], { stdio: 'ignore' });
};
const unmount = (directory: string): void => {
  execFileSync('umount', [directory]);
};

/** Whether this user may mount a file system of a fixed size; it takes root. */
async function mayMount(): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'scrip-disk-'));
  try {
    mount(directory, 1);
    unmount(directory);
    return true;
  } catch {
    return false;
  } finally {
    await rm(directory, { recursive: true });
  }
}

const whereMounted = (await mayMount()) ? describe : describe.skip;

whereMounted('a disk that is full', () => {
  let world: World;
  let ballast: string;

  beforeAll(async () => {
    const disk = await mkdtemp(join(tmpdir(), 'scrip-disk-'));
    mount(disk, 160);
    ballast = join(disk, 'ballast');
    const server = await EmbeddedPostgres.start({ dataDir: disk });
    await migrateScrip(server.url);
    world = await World.over(server, async () => {
      await world.postgres.stop('immediate').catch(() => undefined);
      unmount(disk);
      await rm(disk, { recursive: true });
    });
    await Promise.all([world.startApi(), world.startWorker()]);
    await Promise.all(customers.map((customer) => world.client.grant(customer, 1_000_000)));
  });

  afterAll(async () => {
    await world.stop();
  });

  /** Takes all the space there is; what PostgreSQL has reserved for its log is all that is left to it. */
  function fill(): void {
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k'], { stdio: 'ignore' });
    } catch {
      // It ends when the disk is full.
    }
  }

  const refused = (): number => [...world.client.unsettled.values()].reduce((sum, count) => sum + count, 0);

  it('refuses commands or leaves them unknown, and loses nothing; with space again it goes on', async () => {
    const enough = new AbortController();
    const load = world.client.load(customers, 16, enough.signal);
    await sleep(500);
    fill();
    for (const until = performance.now() + 120_000; refused() < 100 && performance.now() < until;) {
      fill();
      await sleep(200);
    }
    expect(refused()).toBeGreaterThanOrEqual(100);
    expect(world.api.running).toBe(true);
    await rm(ballast);
    // A server that could not even write its log has stopped itself; who watches over it starts it again.
    await world.postgres.stop('fast').catch(() => undefined);
    await world.startPostgres();
    await sleep(1_000);
    enough.abort();
    await load;
    await world.client.settle(60_000);
    expect(world.api.running).toBe(true);
    expect(await world.violations()).toEqual([]);
    expect(await world.replayViolations()).toEqual([]);
    expect(await world.projectionViolations(60_000)).toEqual([]);
  });
});
