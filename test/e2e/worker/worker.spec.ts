import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import type { NodeProcess } from '../../support/processes/node-process.js';
import { freshDatabase, query } from '../../support/databases/postgres.js';
import { startWorkerProcess } from '../../support/processes/program.js';
import { migrateScrip } from '../../support/databases/scrip-database.js';
import { stripeEvent } from '../../support/stripe/events.js';
import { Writer } from '../../support/ledger/writer.js';

let database: Awaited<ReturnType<typeof freshDatabase>>;
let writer: Writer;
const workers: NodeProcess[] = [];

beforeAll(async () => {
  database = await freshDatabase();
  await migrateScrip(database.url);
  writer = await Writer.open(database.url);
  await writer.applyCatalog();
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop('SIGKILL')));
  await writer.store.close();
  await database.drop();
});

const startWorker = async (): Promise<NodeProcess> => {
  const worker = await startWorkerProcess(database.url);
  workers.push(worker);
  return worker;
};

const topUp = (index: number, id = `evt_${String(index)}`) =>
  stripeEvent(
    'checkout.session.completed.endive',
    { id },
    {
      id: `cs_${String(index)}`,
      payment_intent: `pi_${String(index)}`,
      customer: `cus_${String(index % 100)}`,
      client_reference_id: `customer-${String(index % 100)}`,
      metadata: { credits: '10' },
    },
  );

/** The lines of the recorded invoice, for the month that began now: credits of a month that is over are refused. */
function linesOfThisMonth(): object {
  const { lines } = stripeEvent('invoice.paid.endive').data.object as { lines: { data: object[] } };
  const start = Math.floor(Date.now() / 1000);
  return { ...lines, data: [{ ...lines.data[0], period: { start, end: start + 30 * 86_400 } }] };
}

/** How many events of a type the log holds. */
const countOf = async (type: string): Promise<number> => {
  const [row] = await query(database.url, 'select count(*)::int as n from scrip_log.events where type = $1', [type]);
  return Number(row?.['n']);
};

describe('a worker', () => {
  const sessions = 1500;

  test('works off a burst once, killed in its midst, two of them at a time', async () => {
    await Promise.all(Array.from({ length: sessions }, (_, index) => writer.receive(topUp(index))));
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => writer.receive(topUp(index, `evt_again_${String(index)}`))),
    );
    const first = await startWorker();
    await eventually(
      () => countOf('CreditsGranted'),
      (granted) => granted > 50,
    );
    await first.stop('SIGKILL');
    await Promise.all([startWorker(), startWorker()]);
    await eventually(
      () => countOf('StripeEventTranslated'),
      (translated) => translated === sessions + 100,
      60_000,
    );
    expect(await countOf('CreditsGranted')).toBe(sessions);
    expect(await countOf('PaymentSucceeded')).toBe(sessions);
    expect(await countOf('StripeCustomerLinked')).toBe(100);
    const { state } = await writer.handlers.account.load('account-customer-7');
    expect(state.balance.available).toBe(150);
  });

  test('parks what it does not know and goes on by itself once it is known', async () => {
    await writer.receive(stripeEvent('invoice.paid.endive', {}, { customer: 'cus_late', lines: linesOfThisMonth() }));
    await eventually(
      () => query(database.url, `select code, subject from scrip_app.inbox_parked`),
      (parked) => JSON.stringify(parked) === JSON.stringify([{ code: 'unknown_customer', subject: 'cus_late' }]),
    );
    await writer.receive(
      stripeEvent(
        'checkout.session.completed.subscription.endive',
        {},
        { customer: 'cus_late', client_reference_id: 'late' },
      ),
    );
    await eventually(
      async () => (await writer.handlers.account.load('account-late')).state.balance.available,
      (available) => available === 500,
    );
    await eventually(
      () => query(database.url, `select 1 from scrip_app.inbox_parked`),
      (parked) => parked.length === 0,
    );
  });

  test('stops cleanly, and starts again where it was', async () => {
    const running = workers.filter((worker) => worker.running);
    const started = Date.now();
    for (const worker of running) expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(Date.now() - started).toBeLessThan(10_000);
    const before = await countOf('StripeEventTranslated');
    await writer.receive(topUp(9000));
    await startWorker();
    await eventually(
      () => countOf('StripeEventTranslated'),
      (translated) => translated === before + 1,
    );
  });
});
