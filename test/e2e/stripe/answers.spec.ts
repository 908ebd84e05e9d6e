import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Catalog } from '#ledger/catalog.js';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { catalog } from '../../support/ledger/catalog.js';
import { eventually } from '../../support/eventually.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { SandboxProcess } from '../../support/processes/sandbox.js';

let scrip: RunningScrip;
let sandbox: SandboxProcess;
let api: ApiClient;
let shop: Catalog;

const successUrl = 'https://app.example/done';
const pack = { mode: 'credits', creditProduct: 'credits_1000', successUrl };
const money = { amount: 1999, currency: 'usd' };
const post = (path: string, body: unknown, key?: string): Promise<ApiAnswer> =>
  api.post(`/v1/customers/${path}`, body, key);
const pay = (sessionId: string) =>
  sandbox.control('POST', `/checkout/${sessionId}/complete`, { card: '4242424242424242' });

/** The answer to a repeat, as far as it must be that of the first request. */
const essence = ({ status, body }: ApiAnswer) => ({ status, body });
const isReplayed = ({ headers }: ApiAnswer): boolean => headers.get('idempotent-replayed') === 'true';

beforeAll(async () => {
  [scrip, sandbox] = await Promise.all([RunningScrip.prepare(), SandboxProcess.start()]);
  shop = await sandbox.priced(catalog);
  await scrip.writer.applyCatalog(shop);
  const env = { STRIPE_SECRET_KEY: 'sk_test_sandbox_key', STRIPE_API_BASE: sandbox.url };
  [{ client: api }] = await Promise.all([scrip.startApi(env), scrip.startWorker(env)]);
  await sandbox.control('POST', '/webhook_endpoints', { url: `${api.url}/v1/webhooks/stripe`, secret: webhookSecret });
});

afterAll(async () => {
  await Promise.all([scrip.stop(), sandbox.process.stop()]);
});

/** Repeats a request and asks the same key for something else. */
async function expectFirstAgain(first: ApiAnswer, path: string, body: unknown, other: unknown, key: string) {
  const again = await post(path, body, key);
  expect(essence(again)).toEqual(essence(first));
  expect([isReplayed(first), isReplayed(again)]).toEqual([false, true]);
  const reused = await post(path, other, key);
  expect([reused.status, reused.body.code, isReplayed(reused)]).toEqual([409, 'idempotency_key_reused', false]);
}

describe('a repeated key gets the first answer, marked, whatever has become of it at Stripe', () => {
  test('for a checkout session that has been paid', async () => {
    const first = await post('buyer/checkout-sessions', pack, 'k');
    expect(first.status).toBe(201);
    await pay(first.body.id);
    expect((await sandbox.stripe.checkout.sessions.retrieve(first.body.id)).url).toBeNull();
    await expectFirstAgain(first, 'buyer/checkout-sessions', pack, { ...pack, quantity: 2 }, 'k');
    // Repeats lead to no new link, so they are not counted as one.
    for (let repeats = 0; repeats < 6; repeats += 1)
      expect((await post('buyer/checkout-sessions', pack, 'k')).status).toBe(201);
  });

  test('for a payment intent that has been paid', async () => {
    const first = await post('payer/payment-intents', money, 'k');
    expect([first.status, first.body['status']]).toEqual([201, 'requires_payment_method']);
    await sandbox.stripe.paymentIntents.confirm(first.body.id, {
      payment_method: 'pm_card_visa',
      return_url: successUrl,
    });
    expect((await sandbox.stripe.paymentIntents.retrieve(first.body.id)).status).toBe('succeeded');
    await expectFirstAgain(first, 'payer/payment-intents', money, { ...money, amount: 5 }, 'k');
  });

  test.each([
    ['payment-intents', money],
    ['checkout-sessions', pack],
  ])('for twenty at once of one key: %s', async (route, body) => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(`crowd/${route}`, body, route)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    expect(new Set(answers.map((answer) => JSON.stringify(essence(answer)))).size).toBe(1);
    expect(answers.filter((answer) => !isReplayed(answer)).length).toBe(1);
  });

  test('for what is finished after Stripe was away, which is counted once', async () => {
    await post('patient/portal-sessions', { returnUrl: successUrl });
    await sandbox.fault('lose_answer', 20, '/v1/checkout/sessions');
    expect((await post('patient/checkout-sessions', pack, 'k')).status).toBe(503);
    await sandbox.control('DELETE', '/faults');
    const finished = await eventually(
      () => post('patient/checkout-sessions', pack, 'k'),
      ({ status }) => status !== 503,
    );
    expect(finished.status).toBe(201);
    const more = [];
    for (let count = 0; count < 5; count += 1) more.push((await post('patient/checkout-sessions', pack)).status);
    expect(more).toEqual([201, 201, 201, 201, 429]);
    expect((await post('patient/checkout-sessions', pack, 'k')).body).toEqual(finished.body);
  });

  test('for each change of a subscription', async () => {
    const plan = { mode: 'subscription', plan: 'starter', interval: 'month', successUrl };
    await pay((await post('member/checkout-sessions', plan)).body.id);
    const yearly = { plan: 'starter', interval: 'year', when: 'now' };
    const commands = [
      ['cancel', { atPeriodEnd: true }, { atPeriodEnd: false }],
      ['resume', undefined, undefined],
      ['change', yearly, { ...yearly, when: 'period_end' }],
    ] as const;
    const first: ApiAnswer[] = [];
    for (const [command, body] of commands) first.push(await post(`member/subscription/${command}`, body, command));
    expect(first.map(({ status }) => status)).toEqual([200, 200, 200]);
    await post('member/subscription/cancel', { atPeriodEnd: false }, 'end');
    for (const [index, [command, body, other]] of commands.entries())
      if (command !== 'resume')
        await expectFirstAgain(first[index]!, `member/subscription/${command}`, body, other, command);
    expect(essence(await post('member/subscription/resume', undefined, 'resume'))).toEqual(essence(first[1]!));
    // One key is one command: another route is another body.
    expect((await post('member/subscription/resume', undefined, 'cancel')).body.code).toBe('idempotency_key_reused');
  });

  test('also while Stripe is away, and for what is sold no more', async () => {
    const first = await post('early/checkout-sessions', pack, 'k');
    await sandbox.control('POST', '/faults', { requests: [{ fault: 'server_error', times: 100_000 }] });
    await scrip.writer.applyCatalog({ ...shop, creditProducts: [] });
    const again = await post('early/checkout-sessions', pack, 'k');
    await sandbox.control('DELETE', '/faults');
    await scrip.writer.applyCatalog(shop);
    expect([essence(again), isReplayed(again)]).toEqual([essence(first), true]);
  });
});

test('a payment of a payment intent is listed as what it is', async () => {
  const { body } = await post('once/payment-intents', money, 'k');
  const card = { payment_method: 'pm_card_visa', return_url: successUrl };
  await sandbox.stripe.paymentIntents.confirm(body.id, card);
  const listed = await eventually(
    () => api.get('/v1/customers/once/payments'),
    ({ body: list }) => list.data.length > 0,
  );
  expect(listed.body.data).toMatchObject([{ id: body.id, type: 'one_time', status: 'succeeded', amount: money }]);
});

test('every answer has a position that queries can wait for', async () => {
  const answers = [
    await post('placed/checkout-sessions', pack),
    await post('placed/payment-intents', money, 'k'),
    await post('placed/portal-sessions', { returnUrl: successUrl }),
    await post('placed/subscription', { plan: 'free' }),
    await post('placed/subscription', { plan: 'free' }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
  for (const { body } of answers) {
    expect(body.position).toMatch(/^\d{19}$/);
    expect((await api.get(`/v1/customers/placed/payments?minPosition=${body.position}`)).status).toBe(200);
  }
  const last = answers.at(-1)?.body.position ?? '';
  expect((await api.get(`/v1/customers/placed/subscription?minPosition=${last}`)).body.id).toBe(
    answers.at(-1)?.body.id,
  );
});

test('only links that are made count for the five a minute', async () => {
  const refused = [
    { ...pack, creditProduct: 'gone' },
    { ...pack, quantity: 10_000_000 },
    { mode: 'credits', credits: 2 ** 53 - 1, successUrl },
    { mode: 'subscription', plan: 'nowhere', interval: 'month', successUrl },
    { mode: 'subscription', plan: 'free', interval: 'month', successUrl },
    { mode: 'credits', creditProduct: 'credits_1000' },
  ];
  for (const body of refused) expect((await post('hasty/checkout-sessions', body)).status).toBeLessThan(429);
  for (let index = 0; index < 6; index += 1) expect((await post('hasty/portal-sessions', {})).status).toBe(400);
  const made = [];
  for (let index = 0; index < 6; index += 1) made.push((await post('hasty/checkout-sessions', pack)).status);
  expect(made).toEqual([201, 201, 201, 201, 201, 429]);
  expect((await post('hasty/portal-sessions', { returnUrl: successUrl })).status).toBe(201);
});
