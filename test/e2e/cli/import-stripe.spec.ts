import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Stripe from 'stripe';
import { accountStream } from '#kernel/stream-name.js';
import { eventually } from '../../support/eventually.js';
import { runCli, type CliAnswer } from '../../support/processes/cli.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';
import { SandboxProcess } from '../../support/processes/sandbox.js';

let scrip: RunningScrip;
let sandbox: SandboxProcess;
let dir: string;

beforeAll(async () => {
  [scrip, sandbox, dir] = await Promise.all([
    RunningScrip.prepare(),
    SandboxProcess.start(),
    mkdtemp(join(tmpdir(), 'scrip-import-stripe-')),
  ]);
});
afterAll(async () => {
  await Promise.all([scrip.stop(), sandbox.process.stop(), rm(dir, { recursive: true })]);
});

const run = (...args: string[]): Promise<CliAnswer> =>
  runCli(['import', 'stripe-credits', ...args], {
    DATABASE_URL: scrip.database.url,
    SCRIP_DATA_DIR: dir,
    STRIPE_SECRET_KEY: 'sk_test_sandbox_key',
    STRIPE_API_BASE: sandbox.url,
  });
const worth = ['--unit', 'credits', '--rate', '0.5', '--currency', 'usd'];
const available = async (): Promise<number> =>
  (await scrip.writer.handlers.account.load(accountStream('acme', 'credits'))).state.balance.available;

type Create = Partial<Omit<Stripe.Billing.CreditGrantCreateParams, 'amount'>>;
const grant = (value: number, more: Create = {}, currency = 'usd'): Promise<Stripe.Billing.CreditGrant> =>
  sandbox.stripe.billing.creditGrants.create({
    amount: { type: 'monetary', monetary: { currency, value } },
    applicability_config: { scope: { price_type: 'metered' } },
    ...more,
  });

describe('scrip import stripe-credits', () => {
  let used: Stripe.Billing.CreditGrant;

  test('brings what each grant has left, with cost, expiry and priority', async () => {
    const { id: customer } = await sandbox.stripe.customers.create({
      name: 'Acme',
      email: 'billing@acme.test',
      metadata: { customer_id: 'acme' },
    });
    const nobody = await sandbox.stripe.customers.create({ name: 'Nobody' });
    const later = Math.floor(Date.now() / 1000) + 86_400;
    used = await grant(1000, { customer, priority: 3, category: 'paid' });
    await sandbox.control('POST', `/credit_grants/${used.id}/apply`, { amount: 299, invoice: 'in_1' });
    await grant(400, { customer, category: 'promotional', expires_at: later + 60, effective_at: later });
    await sandbox.stripe.billing.creditGrants.voidGrant((await grant(5, { customer })).id);
    await sandbox.stripe.billing.creditGrants.expire((await grant(6, { customer })).id);
    await grant(7, { customer }, 'eur');
    await grant(8, { customer: nobody.id });
    await sandbox.fault('rate_limit', 2);
    const foreseen = JSON.parse((await run('--dry-run', ...worth, '--json')).stdout) as { records: object[] };
    expect(foreseen.records).toMatchObject([
      { outcome: 'refused', customerId: null, reasons: [expect.stringContaining('names no customer')] },
      { outcome: 'empty', reasons: ['it is in eur, not in usd'] },
      { outcome: 'empty', reasons: [expect.stringContaining('it expired at')] },
      { outcome: 'empty', reasons: [expect.stringContaining('it was voided at')] },
      {
        outcome: 'equal',
        inScrip: {
          ...{ amount: 200, source: 'promotion', priority: 50, costBasis: null },
          ...{
            effectiveAt: new Date(later * 1000).toISOString(),
            expiresAt: new Date((later + 60) * 1000).toISOString(),
          },
        },
      },
      {
        outcome: 'adjusted',
        externalId: used.id,
        reasons: ['350.5 credits are cut to 350'],
        inScrip: { amount: 350, source: 'purchase', priority: 3, costBasis: { amount: 701, currency: 'usd' } },
      },
    ]);
    expect(await available()).toBe(0);
    const applied = await run('--apply', ...worth);
    expect([applied.code, await available()]).toEqual([1, 350]);
    const again = await run('--apply', ...worth, '--json');
    expect([JSON.parse(again.stdout), await available()]).toMatchObject([
      { summary: { before: 2, outcomes: { equal: 1, adjusted: 1, empty: 3, refused: 1 } } },
      350,
    ]);
  });

  test('compares what Stripe uses up since, and is undone', async () => {
    const shadow = async (): Promise<unknown> =>
      (JSON.parse((await run('--shadow', ...worth, '--json')).stdout) as { accounts: unknown }).accounts;
    expect(await shadow()).toMatchObject([{ customerId: 'acme', source: '550', scrip: '550', difference: '0' }]);
    await sandbox.control('POST', `/credit_grants/${used.id}/apply`, { amount: 100, invoice: 'in_2' });
    expect(await shadow()).toMatchObject([{ source: '500', scrip: '550', difference: '50', sourceChange: '-50' }]);
    const undone = await run('--undo');
    expect([undone.code, undone.stdout, await available()]).toEqual([
      0,
      expect.stringContaining('550 taken back now'),
      0,
    ]);
  });

  test('asks for what money is worth, and for a Stripe that answers', async () => {
    const given = [['--rate', '1'], ['--unit', 'credits', '--currency', 'usd'], [...worth, '--rate', '0'], []];
    for (const args of given) expect([args, (await run('--apply', ...args)).code]).toEqual([args, 2]);
    await sandbox.fault('server_error', 20);
    const { code, stdout } = await run('--apply', ...worth);
    expect([code, stdout]).toEqual([1, expect.stringContaining('not whole: Stripe does not answer')]);
    await sandbox.control('DELETE', '/faults');
  });

  test('leaves a log and read models that verify', async () => {
    await scrip.startWorker();
    const env = { DATABASE_URL: scrip.database.url, SCRIP_DATA_DIR: dir };
    const verified = await eventually(
      () => runCli(['audit', 'verify'], env),
      ({ code }) => code === 0,
    );
    expect(verified.stdout).toContain('the log is sound');
  });
});
