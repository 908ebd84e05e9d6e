import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog } from '#ledger/catalog.js';
import { catalog } from '../support/catalog.js';
import { runCli, type CliAnswer } from '../support/cli-process.js';
import { eventually } from '../support/eventually.js';
import { RunningScrip } from '../support/running-scrip.js';
import { SandboxProcess } from '../support/sandbox-process.js';

let scrip: RunningScrip;
let sandbox: SandboxProcess;
let dir: string;

beforeAll(async () => {
  [scrip, sandbox, dir] = await Promise.all([
    RunningScrip.prepare(),
    SandboxProcess.start(),
    mkdtemp(join(tmpdir(), 'scrip-stripe-cli-')),
  ]);
}, 60_000);

afterAll(async () => {
  await Promise.all([scrip.stop(), sandbox.process.stop(), rm(dir, { recursive: true })]);
}, 60_000);

const run = (...args: string[]): Promise<CliAnswer> =>
  runCli(args, {
    DATABASE_URL: scrip.database.url,
    SCRIP_DATA_DIR: dir,
    STRIPE_SECRET_KEY: 'sk_test_sandbox_key',
    STRIPE_API_BASE: sandbox.url,
  });
const results = ({ stdout }: CliAnswer): string[] =>
  (JSON.parse(stdout) as { pushed: { result: string }[] }).pushed.map(({ result }) => result);

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
    const second = await run('catalog', 'push-stripe', '--json');
    expect([second.code, new Set(results(second))]).toEqual([0, new Set(['found'])]);
    expect((JSON.parse(second.stdout) as { changes: unknown[] }).changes).toEqual([]);
    const { data } = await sandbox.stripe.prices.list({ lookup_keys: ['scrip_plan_starter_month'] });
    expect(data.map(({ unit_amount: amount, recurring }) => [amount, recurring?.interval])).toEqual([[2000, 'month']]);
  }, 60_000);

  test('follows a changed price with a new one under the same name', async () => {
    await scrip.writer.applyCatalog(dearer(2500));
    const answer = await run('catalog', 'push-stripe', '--json');
    expect([answer.code, results(answer).filter((result) => result !== 'found')]).toEqual([0, ['changed']]);
    const { data } = await sandbox.stripe.prices.list({ lookup_keys: ['scrip_plan_starter_month'] });
    expect(data.map(({ unit_amount: amount }) => amount)).toEqual([2500]);
  }, 60_000);

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
  }, 60_000);

  test('says what is missing without a key', async () => {
    const answer = await runCli(['catalog', 'push-stripe'], { DATABASE_URL: scrip.database.url });
    expect([answer.code, answer.stderr]).toEqual([2, expect.stringContaining('STRIPE_SECRET_KEY')]);
  }, 60_000);
});

describe('scrip stripe reconcile', () => {
  type Report = {
    readonly checked: number;
    readonly differences: number;
    readonly unrepaired: number;
    readonly found: readonly { readonly type: string; readonly id: string; readonly repair: string }[];
  };
  const reconcile = async (...args: string[]): Promise<{ code: number | null; report: Report }> => {
    const { code, stdout, stderr } = await run('stripe', 'reconcile', '--json', ...args);
    if (stdout === '') throw new Error(stderr);
    return { code, report: JSON.parse(stdout) as Report };
  };

  test('finds all that no webhook ever told, feeds it, and then finds nothing', async () => {
    await scrip.writer.applyCatalog(await sandbox.priced(catalog));
    const env = { STRIPE_SECRET_KEY: 'sk_test_sandbox_key', STRIPE_API_BASE: sandbox.url };
    const [{ client: api }] = await Promise.all([scrip.startApi(env), scrip.startWorker()]);
    const successUrl = 'https://app.example/done';
    const buy = async (customer: string, body: object): Promise<string> => {
      const session = await api.post(`/v1/customers/${customer}/checkout-sessions`, { ...body, successUrl });
      expect(session.status).toBe(201);
      await sandbox.control('POST', `/checkout/${session.body.id}/complete`, { card: '4242424242424242' });
      return session.body.id;
    };
    const packs = await buy('packs', { mode: 'credits', creditProduct: 'credits_1000', quantity: 2 });
    await buy('plans', { mode: 'subscription', plan: 'starter', interval: 'month' });
    const { payment_intent: paid } = await sandbox.stripe.checkout.sessions.retrieve(packs);
    await sandbox.stripe.refunds.create({ payment_intent: String(paid), amount: 500 });

    const before = await reconcile();
    expect(before.code).toBe(1);
    const types = new Set(before.report.found.map(({ type }) => type));
    for (const type of ['event', 'payment', 'invoice', 'refund', 'subscription'])
      expect(types).toContain(`${type}_missing`);
    expect(new Set(before.report.found.map(({ repair }) => repair))).toEqual(new Set(['none']));

    const repaired = await reconcile('--repair');
    expect([repaired.code, repaired.report.unrepaired]).toEqual([0, 0]);
    const available = async (customer: string) => (await api.get(`/v1/customers/${customer}/balance`)).body.available;
    expect(
      await eventually(
        () => available('packs'),
        (credits) => credits === 1000,
      ),
    ).toBe(1000);
    expect(
      await eventually(
        () => available('plans'),
        (credits) => credits === 500,
      ),
    ).toBe(500);

    const after = await reconcile();
    expect([after.code, after.report.found]).toEqual([0, []]);
    expect(after.report.checked).toBeGreaterThan(10);
    expect(await readdir(dir)).toEqual([]);
  }, 120_000);

  test('goes on where it broke off when Stripe is back', async () => {
    await sandbox.fault('server_error', 20, '/v1/refunds');
    const broken = await run('stripe', 'reconcile');
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining('refunds: Stripe does not answer')]);
    expect(await readdir(dir)).toEqual(['stripe-reconcile.json']);
    await sandbox.control('DELETE', '/faults');
    await sandbox.fault('server_error', 20, '/v1/events');
    const { code, report } = await reconcile();
    expect([code, report.found]).toEqual([0, []]);
    await sandbox.control('DELETE', '/faults');
  }, 120_000);

  test('is used wrongly with a time that is none', async () => {
    expect((await run('stripe', 'reconcile', '--since', 'yesterday')).code).toBe(2);
  }, 60_000);
});
