import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog } from '#ledger/catalog.js';
import { catalog } from '../../support/ledger/catalog.js';
import { runCli, type CliAnswer } from '../../support/processes/cli.js';
import { query } from '../../support/databases/postgres.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';
import { SandboxProcess } from '../../support/processes/sandbox.js';

let scrip: RunningScrip;
let sandbox: SandboxProcess;
let dir: string;

beforeAll(async () => {
  [scrip, sandbox, dir] = await Promise.all([
    RunningScrip.prepare(),
    SandboxProcess.start(),
    mkdtemp(join(tmpdir(), 'scrip-stripe-cli-')),
  ]);
});

afterAll(async () => {
  await Promise.all([scrip.stop(), sandbox.process.stop(), rm(dir, { recursive: true })]);
});

const run = (...args: string[]): Promise<CliAnswer> =>
  runCli(args, {
    DATABASE_URL: scrip.database.url,
    SCRIP_DATA_DIR: dir,
    STRIPE_SECRET_KEY: 'sk_test_sandbox_key',
    STRIPE_API_BASE: sandbox.url,
  });
const results = ({ stdout }: CliAnswer): string[] =>
  (JSON.parse(stdout) as { pushed: { result: string }[] }).pushed.map(({ result }) => result);

const eventsInLog = async (): Promise<unknown> =>
  (await query(scrip.database.url, 'select count(*)::int as n from scrip_log.events'))[0]?.['n'];
/** What was intended of Stripe, and how the log says that it ended. */
const intents = () =>
  query(
    scrip.database.url,
    `select first.data::json ->> 'operation' as operation, last.type as ending
      from scrip_log.events first join scrip_log.events last using (stream)
      where first.stream like 'stripeIntent-%' and first.revision = 0 and last.revision = 1 order by 1`,
  );

const dearer = (amount: number): Catalog => ({
  ...catalog,
  plans: catalog.plans.map((plan) =>
    plan.monthly === null ? plan : { ...plan, monthly: { money: { amount, currency: 'usd' }, stripePriceId: null } },
  ),
});

describe('scrip catalog push-stripe', () => {
  test('makes products and prices once, records their ids, and then changes nothing', async () => {
    const first = await run('catalog', 'push-stripe', '--json');
    expect([first.code, results(first), first.stderr]).toEqual([0, ['made', 'made', 'made', 'made', 'made'], '']);
    expect(await intents()).toEqual([
      ...['create_price', 'create_price', 'create_price', 'create_product', 'create_product'].map((operation) => ({
        operation,
        ending: 'StripeCallAnswered',
      })),
    ]);
    const [before, made] = [await eventsInLog(), (await sandbox.stripe.events.list({ limit: 100 })).data.length];
    const second = await run('catalog', 'push-stripe', '--json');
    expect([second.code, new Set(results(second))]).toEqual([0, new Set(['found'])]);
    expect((JSON.parse(second.stdout) as { changes: unknown[] }).changes).toEqual([]);
    expect([await eventsInLog(), (await sandbox.stripe.events.list({ limit: 100 })).data.length]).toEqual([
      before,
      made,
    ]);
    const { data } = await sandbox.stripe.prices.list({ lookup_keys: ['scrip_plan_starter_month'] });
    expect(data.map(({ unit_amount: amount, recurring }) => [amount, recurring?.interval])).toEqual([[2000, 'month']]);
  });

  test('follows a changed price with a new one under the same name', async () => {
    await scrip.writer.applyCatalog(dearer(2500));
    const answer = await run('catalog', 'push-stripe', '--json');
    expect([answer.code, results(answer).filter((result) => result !== 'found')]).toEqual([0, ['changed', 'archived']]);
    const { data: archived } = await sandbox.stripe.prices.list({ active: false });
    expect(archived.map(({ unit_amount: amount }) => amount)).toEqual([2000]);
    const again = await run('catalog', 'push-stripe', '--json');
    expect(new Set(results(again))).toEqual(new Set(['found']));
    const { data } = await sandbox.stripe.prices.list({ lookup_keys: ['scrip_plan_starter_month'] });
    expect(data.map(({ unit_amount: amount }) => amount)).toEqual([2500]);
  });

  test('finishes after an answer was lost', async () => {
    await scrip.writer.applyCatalog({
      ...catalog,
      plans: [],
      creditProducts: catalog.creditProducts.map((pack) => ({ ...pack, id: 'lost_pack' })),
    });
    await sandbox.fault('lose_answer', 1, '/v1/products');
    const answer = await run('catalog', 'push-stripe', '--json');
    expect([answer.code, results(answer)]).toEqual([0, ['made', 'made']]);
    await sandbox.control('DELETE', '/faults');
  });

  test('says what is missing without a key', async () => {
    const answer = await runCli(['catalog', 'push-stripe'], { DATABASE_URL: scrip.database.url });
    expect([answer.code, answer.stderr]).toEqual([2, expect.stringContaining('STRIPE_SECRET_KEY')]);
  });
});
