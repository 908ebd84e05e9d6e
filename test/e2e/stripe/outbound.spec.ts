import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Catalog } from '#ledger/catalog.js';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { catalog } from '../../support/ledger/catalog.js';
import { eventually } from '../../support/eventually.js';
import { query } from '../../support/databases/postgres.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { SandboxProcess } from '../../support/processes/sandbox.js';

let scrip: RunningScrip;
let sandbox: SandboxProcess;
let api: ApiClient;
let other: ApiClient;
let prices: Record<'starter' | 'starterYear' | 'pro', string>;

const successUrl = 'https://app.example/done';
const post = (path: string, body: unknown, key?: string, client = api): Promise<ApiAnswer> =>
  client.post(`/v1/customers/${path}`, body, key);
const pack = { mode: 'credits', creditProduct: 'credits_1000', quantity: 2, successUrl };
const plan = (id = 'starter') => ({ mode: 'subscription', plan: id, interval: 'month', successUrl });
const customersOf = async (customerId: string) =>
  (await sandbox.stripe.customers.list({ limit: 100 })).data.filter(
    ({ metadata }) => metadata['customer_id'] === customerId,
  );
const intentTypes = async (intentId: string): Promise<unknown[]> =>
  (
    await query(
      scrip.database.url,
      `select type from scrip_log.events where stream = 'stripeIntent-${intentId}' order by revision`,
    )
  ).map(({ type }) => type);

beforeAll(async () => {
  [scrip, sandbox] = await Promise.all([RunningScrip.prepare(), SandboxProcess.start()]);
  const [starter, starterYear, pro] = await Promise.all([
    sandbox.price(2000),
    sandbox.price(20000, 'year'),
    sandbox.price(5000),
  ]);
  prices = { starter: starter.id, starterYear: starterYear.id, pro: pro.id };
  const paid = catalog.plans.find(({ id }) => id === 'starter')!;
  const priced: Catalog = {
    ...catalog,
    plans: [
      ...catalog.plans.filter(({ free }) => free),
      {
        ...paid,
        trialDays: null,
        monthly: { money: { amount: 2000, currency: 'usd' }, stripePriceId: starter.id },
        yearly: { money: { amount: 20000, currency: 'usd' }, stripePriceId: starterYear.id },
      },
      {
        ...paid,
        id: 'pro',
        trialDays: null,
        yearly: null,
        monthly: { money: { amount: 5000, currency: 'usd' }, stripePriceId: pro.id },
      },
      {
        ...paid,
        id: 'unpushed',
        trialDays: null,
        yearly: null,
        monthly: { money: { amount: 900, currency: 'usd' }, stripePriceId: null },
      },
    ],
  };
  await scrip.writer.applyCatalog(priced);
  const env = { STRIPE_SECRET_KEY: 'sk_test_sandbox_key', STRIPE_API_BASE: sandbox.url };
  const [first, second] = await Promise.all([scrip.startApi(env), scrip.startApi(env), scrip.startWorker(env)]);
  [api, other] = [first.client, second.client];
  await sandbox.control('POST', '/webhook_endpoints', {
    url: `${api.url}/v1/webhooks/stripe`,
    secret: webhookSecret,
    enabledEvents: [
      'checkout.session.completed',
      'customer.subscription.created',
      'customer.subscription.updated',
      'customer.subscription.deleted',
      'invoice.paid',
    ],
  });
});

afterAll(async () => {
  await Promise.all([scrip.stop(), sandbox.process.stop()]);
});

describe('the Stripe customer', () => {
  test('is one, for twenty requests at once to two processes', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        post('crowd/payment-intents', { amount: 100, currency: 'usd' }, `k${String(index)}`, index % 2 ? api : other),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    expect((await customersOf('crowd')).length).toBe(1);
  });

  test('is one, although Stripe made it and the answer was lost for good', async () => {
    await sandbox.fault('lose_answer', 20, '/v1/customers');
    const first = await post('lost/portal-sessions', { returnUrl: successUrl });
    expect([first.status, first.body.code]).toEqual([503, 'stripe_unavailable']);
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await intentTypes('customer.lost')).toEqual(['StripeCallIntended']);
    await sandbox.control('DELETE', '/faults');
    const again = await eventually(
      () => post('lost/portal-sessions', { returnUrl: successUrl }, undefined, other),
      ({ status }) => status !== 503,
    );
    expect(again.status).toBe(201);
    expect((await customersOf('lost')).length).toBe(1);
    expect(await intentTypes('customer.lost')).toEqual(['StripeCallIntended', 'StripeCallAnswered']);
  });
});

test('a process that dies between what Stripe did and our record of it leaves one customer, for twenty that come back', async () => {
  const env = { STRIPE_SECRET_KEY: 'sk_test_sandbox_key', STRIPE_API_BASE: sandbox.url };
  const dying = await scrip.startApi(env);
  await sandbox.control('POST', '/faults', {
    requests: [{ fault: 'slow', times: 1, path: '/v1/customers', milliseconds: 3000 }],
  });
  const lost = post('orphan/portal-sessions', { returnUrl: successUrl }, undefined, dying.client).catch(
    () => 'cut off',
  );
  // The intent is in the log before the call leaves; only a call that has come in has its effect.
  await eventually(
    () => sandbox.control('GET', '/faults') as Promise<{ requests: unknown[] }>,
    ({ requests }) => requests.length === 0,
  );
  await dying.process.stop('SIGKILL');
  expect(await lost).toBe('cut off');
  await eventually(
    () => customersOf('orphan'),
    ({ length }) => length === 1,
  );
  expect(await intentTypes('customer.orphan')).toEqual(['StripeCallIntended']);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      post('orphan/payment-intents', { amount: 100, currency: 'usd' }, `o${String(index)}`, index % 2 ? api : other),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
  expect((await customersOf('orphan')).length).toBe(1);
  expect(await intentTypes('customer.orphan')).toEqual(['StripeCallIntended', 'StripeCallAnswered']);
});

test('name and address reach Stripe by an intent for each change, and are nowhere in the log', async () => {
  const put = (body: object) => api.call('PUT', '/v1/customers/named', { body: JSON.stringify(body) });
  await put({ name: 'Jo Doe', email: 'jo@doe.example' });
  expect((await post('named/portal-sessions', { returnUrl: successUrl })).status).toBe(201);
  const [customer] = await customersOf('named');
  expect([customer?.name, customer?.email]).toEqual(['Jo Doe', 'jo@doe.example']);
  expect(await intentTypes(`contact.${customer!.id}.1`)).toEqual(['StripeCallIntended', 'StripeCallAnswered']);

  await put({ name: 'Joan Doe', email: null });
  await put({ name: 'Joan Doe', metadata: { tier: 'a' } });
  const written = await eventually(
    async () => (await customersOf('named'))[0],
    (now) => now?.name === 'Joan Doe',
  );
  expect(written?.email).toBeNull();
  await eventually(
    () => intentTypes(`contact.${customer!.id}.2`),
    ({ length }) => length > 1,
  );
  expect(await intentTypes(`contact.${customer!.id}.2`)).toEqual(['StripeCallIntended', 'StripeCallAnswered']);
  expect(await intentTypes(`contact.${customer!.id}.3`)).toEqual([]);
  const found = await query(
    scrip.database.url,
    `select 1 from scrip_log.events where data ilike '%doe%' or metadata ilike '%doe%'`,
  );
  expect(found).toEqual([]);
});

describe('a checkout session', () => {
  test('for a pack is paid on its page and becomes credits', async () => {
    const answer = await eventually(
      () => post('buyer/checkout-sessions', pack, 'buy-1'),
      ({ status }) => status !== 503,
    );
    expect(answer.status).toBe(201);
    expect(answer.body['url']).toMatch(/^http/);
    const again = await post('buyer/checkout-sessions', pack, 'buy-1', other);
    expect([again.status, again.body]).toEqual([201, answer.body]);
    const reused = await post('buyer/checkout-sessions', { ...pack, quantity: 3 }, 'buy-1');
    expect([reused.status, reused.body.code]).toEqual([409, 'idempotency_key_reused']);
    await sandbox.control('POST', `/checkout/${answer.body.id}/complete`, { card: '4242424242424242' });
    const balance = await eventually(
      async () => (await api.get('/v1/customers/buyer/balance')).body.available,
      (available) => available === 2000,
    );
    expect(balance).toBe(2000);
  });

  test('for a free number costs the rate of the smallest pack', async () => {
    const answer = await post('free-number/checkout-sessions', { mode: 'credits', credits: 250, successUrl });
    expect(answer.status).toBe(201);
    const session = await sandbox.stripe.checkout.sessions.retrieve(answer.body.id);
    expect([session.amount_total, session.currency, session.metadata]).toEqual([
      125,
      'usd',
      expect.objectContaining({ customer_id: 'free-number', credits: '250' }),
    ]);
  });

  test.each([
    [plan('nowhere'), 404, 'plan_not_found'],
    [plan('free'), 422, 'plan_not_for_sale'],
    [plan('unpushed'), 422, 'price_not_at_stripe'],
    [{ mode: 'credits', creditProduct: 'gone', successUrl }, 404, 'credit_product_not_found'],
    [{ mode: 'credits', credits: 2 ** 53 - 1, successUrl }, 422, 'amount_not_chargeable'],
    [{ mode: 'credits', credits: 5, plan: 'starter', successUrl }, 400, 'invalid_request'],
    [{ mode: 'credits', credits: 5, successUrl: 'javascript:alert(1)' }, 400, 'invalid_request'],
    [{ mode: 'credits', credits: 5 }, 400, 'invalid_request'],
    [{ mode: 'subscription', plan: 'starter', successUrl }, 400, 'invalid_request'],
  ])('for %j is refused', async (body, status, code) => {
    const answer = await post(
      `refused-${code.slice(0, 9)}-${String(JSON.stringify(body).length)}/checkout-sessions`,
      body,
    );
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test('is limited to five a minute for each customer, by both processes together', async () => {
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, index) =>
        post('eager/checkout-sessions', pack, undefined, index % 2 === 0 ? api : other),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 201, 201, 429, 429, 429, 429]);
    const refused = answers.find(({ status }) => status === 429);
    const wait = Number(refused?.headers.get('retry-after'));
    expect([refused?.body.code, wait > 40 && wait <= 60]).toEqual(['rate_limited', true]);
    expect((await post('eager/portal-sessions', { returnUrl: successUrl })).status).toBe(201);
    expect((await post('calm/checkout-sessions', pack)).status).toBe(201);
    await query(
      scrip.database.url,
      `update scrip_app.billing_requests set newest = newest - 50000,
        taken = array(select at - 50000 from unnest(taken) as at) where subject = 'checkout eager'`,
    );
    const later = await post('eager/checkout-sessions', pack);
    expect(Number(later.headers.get('retry-after'))).toBeLessThan(11);
    await query(
      scrip.database.url,
      `update scrip_app.billing_requests set newest = 0, taken = array[0] where subject = 'checkout eager'`,
    );
    expect((await post('eager/checkout-sessions', pack)).status).toBe(201);
    await query(scrip.database.url, `update scrip_app.billing_requests set newest = 0, taken = array[0]`);
    expect((await post('eager/checkout-sessions', pack)).status).toBe(201);
    const kept = await query(scrip.database.url, 'select subject from scrip_app.billing_requests');
    expect(kept).toEqual([{ subject: 'checkout eager' }]);
  });
});

test('a payment intent is made once for its key, in a currency that Stripe takes', async () => {
  const wanted = { amount: 1999, currency: 'usd', description: 'Workshop' };
  const answer = await post('payer/payment-intents', wanted, 'pay-1');
  expect([answer.status, answer.body]).toEqual([
    201,
    {
      id: expect.stringMatching(/^pi_/),
      clientSecret: expect.any(String),
      status: 'requires_payment_method',
      position: expect.any(String),
    },
  ]);
  expect((await post('payer/payment-intents', wanted, 'pay-1', other)).body).toEqual(answer.body);
  expect((await post('payer/payment-intents', { ...wanted, currency: 'ugx' }, 'pay-2')).body.code).toBe(
    'currency_unsupported',
  );
  expect((await post('payer/payment-intents', { amount: 1001, currency: 'kwd' }, 'pay-3')).body.code).toBe(
    'amount_not_chargeable',
  );
  expect((await post('payer/payment-intents', wanted)).body.code).toBe('idempotency_key_required');
});

test('only the link after a purchase names the session, by default and where the caller named one', async () => {
  const after = 'https://app.example/billing?session={CHECKOUT_SESSION_ID}&tab=credits';
  const answer = await post('linked/checkout-sessions', { ...pack, successUrl: after, cancelUrl: undefined });
  const session = await sandbox.stripe.checkout.sessions.retrieve(String(answer.body.id));
  expect([session.success_url, session.cancel_url]).toEqual([after, 'https://app.example/billing?tab=credits']);
});

test('a pause of Stripe is waited for: 429 and 500 do not reach the caller', async () => {
  await sandbox.fault('rate_limit', 1, '/v1/payment_intents');
  expect((await post('patient/payment-intents', { amount: 500, currency: 'usd' }, 'p-1')).status).toBe(201);
  await sandbox.fault('server_error', 1, '/v1/payment_intents');
  expect((await post('patient/payment-intents', { amount: 500, currency: 'usd' }, 'p-2')).status).toBe(201);
  await sandbox.control('DELETE', '/faults');
});

describe('a subscription', () => {
  beforeAll(async () => {
    const answer = await post('member/checkout-sessions', plan());
    expect(answer.status).toBe(201);
    await sandbox.control('POST', `/checkout/${answer.body.id}/complete`, { card: '4242424242424242' });
  });

  test('brings its credits and is not sold twice', async () => {
    await eventually(
      async () => (await api.get('/v1/customers/member/balance')).body.available,
      (available) => available === 500,
    );
    expect((await post('member/checkout-sessions', plan())).body.code).toBe('already_subscribed');
  });

  test('is not put beside a free plan', async () => {
    await eventually(
      () => api.get('/v1/customers/member/subscription'),
      ({ body }) => body['status'] === 'active',
    );
    const refused = await post('member/subscription', { plan: 'free' });
    expect([refused.status, refused.body.code]).toEqual([409, 'already_subscribed']);
  });

  test('is canceled for the end of its period and resumed', async () => {
    const canceled = await post('member/subscription/cancel', { atPeriodEnd: true }, 'c-1');
    expect([canceled.status, canceled.body['status'], canceled.body['cancelAtPeriodEnd']]).toEqual([
      200,
      'active',
      true,
    ]);
    const unknown = await post('member/subscription/resume', { atPeriodEnd: true });
    expect(unknown.body).toMatchObject({ code: 'invalid_request', errors: [{ field: 'atPeriodEnd' }] });
    const resumed = await post('member/subscription/resume', undefined);
    expect([resumed.status, resumed.body['cancelAtPeriodEnd'], resumed.body['cancelAt']]).toEqual([200, false, null]);
  });

  test('is changed with the next period, then now instead', async () => {
    const wanted = { plan: 'pro', interval: 'month', when: 'period_end' };
    const later = await post('member/subscription/change', wanted, 'later');
    expect([later.status, later.body['plan'], later.body['changeScheduled']]).toEqual([200, 'starter', true]);
    const now = await post('member/subscription/change', { ...wanted, when: 'now' }, 'now');
    expect([now.status, now.body['plan'], now.body['changeScheduled']]).toEqual([200, 'pro', false]);
    expect((await post('member/subscription/change', { ...wanted, when: 'now' }, 'now', other)).body).toEqual(now.body);
    const [subscription] = (await sandbox.stripe.subscriptions.list({ status: 'all' })).data;
    expect(subscription?.items.data[0]?.price.id).toBe(prices.pro);
  });

  test('ends now, and the same request says so again', async () => {
    const ended = await post('member/subscription/cancel', { atPeriodEnd: false }, 'end');
    expect([ended.status, ended.body['status']]).toEqual([200, 'canceled']);
    expect((await post('member/subscription/cancel', { atPeriodEnd: false }, 'end', other)).body['status']).toBe(
      'canceled',
    );
    expect((await post('member/subscription/resume', undefined)).body.code).toBe('subscription_not_found');
  });

  test('to a free plan needs no Stripe, but a plan that is free', async () => {
    const started = await post('newcomer/subscription', { plan: 'free' });
    expect([started.status, started.body['plan']]).toEqual([201, 'free']);
    expect((await post('newcomer/subscription', { plan: 'free' })).status).toBe(201);
    expect((await post('newcomer/subscription', { plan: 'starter' })).body.code).toBe('plan_not_free');
    expect((await customersOf('newcomer')).length).toBe(0);
  });
});

test('nothing is called while billing is switched off or without a key', async () => {
  const off = await scrip.startApi({
    STRIPE_SECRET_KEY: 'sk_test_x_12345',
    STRIPE_API_BASE: sandbox.url,
    STRIPE_BILLING_ENABLED: 'false',
  });
  for (const route of ['checkout-sessions', 'portal-sessions', 'subscription/cancel']) {
    const body =
      route === 'checkout-sessions'
        ? pack
        : route === 'portal-sessions'
          ? { returnUrl: successUrl }
          : { atPeriodEnd: true };
    const answer = await post(`nobody/${route}`, body, undefined, off.client);
    expect([route, answer.status, answer.body.code]).toEqual([route, 404, 'billing_disabled']);
  }
  expect((await customersOf('nobody')).length).toBe(0);
});

describe('a closed account', () => {
  test('is sold nothing, but can end what it pays for', async () => {
    expect((await post('leaving/checkout-sessions', plan('pro'))).status).toBe(201);
    await post('leaving/grants', { amount: 5, source: 'promotion' }, 'g');
    expect((await post('leaving/account/close', { reason: 'left' })).status).toBe(200);
    const asked: readonly (readonly [string, object, string?])[] = [
      ['checkout-sessions', pack],
      ['checkout-sessions', plan()],
      ['payment-intents', { amount: 100, currency: 'usd' }, 'pay'],
      ['subscription', { plan: 'free' }],
      ['subscription/change', { plan: 'pro', interval: 'month', when: 'now' }, 'change'],
      ['subscription/resume', {}],
    ];
    for (const [path, body, key] of asked) {
      const answer = await post(`leaving/${path}`, body, key);
      expect([path, answer.status, answer.body.code]).toEqual([path, 422, 'account_closed']);
    }
    expect((await post('leaving/portal-sessions', { returnUrl: successUrl }, 'portal')).status).toBe(201);
    expect((await post('leaving/subscription/cancel', { atPeriodEnd: false })).body.code).toBe(
      'subscription_not_found',
    );
  });
});

describe('a key', () => {
  const replayed = ({ status, body, headers }: ApiAnswer) => [status, body.code, headers.get('idempotent-replayed')];

  test('of a portal session gives the first page again, uncounted, and is refused for another', async () => {
    const first = await post('keyed/portal-sessions', { returnUrl: successUrl }, 'p');
    expect(replayed(first)).toEqual([201, undefined, null]);
    for (let n = 0; n < 6; n += 1) {
      const again = await post('keyed/portal-sessions', { returnUrl: successUrl }, 'p', n % 2 ? api : other);
      expect([...replayed(again), again.body]).toEqual([201, undefined, 'true', first.body]);
    }
    const another = await post('keyed/portal-sessions', { returnUrl: 'https://app.example/else' }, 'p');
    expect(replayed(another)).toEqual([409, 'idempotency_key_reused', null]);
  });

  test('of a free plan gives the first answer again, and is refused for another command', async () => {
    const first = await post('freebie/subscription', { plan: 'free' }, 'f');
    expect(replayed(first)).toEqual([201, undefined, null]);
    const again = await post('freebie/subscription', { plan: 'free' }, 'f', other);
    expect([...replayed(again), again.body]).toEqual([201, undefined, 'true', first.body]);
    expect(replayed(await post('freebie/subscription', { plan: 'pro' }, 'f'))[1]).toBe('idempotency_key_reused');
    expect(replayed(await post('freebie/checkout-sessions', pack, 'f'))[1]).toBe('idempotency_key_reused');
    await post('freebie/checkout-sessions', pack, 'c');
    expect(replayed(await post('freebie/subscription', { plan: 'free' }, 'c'))[1]).toBe('idempotency_key_reused');
  });

  test('that a command of the account was given names nothing at Stripe', async () => {
    await post('double/grants', { amount: 5, source: 'promotion' }, 'k');
    expect(replayed(await post('double/checkout-sessions', pack, 'k'))[1]).toBe('idempotency_key_reused');
    const payment = { amount: 100, currency: 'usd' };
    expect(replayed(await post('double/payment-intents', payment, 'k'))[1]).toBe('idempotency_key_reused');
    expect(replayed(await post('double/subscription', { plan: 'free' }, 'k'))[1]).toBe('idempotency_key_reused');
  });

  test.each<[string, object]>([
    ['checkout-sessions', pack],
    ['payment-intents', { amount: 100, currency: 'usd' }],
    ['portal-sessions', { returnUrl: successUrl }],
    ['subscription', { plan: 'free' }],
  ])('that %s was given names no command of the account', async (path, body) => {
    const customer = `pair-${path}`;
    const first = await post(`${customer}/${path}`, body, 'k');
    expect(replayed(first)).toEqual([201, undefined, null]);
    const grant = { amount: 5, source: 'promotion' };
    for (const client of [api, other]) {
      expect(replayed(await post(`${customer}/grants`, grant, 'k', client))[1]).toBe('idempotency_key_reused');
      const bulk = { commands: [{ type: 'grant', customerId: customer, idempotencyKey: 'k', ...grant }] };
      expect((await client.post('/v1/commands', bulk)).body.results[0]?.status).toBe(409);
      const close = await post(`${customer}/account/close`, { reason: 'left' }, 'k', client);
      expect(replayed(close)[1]).toBe('idempotency_key_reused');
      const again = await post(`${customer}/${path}`, body, 'k', client);
      expect([...replayed(again), again.body]).toEqual([201, undefined, 'true', first.body]);
    }
    expect((await post(`${customer}/grants?unit=points`, grant, 'k')).status).toBe(201);
  });

  test('is given to one of a grant and a checkout that come at once to two processes', async () => {
    for (let n = 0; n < 4; n += 1) {
      const customer = `at-once-${String(n)}`;
      const both = await Promise.all([
        post(`${customer}/checkout-sessions`, pack, 'k', n % 2 ? api : other),
        post(`${customer}/grants`, { amount: 5, source: 'promotion' }, 'k', n % 2 ? other : api),
      ]);
      expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
    }
  });

  test('of what billing refused is still free', async () => {
    const unknown = { mode: 'credits', creditProduct: 'none' };
    expect((await post('refused/checkout-sessions', unknown, 'k')).body.code).toBe('credit_product_not_found');
    expect((await post('refused/subscription/cancel', { atPeriodEnd: true }, 'k')).body.code).toBe(
      'subscription_not_found',
    );
    expect((await post('refused/subscription', { plan: 'pro' }, 'k')).body.code).toBe('plan_not_free');
    expect((await post('refused/grants', { amount: 5, source: 'promotion' }, 'k')).status).toBe(201);
  });
});
