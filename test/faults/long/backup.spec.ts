import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { EmbeddedPostgres } from '../../../apps/cli/installation/embedded-postgres.js';
import { scrip } from '../../support/processes/installation.js';
import { temporaryPostgres } from '../../support/databases/postgres.js';
import { migrateScrip } from '../../support/databases/scrip-database.js';
import { World } from '../../support/worlds/world.js';

jest.setTimeout(240_000);

const customers = Array.from({ length: 20 }, (_, n) => `acme-${String(n)}`);

describe('a backup taken under load', () => {
  let world: World;
  let enough: AbortController;
  let load: Promise<void>;
  const worlds: World[] = [];

  beforeAll(async () => {
    world = await World.start();
    await Promise.all([world.startApi(), world.startWorker()]);
    await Promise.all(customers.map((customer) => world.client.grant(customer, 1_000_000)));
    enough = new AbortController();
    load = world.client.load(customers, 8, enough.signal);
    await sleep(1_500);
  });

  afterAll(async () => {
    enough.abort();
    await load;
    await Promise.all([...worlds, world].map((each) => each.stop()));
  });

  /** The restored server alone must tell the whole story: a sound log, read models that follow from it, and it goes on. */
  async function expectWhole(restored: World): Promise<void> {
    const audit = await scrip(['audit', 'verify', '--log-only'], { DATABASE_URL: restored.postgres.url });
    expect(audit.stdout).toContain('the log is sound');
    expect(audit.code).toBe(0);
    await Promise.all([restored.startApi(), restored.startWorker()]);
    expect((await restored.client.consume('acme-0', 1, 'after-the-restore')).answer?.status).toBe(201);
    expect(await restored.projectionViolations(60_000)).toEqual([]);
  }

  it('of the files holds every command acknowledged until its end, and goes on where that was', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'scrip-restored-'));
    const acknowledged = await copyFiles(world.postgres, dataDir);
    const server = await EmbeddedPostgres.start({ dataDir });
    const restored = await World.over(server, async () => {
      await server.stop('immediate');
      await rm(dataDir, { recursive: true, force: true });
    });
    worlds.push(restored);
    const keys = await consumedKeys(restored);
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
    await expectWhole(restored);
  });

  it('of the rows, loaded into a new cluster in another order, has the same order and the same balances', async () => {
    const { server, remove } = await temporaryPostgres();
    await migrateScrip(server.url);
    const restored = await World.over(server, remove);
    worlds.push(restored);
    await copyRows(world.postgres.url, server.url);
    const original = await world.log();
    const copied = await restored.log();
    expect(copied.length).toBeGreaterThan(100);
    expect(copied).toEqual(original.slice(0, copied.length));
    await expectWhole(restored);
  });

  /** PostgreSQL's own online backup: a copy of the files as they change, and the write-ahead log that makes them whole. */
  async function copyFiles(source: EmbeddedPostgres, dataDir: string): Promise<readonly string[]> {
    const [from, to] = [join(source.dataDir, 'cluster'), join(dataDir, 'cluster')];
    const session = new pg.Client(source.url);
    await session.connect();
    await session.query(`select pg_backup_start('copy', true)`);
    await copyTree(from, to);
    const acknowledged = world.client.acknowledged.map(({ customerId, key }) => `account-${customerId} ${key}`);
    const { rows } = await session.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
    await session.end();
    await copyTree(join(from, 'pg_wal'), to);
    await rm(join(to, 'postmaster.pid'), { force: true });
    await writeFile(join(to, 'backup_label'), rows[0]!.labelfile);
    await copyFile(join(source.dataDir, 'password'), join(dataDir, 'password'));
    return acknowledged;
  }
});

/** Files that go away meanwhile belong to what the server has dropped. */
async function copyTree(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', from, to], { env: { ...process.env, LC_ALL: 'C' } }).catch(
    (error: Error & { stderr: string }) => {
      const lines = error.stderr
        .split('\n')
        .filter((line) => line !== '' && !line.includes('No such file or directory'));
      if (lines.length > 0) throw error;
    },
  );
}

/** What a dump holds, without where it stood: every row as text, in an order that means nothing. */
async function copyRows(from: string, to: string): Promise<void> {
  const [source, target] = [new pg.Client(from), new pg.Client(to)];
  await Promise.all([source.connect(), target.connect()]);
  const { rows } = await source.query<{ row: string }>(
    'select to_jsonb(e)::text as row from scrip_log.events e order by md5(e.id::text)',
  );
  for (let at = 0; at < rows.length; at += 1_000) {
    const page = `[${rows
      .slice(at, at + 1_000)
      .map(({ row }) => row)
      .join(',')}]`;
    await target.query(
      'insert into scrip_log.events select * from jsonb_populate_recordset(null::scrip_log.events, $1)',
      [page],
    );
  }
  await Promise.all([source.end(), target.end()]);
}

async function consumedKeys(world: World): Promise<ReadonlySet<string>> {
  const events = await world.log();
  return new Set(
    events
      .filter(({ type }) => type === 'CreditsConsumed')
      .map(
        ({ stream, metadata }) => `${stream} ${String((JSON.parse(metadata) as { commandKey: string }).commandKey)}`,
      ),
  );
}
