import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { decodeEvent } from '#ledger/events.js';
import { allowancesProjection } from '#projections/allowances/allowances.js';
import { compareProjections } from '#projecting/comparison/compare.js';
import { openDatabase } from '#database/database.js';
import { eventually } from '../../support/eventually.js';
import type { NodeProcess } from '../../support/processes/node-process.js';
import { freshDatabase, query } from '../../support/databases/postgres.js';
import { startWorkerProcess } from '../../support/processes/program.js';
import { freePort } from '../../support/processes/free-port.js';
import { migrateScrip } from '../../support/databases/scrip-database.js';
import { Writer } from '../../support/ledger/writer.js';
import { grant, hold } from '../../support/ledger/account-commands.js';

let database: Awaited<ReturnType<typeof freshDatabase>>;
let writer: Writer;
let workers: NodeProcess[] = [];
let metricsPort: number;
const customers = Array.from({ length: 40 }, (_, index) => `free-${String(index)}`);
const nearFuture = () => new Date(Date.now() + 1500).toISOString();

beforeAll(async () => {
  database = await freshDatabase();
  await migrateScrip(database.url);
  writer = await Writer.open(database.url);
  await writer.applyCatalog();
  await writer.account('expiring', grant(20, { source: 'promotion', expiresAt: nearFuture() }));
  await writer.account('later', grant(20, { source: 'promotion', effectiveAt: nearFuture() }));
  await writer.account('holding', grant(20, { source: 'promotion' }));
  await writer.account('holding', hold(5, 1));
  await Promise.all(customers.map((customer) => writer.startFreePlan(customer, 'free')));
  metricsPort = await freePort();
  workers = await Promise.all([
    startWorkerProcess(database.url, { WORKER_METRICS_PORT: String(metricsPort) }),
    startWorkerProcess(database.url),
  ]);
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop('SIGKILL')));
  await writer.store.close();
  await database.drop();
});

const eventsOf = async (type: string): Promise<readonly string[]> =>
  (await query(database.url, 'select stream from scrip_log.events where type = $1 order by stream', [type])).map(
    ({ stream }) => String(stream),
  );

/** The allowances must be what an independent fold of the log says. */
async function differences(): Promise<readonly unknown[]> {
  const db = openDatabase(database.url, { clock: new SystemClock() });
  try {
    const [comparison] = await compareProjections(writer.store, db, decodeEvent, [allowancesProjection]);
    return comparison?.differences ?? ['not compared'];
  } finally {
    await db.close();
  }
}

describe('the scheduler, with two workers', () => {
  test('records once what time has done to an account that nobody touches', async () => {
    await eventually(
      () => eventsOf('CreditsExpired'),
      (streams) => streams.includes('account-expiring'),
    );
    await eventually(
      () => eventsOf('CreditsActivated'),
      (streams) => streams.includes('account-later'),
    );
    await eventually(
      () => eventsOf('HoldReleased'),
      (streams) => streams.includes('account-holding'),
    );
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await eventsOf('CreditsExpired')).toEqual(['account-expiring']);
    expect(await eventsOf('CreditsActivated')).toEqual(['account-later']);
    expect(await eventsOf('HoldReleased')).toEqual(['account-holding']);
  });

  test('grants the present and the next month of the free plan once to everybody on it', async () => {
    const granted = async () =>
      (await eventsOf('CreditsGranted')).filter((stream) => stream.startsWith('account-free-'));
    await eventually(granted, (streams) => streams.length >= 2 * customers.length);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await granted()).toEqual(customers.flatMap((customer) => Array(2).fill(`account-${customer}`)).sort());
    const { state } = await writer.handlers.account.load('account-free-0');
    expect(state.balance.available).toBe(100);
    const [allowance] = await query(database.url, `select months from scrip_read.allowances where id = 'free:free-0'`);
    expect(String(allowance?.['months'])).toMatch(/^( \d{4}-\d{2}=100;){2}$/);
    expect(await differences()).toEqual([]);
  });
});

test('a worker tells of itself on a port of its own', async () => {
  const ask = async (path: string): Promise<readonly [number, string]> => {
    const answer = await fetch(`http://127.0.0.1:${String(metricsPort)}${path}`);
    return [answer.status, await answer.text()];
  };
  expect(await ask('/livez')).toEqual([200, '{"status":"ok"}']);
  const [status, text] = await ask('/metrics');
  expect(status).toBe(200);
  expect(text).toMatch(/^scrip_worker_commands_total\{category="account"\} \d+$/m);
  expect(text).toMatch(/^scrip_inbox_position \d+$/m);
  expect((await ask('/else'))[0]).toBe(404);
});
