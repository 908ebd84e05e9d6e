import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type Stripe from 'stripe';
import type { ApiClient } from '../../support/api/client.js';
import { catalog } from '../../support/ledger/catalog.js';
import { runCli, startCli } from '../../support/processes/cli.js';
import { eventually } from '../../support/eventually.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { stripeEvent } from '../../support/stripe/events.js';
import { SandboxProcess } from '../../support/processes/sandbox.js';

type Found = {
  readonly type: string;
  readonly id: string;
  readonly stripe: Readonly<Record<string, unknown>>;
  readonly ledger: Readonly<Record<string, unknown>> | null;
  readonly repair: string;
};
type Report = {
  readonly id: string;
  readonly checked: number;
  readonly finishedAt: string | null;
  readonly differences: number;
  readonly unrepaired: number;
  readonly found: readonly Found[];
};

let scrip: RunningScrip;
let sandbox: SandboxProcess;
let api: ApiClient;
let env: Record<string, string>;

beforeAll(async () => {
  [scrip, sandbox] = await Promise.all([RunningScrip.prepare(), SandboxProcess.start()]);
  await scrip.writer.applyCatalog(await sandbox.priced(catalog));
  env = { STRIPE_SECRET_KEY: 'sk_test_sandbox_key', STRIPE_API_BASE: sandbox.url };
  [{ client: api }] = await Promise.all([scrip.startApi(env), scrip.startWorker(env)]);
});

afterAll(async () => {
  await Promise.all([scrip.stop(), sandbox.process.stop()]);
});

const environment = () => ({ DATABASE_URL: scrip.database.url, ...env });
const cli = (...args: string[]) => runCli(['stripe', 'reconcile', ...args], environment());

async function reconcile(...args: string[]): Promise<{ code: number | null; report: Report }> {
  const { code, stdout, stderr } = await cli('--json', ...args);
  if (stdout === '') throw new Error(stderr);
  return { code, report: JSON.parse(stdout) as Report };
}

const typesOf = ({ found }: Report): string[] => [...new Set(found.map(({ type }) => type))].sort();
const available = async (customer: string) => (await api.get(`/v1/customers/${customer}/balance`)).body.available;
const becomes = (customer: string, credits: number) =>
  eventually(
    () => available(customer),
    (now) => now === credits,
  );

async function buy(customer: string, body: object): Promise<string> {
  const successUrl = 'https://app.example/done';
  const session = await api.post(`/v1/customers/${customer}/checkout-sessions`, { ...body, successUrl });
  expect(session.status).toBe(201);
  await sandbox.control('POST', `/checkout/${session.body.id}/complete`, { card: '4242424242424242' });
  return session.body.id;
}

const pack = { mode: 'credits', creditProduct: 'credits_1000', quantity: 2 };
const plan = { mode: 'subscription', plan: 'starter', interval: 'month' };
const intentOf = async (session: string): Promise<string> =>
  String((await sandbox.stripe.checkout.sessions.retrieve(session)).payment_intent);
const subscriptionOf = async (customer: string): Promise<Stripe.Subscription> =>
  (await sandbox.stripe.subscriptions.list({ status: 'all', limit: 100 })).data.find(
    ({ metadata }) => metadata['customer_id'] === customer,
  )!;

/** A refunded pack, a disputed one, a plan with a credit note, a payment of our own page: nobody told the ledger. */
async function live(prefix: string): Promise<void> {
  const refunded = await intentOf(await buy(`${prefix}-refunded`, pack));
  await sandbox.stripe.refunds.create({ payment_intent: refunded, amount: 500 });
  const disputed = await sandbox.stripe.paymentIntents.retrieve(await intentOf(await buy(`${prefix}-disputed`, pack)));
  await sandbox.control('POST', '/disputes', { charge: disputed.latest_charge });
  await buy(`${prefix}-plan`, plan);
  const { latest_invoice: invoice } = await subscriptionOf(`${prefix}-plan`);
  await sandbox.stripe.creditNotes.create({ invoice: String(invoice), amount: 200, credit_amount: 200 });
  const own = await api.post(
    `/v1/customers/${prefix}-own/payment-intents`,
    { amount: 700, currency: 'usd' },
    `${prefix}-own`,
  );
  await sandbox.stripe.paymentIntents.confirm(own.body.id, {
    payment_method: 'pm_card_visa',
    return_url: 'https://app.example/done',
  });
}

describe('what no webhook ever told', () => {
  test('is found by events and by objects, told to the ledger, and then gone', async () => {
    await live('by-events');
    const before = await reconcile();
    expect(before.code).toBe(1);
    expect(typesOf(before.report)).toEqual(
      ['credit_note', 'dispute', 'event', 'invoice', 'payment', 'refund', 'session', 'subscription'].map(
        (kind) => `${kind}_missing`,
      ),
    );
    expect(new Set(before.report.found.map(({ repair, ledger }) => [repair, ledger].join()))).toEqual(
      new Set(['none,']),
    );
    expect(await available('by-events-plan')).toBe(0);

    const repaired = await reconcile('--repair');
    expect([repaired.code, repaired.report.unrepaired]).toEqual([0, 0]);
    await becomes('by-events-refunded', 1000);
    await becomes('by-events-disputed', 0);
    await becomes('by-events-plan', 450);

    const after = await reconcile();
    expect([after.code, after.report.found]).toEqual([0, []]);
    expect(after.report.checked).toBeGreaterThan(30);
  });

  test('is found by objects alone when Stripe lists its events no more', async () => {
    await live('by-objects');
    await sandbox.control('POST', '/settings', { retentionDays: 0 });
    await sandbox.control('POST', '/clock', { by: 2 * 86_400 });
    expect((await sandbox.stripe.events.list()).data).toEqual([]);

    const repaired = await reconcile('--repair');
    expect([repaired.code, repaired.report.found.filter(({ repair }) => repair !== 'repaired')]).toEqual([0, []]);
    expect(typesOf(repaired.report)).not.toContain('event_missing');
    await becomes('by-objects-refunded', 1000);
    await becomes('by-objects-disputed', 0);
    await becomes('by-objects-plan', 450);
    const after = await reconcile();
    expect([after.code, after.report.found]).toEqual([0, []]);
    await sandbox.control('POST', '/settings', { retentionDays: 30 });
  });
});

describe('what Stripe changed without telling', () => {
  const differences = (report: Report) =>
    Object.fromEntries(report.found.map(({ type, stripe, ledger }) => [type, { stripe, ledger }]));

  beforeAll(async () => {
    const url = `${api.url}/v1/webhooks/stripe`;
    const endpoint = (await sandbox.control('POST', '/webhook_endpoints', { url, secret: webhookSecret })) as {
      id: string;
    };
    await live('changed');
    await sandbox.control('POST', '/settle');
    await becomes('changed-plan', 450);
    await eventually(
      () => reconcile(),
      ({ code }) => code === 0,
    );
    await sandbox.stripe.webhookEndpoints.del(endpoint.id);
  });

  test('is found with both sides, by objects alone, and repaired', async () => {
    const subscription = await subscriptionOf('changed-plan');
    const [item] = subscription.items.data;
    await sandbox.stripe.subscriptions.update(subscription.id, {
      items: [{ id: item!.id, quantity: 3 }],
      proration_behavior: 'none',
      cancel_at_period_end: true,
    });
    const { data: disputes } = await sandbox.stripe.disputes.list({ limit: 1 });
    await sandbox.control('POST', `/disputes/${disputes[0]!.id}/move`, { status: 'lost' });
    const { data: refunds } = await sandbox.stripe.refunds.list({ limit: 1 });
    await sandbox.control('POST', `/refunds/${refunds[0]!.id}/settle`, { succeeds: false });
    await sandbox.control('POST', '/settings', { retentionDays: 0 });
    await sandbox.control('POST', '/clock', { by: 2 * 86_400 });

    const found = await reconcile();
    expect(found.code).toBe(1);
    expect(differences(found.report)).toMatchObject({
      subscription_differs: { stripe: { quantity: 3 }, ledger: { quantity: 1, cancelAt: null } },
      dispute_differs: { stripe: { status: 'lost' }, ledger: { status: 'open' } },
      refund_differs: { stripe: { status: 'failed' }, ledger: { status: 'succeeded' } },
      charge_differs: { stripe: { refunded: 0 }, ledger: { refunded: 500 } },
    });

    const repaired = await reconcile('--repair');
    expect([repaired.code, repaired.report.unrepaired]).toEqual([0, 0]);
    await becomes('changed-refunded', 2000);
    await becomes('changed-plan', 450);
    expect((await api.get('/v1/customers/changed-plan/subscription')).body['quantity']).toBe(3);
    const after = await reconcile();
    expect([after.code, after.report.found]).toEqual([0, []]);
  });

  test('is what operators read, page by page', async () => {
    await live('read');
    const { report } = await reconcile();
    const first = await api.get('/v1/admin/reconciliation?limit=2');
    expect(first.status).toBe(200);
    expect(first.body['run']).toMatchObject({
      ...{ id: report.id, startedBy: 'cli', repair: false, since: null, checked: report.checked },
      ...{ differences: report.differences, unrepaired: report.unrepaired, finishedAt: expect.any(String) },
    });
    const read: unknown[] = [];
    for (let page = first; ;) {
      read.push(...(page.body.data as unknown as unknown[]));
      if (page.body.hasMore !== true) break;
      page = await api.get(`/v1/admin/reconciliation?limit=2&cursor=${String(page.body['nextCursor'])}`);
    }
    expect(read).toEqual(report.found);
    expect((await api.get('/v1/admin/reconciliation?cursor=x')).body.code).toBe('invalid_request');
    await reconcile();
    const ofEarlierRun = await api.get(`/v1/admin/reconciliation?cursor=${String(first.body['nextCursor'])}`);
    expect([ofEarlierRun.status, ofEarlierRun.body.errors?.[0]?.field]).toEqual([400, 'cursor']);
  });

  test('is repaired by a run that goes on where one broke off', async () => {
    await sandbox.fault('server_error', 20, '/v1/refunds');
    const broken = await cli('--repair');
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining('Stripe does not answer')]);
    const { run } = (await api.get('/v1/admin/reconciliation')).body as unknown as { run: Report };
    expect(run).toMatchObject({ finishedAt: null, repair: true });
    await sandbox.control('DELETE', '/faults');
    const { code, report } = await reconcile('--repair');
    expect([code, report.id, report.unrepaired]).toEqual([0, run.id, 0]);
    expect((await reconcile()).code).toBe(0);
  });

  test('is found by a run that goes on where one was killed', async () => {
    await sandbox.control('POST', '/faults', {
      requests: [{ fault: 'slow', times: 1, path: '/v1/charges', milliseconds: 10_000 }],
    });
    const killed = startCli(['stripe', 'reconcile'], environment());
    const run = await eventually(
      async () => ((await api.get('/v1/admin/reconciliation')).body as unknown as { run: Report }).run,
      ({ checked, finishedAt }) => checked > 0 && finishedAt === null,
    );
    killed.kill('SIGKILL');
    await sandbox.control('DELETE', '/faults');
    const went = await eventually(
      () => cli('--json'),
      ({ stdout }) => stdout !== '',
    );
    expect([went.code, (JSON.parse(went.stdout) as Report).id]).toEqual([0, run.id]);
  });

  test('is asked for by one at a time, and in a way that makes sense', async () => {
    const slow = { fault: 'slow', times: 1, path: '/v1/events', milliseconds: 8_000 };
    await sandbox.control('POST', '/faults', { requests: [slow] });
    const answers = await Promise.all([cli(), cli()]);
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 1]);
    expect(answers.find(({ code }) => code === 1)!.stderr).toContain('another reconciliation is under way');
    expect((await cli('--since', 'yesterday')).code).toBe(2);
    expect((await cli('--since', '2099-01-01T00:00:00Z')).code).toBe(2);
  });
});

describe('what only the ledger has', () => {
  const found = (report: Report) => report.found.map(({ type, id, stripe, repair }) => [type, id, stripe, repair]);
  const onlyHere = [
    ['payment_only_in_ledger', 'pi_1'],
    ['refund_only_in_ledger', 're_1'],
    ['dispute_only_in_ledger', 'du_1'],
  ].map(([type, id]) => [type, id, null, 'none']);

  test('is found, as what nobody can repair', async () => {
    expect((await reconcile()).report.found).toEqual([]);
    for (const name of [
      'checkout.session.completed.endive',
      'refund.updated.endive',
      'charge.dispute.created.endive',
    ] as const)
      await scrip.writer.receive(stripeEvent(name));
    await eventually(
      async () => (await api.get('/v1/customers/acme/payments')).body.data.length,
      (count) => count === 1,
    );
    for (const args of [[], ['--repair']]) {
      const { code, report } = await reconcile(...args);
      expect([code, report.differences, report.unrepaired]).toEqual([1, 3, 3]);
      expect(found(report)).toEqual(onlyHere);
    }
    const { code, report } = await reconcile('--since', '2026-10-20T00:00:00Z');
    expect([code, report.found]).toEqual([0, []]);
    const text = await cli();
    expect(text.stdout).toContain('payment_only_in_ledger pi_1\n  Stripe  nothing\n  ledger  {"amount":1190');
  }, 120_000);
});
