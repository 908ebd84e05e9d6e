import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type Stripe from 'stripe';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { catalog } from '../../support/ledger/catalog.js';
import { eventually } from '../../support/eventually.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { SandboxProcess } from '../../support/processes/sandbox.js';

let scrip: RunningScrip;
let sandbox: SandboxProcess;
let api: ApiClient;
let other: ApiClient;

const successUrl = 'https://app.example/done';
const plan = { mode: 'subscription', plan: 'starter', interval: 'month', successUrl };
const pack = { mode: 'credits', creditProduct: 'credits_1000', quantity: 1, successUrl };
const intent = { amount: 500, currency: 'usd' };
const key = 'scrip_customer';

const post = (path: string, body: unknown, idempotencyKey?: string, client = api): Promise<ApiAnswer> =>
  client.post(`/v1/customers/${path}`, body, idempotencyKey);
const customersOf = async (customerId: string): Promise<readonly Stripe.Customer[]> =>
  (await sandbox.stripe.customers.list({ limit: 100 })).data.filter(({ metadata }) => metadata[key] === customerId);
const pay = (sessionId: unknown): Promise<unknown> =>
  sandbox.control('POST', `/checkout/${String(sessionId)}/complete`, { card: '4242424242424242' });
const available = async (customerId: string): Promise<unknown> =>
  (await api.get(`/v1/customers/${customerId}/balance`)).body.available;

/** The Stripe customer whose portal opens. */
async function portalOf(customerId: string): Promise<unknown> {
  const answer = await post(`${customerId}/portal-sessions`, { returnUrl: successUrl });
  expect([answer.status, answer.body.code]).toEqual([201, undefined]);
  const [opened] = (await sandbox.stripe.events.list({ type: 'billing_portal.session.created', limit: 1 })).data;
  return (opened?.data.object as Stripe.BillingPortal.Session).customer;
}

/** Subscribes a customer by its checkout; answers the Stripe customer that pays. */
async function subscribed(customerId: string): Promise<string> {
  const { body } = await post(`${customerId}/checkout-sessions`, plan);
  await pay(body.id);
  await eventually(
    () => available(customerId),
    (credits) => credits === 500,
  );
  return String((await sandbox.stripe.checkout.sessions.retrieve(String(body.id))).customer);
}

/** Subscribes a Stripe customer without a word about whose it is. */
async function subscribedByHand(customer: string): Promise<Stripe.Subscription> {
  const method = await sandbox.stripe.paymentMethods.attach('pm_card_visa', { customer });
  const [price] = (await sandbox.stripe.prices.list({ limit: 100 })).data.filter(
    ({ recurring, unit_amount: amount }) => recurring?.interval === 'month' && amount !== null && amount > 0,
  );
  const items = [{ price: price!.id }];
  return sandbox.stripe.subscriptions.create({ customer, items, default_payment_method: method.id });
}

/** Buys a pack as a payment link does: under a Stripe customer of its own. */
async function boughtByLink(customerId: string): Promise<string> {
  const guest = await sandbox.stripe.customers.create({});
  const session = await sandbox.stripe.checkout.sessions.create({
    mode: 'payment',
    customer: guest.id,
    client_reference_id: customerId,
    metadata: { credit_product: 'credits_1000' },
    success_url: successUrl,
    line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 500, product_data: { name: 'Credits' } } }],
  });
  const before = Number((await available(customerId)) ?? 0);
  await pay(session.id);
  await eventually(
    () => available(customerId),
    (credits) => Number(credits) > before,
  );
  return guest.id;
}

beforeAll(async () => {
  [scrip, sandbox] = await Promise.all([RunningScrip.prepare(), SandboxProcess.start()]);
  const { id: stripePriceId } = await sandbox.price(2000);
  const starter = catalog.plans.find(({ id }) => id === 'starter')!;
  const monthly = { money: { amount: 2000, currency: 'usd' }, stripePriceId };
  const trying = { ...starter, id: 'trying', trialDays: 14, monthly, yearly: null };
  const priced = await sandbox.priced(catalog);
  await scrip.writer.applyCatalog({ ...priced, plans: [...priced.plans, trying] });
  const env = {
    STRIPE_SECRET_KEY: 'sk_test_sandbox_key',
    STRIPE_API_BASE: sandbox.url,
    STRIPE_CUSTOMER_KEY: key,
  };
  const [first, second] = await Promise.all([scrip.startApi(env), scrip.startApi(env), scrip.startWorker(env)]);
  [api, other] = [first.client, second.client];
  await sandbox.control('POST', '/webhook_endpoints', {
    url: `${api.url}/v1/webhooks/stripe`,
    secret: webhookSecret,
    // Not customer.deleted: that one is missed.
    enabledEvents: [
      'checkout.session.completed',
      'customer.created',
      'customer.updated',
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

describe('a subscriber who buys as another Stripe customer', () => {
  let payer: string;
  beforeAll(async () => {
    payer = await subscribed('linker');
    const guest = await boughtByLink('linker');
    expect(guest).not.toBe(payer);
    const byHand = await sandbox.stripe.customers.create({ metadata: { [key]: 'linker' } });
    await eventually(
      () => scrip.writer.handlers.customer.load('customer-linker'),
      ({ state }) => state.stripeCustomers.some(({ stripeCustomerId }) => stripeCustomerId === byHand.id),
    );
  });

  test('keeps the primary Stripe customer, and the portal of the one that pays the subscription', async () => {
    expect(await portalOf('linker')).toBe(payer);
    const session = await post('linker/checkout-sessions', pack);
    expect((await sandbox.stripe.checkout.sessions.retrieve(String(session.body.id))).customer).toBe(payer);
  });

  test('is not sold a second subscription, and changes the one there is', async () => {
    expect((await post('linker/checkout-sessions', plan)).body.code).toBe('already_subscribed');
    const canceled = await post('linker/subscription/cancel', { atPeriodEnd: true });
    expect([canceled.status, canceled.body['cancelAtPeriodEnd']]).toEqual([200, true]);
    expect((await post('linker/subscription/resume', undefined)).body['cancelAtPeriodEnd']).toBe(false);
  });
});

test('a subscription under a further Stripe customer is the one that is meant', async () => {
  expect((await post('second/payment-intents', intent, 'second-1')).status).toBe(201);
  const [primary] = await customersOf('second');
  const further = await boughtByLink('second');
  const subscription = await subscribedByHand(further);
  expect((await post('second/checkout-sessions', plan)).body.code).toBe('already_subscribed');
  expect(await portalOf('second')).toBe(further);
  const ended = await post('second/subscription/cancel', { atPeriodEnd: false });
  expect([ended.status, ended.body.id, ended.body['status']]).toEqual([200, subscription.id, 'canceled']);
  expect(await portalOf('second')).toBe(primary?.id);
});

test("a stranger's portal never opens, whoever bought under that Stripe customer", async () => {
  const stranger = await subscribed('stranger');
  const session = await sandbox.stripe.checkout.sessions.create({
    mode: 'payment',
    customer: stranger,
    client_reference_id: 'visitor',
    metadata: { credit_product: 'credits_1000' },
    success_url: successUrl,
    line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 500, product_data: { name: 'Credits' } } }],
  });
  await pay(session.id);
  await eventually(
    () => available('visitor'),
    (credits) => Number(credits) > 0,
  );
  expect(await portalOf('visitor')).not.toBe(stranger);
  expect((await post('visitor/subscription/cancel', { atPeriodEnd: true })).body.code).toBe('subscription_not_found');
});

test('a subscription stays whose it was recorded as when its Stripe customer is corrected, until Stripe tells of it', async () => {
  const subscriptionOf = async (customerId: string): Promise<ApiAnswer> =>
    api.get(`/v1/customers/${customerId}/subscription`);
  const { id: payer } = await sandbox.stripe.customers.create({ metadata: { [key]: 'former' } });
  await subscribedByHand(payer);
  await eventually(
    () => subscriptionOf('former'),
    ({ status }) => status === 200,
  );
  await sandbox.stripe.customers.update(payer, { metadata: { [key]: 'latter' } });
  await eventually(
    () => scrip.writer.handlers.customer.load('customer-latter'),
    ({ state }) => state.stripeCustomers.some(({ stripeCustomerId }) => stripeCustomerId === payer),
  );

  expect((await subscriptionOf('former')).status).toBe(200);
  expect((await subscriptionOf('latter')).status).toBe(404);
  expect((await post('former/checkout-sessions', plan)).body.code).toBe('already_subscribed');
  expect((await post('latter/checkout-sessions', plan)).status).toBe(201);
  expect((await post('latter/subscription/cancel', { atPeriodEnd: true })).body.code).toBe('subscription_not_found');
  expect([await portalOf('former'), await portalOf('latter')]).toEqual([expect.not.stringMatching(payer), payer]);
  const canceled = await post('former/subscription/cancel', { atPeriodEnd: true });
  expect([canceled.status, canceled.body['cancelAtPeriodEnd']]).toEqual([200, true]);

  await eventually(
    () => subscriptionOf('latter'),
    ({ status }) => status === 200,
  );
  expect((await subscriptionOf('former')).status).toBe(404);
  expect((await post('former/subscription/resume', undefined)).body.code).toBe('subscription_not_found');
  expect((await post('latter/checkout-sessions', plan)).body.code).toBe('already_subscribed');
  expect((await post('latter/subscription/resume', undefined)).body['cancelAtPeriodEnd']).toBe(false);
});

test('a trial is given once, also to who is on a free plan and whose Stripe customer was another’s after all', async () => {
  const { id: payer } = await sandbox.stripe.customers.create({ metadata: { [key]: 'once' } });
  const { id } = await subscribedByHand(payer);
  await sandbox.stripe.subscriptions.cancel(id);
  await eventually(
    () => api.get('/v1/customers/once/subscription'),
    ({ body }) => body.id === 'free_once',
  );
  await sandbox.stripe.customers.update(payer, { metadata: { [key]: 'owner-after-all' } });
  await eventually(
    () => scrip.writer.handlers.customer.load('customer-owner-after-all'),
    ({ state }) => state.stripeCustomers.some(({ stripeCustomerId }) => stripeCustomerId === payer),
  );
  const statusAfter = async (customerId: string): Promise<unknown> => {
    const { body } = await post(`${customerId}/checkout-sessions`, { ...plan, plan: 'trying' });
    await pay(body.id);
    const { subscription } = await sandbox.stripe.checkout.sessions.retrieve(body.id, { expand: ['subscription'] });
    return (subscription as Stripe.Subscription).status;
  };
  expect(await statusAfter('once')).toBe('active');
  expect(await statusAfter('never-before')).toBe('trialing');
});

describe('a customer who was deleted at Stripe, unheard of', () => {
  const gone = async (customerId: string): Promise<string> => {
    expect((await post(`${customerId}/payment-intents`, intent, `${customerId}-first`)).status).toBe(201);
    const [made] = await customersOf(customerId);
    await sandbox.stripe.customers.del(made!.id);
    return made!.id;
  };

  test.each([
    ['checkout-sessions', pack],
    ['checkout-sessions', plan],
    ['payment-intents', intent],
    ['portal-sessions', { returnUrl: successUrl }],
  ])('goes on with %s under a new Stripe customer', async (route, body) => {
    const customerId = `gone-${route}-${'mode' in body ? body.mode : 'x'}`;
    const before = await gone(customerId);
    const answer = await post(`${customerId}/${route}`, body, `${customerId}-again`);
    expect([answer.status, answer.body.code]).toEqual([201, undefined]);
    const now = await customersOf(customerId);
    expect(now).toHaveLength(1);
    expect(now[0]!.id).not.toBe(before);
  });

  test('gets one, for twenty requests at once to two processes, and again after the next', async () => {
    for (const round of ['a', 'b']) {
      if (round === 'a') await gone('crowd');
      else await sandbox.stripe.customers.del((await customersOf('crowd'))[0]!.id);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          post('crowd/payment-intents', intent, `${round}${String(index)}`, index % 2 ? api : other),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
      expect(await customersOf('crowd')).toHaveLength(1);
    }
  });
});
