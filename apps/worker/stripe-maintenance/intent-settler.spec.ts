import { stripeCustomersOf } from '#ledger/customer.js';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Json } from '#kernel/json.js';
import { stripeIntentStream, type StripeOperationName } from '#ledger/stripe/intent.js';
import { StripeClient } from '#stripe/operations/client.js';
import { byTest, InboxWorld } from '../../../test/support/worlds/inbox-world.js';
import { IntentSettler } from './intent-settler.js';

type Answer = { readonly [field: string]: unknown };

let world: InboxWorld;
/** What Stripe has, by path. */
let objects: Map<string, Answer>;
let asked: string[];
let isDown: boolean;
/** What Stripe answers for what it has not. */
let status: number;
let settler: IntentSettler;
const intents = new Set<string>();
const signal = new AbortController().signal;

const fetch = (async (address: string, init: { method: string }) => {
  await Promise.resolve();
  const { pathname } = new URL(address);
  asked.push(`${init.method} ${pathname}`);
  if (isDown) throw new TypeError('fetch failed');
  const found = objects.get(pathname);
  const missing = { error: { type: 'invalid_request_error', code: 'resource_missing' } };
  return new Response(JSON.stringify(found ?? missing), { status: found === undefined ? status : 200 });
}) as unknown as typeof globalThis.fetch;

const list = (...data: readonly Answer[]): Answer => ({ object: 'list', data, has_more: false });

async function intend(
  operation: StripeOperationName,
  subject: { readonly [member: string]: Json } = {},
  customerId: string | null = 'acme',
): Promise<void> {
  const intentId = `billing.${operation}`;
  intents.add(intentId);
  const stream = stripeIntentStream(intentId);
  const command = { type: 'IntendStripeCall', intentId, customerId, operation, subject } as const;
  await world.handlers.stripeIntent.execute({ ...byTest, stream, command });
}

const typesOf = async (operation: StripeOperationName): Promise<string[]> =>
  (await world.store.readStream(stripeIntentStream(`billing.${operation}`), 0, 10)).map(({ type }) => type);
const madeBy = (operation: StripeOperationName, more: Answer): Answer => ({
  metadata: { scrip_intent: `billing.${operation}` },
  ...more,
});

beforeEach(async () => {
  world = new InboxWorld();
  [objects, asked, isDown, status] = [new Map(), [], false, 404];
  intents.clear();
  const client = new StripeClient({
    secretKey: 'sk_test_1',
    apiBase: null,
    livemode: false,
    clock: world.clock,
    fetch,
  });
  settler = new IntentSettler({
    client,
    handlers: world.handlers,
    clock: world.clock,
    pending: (before) => Promise.resolve([...intents].map((intentId) => ({ intentId, intendedAt: before }))),
  });
  await world.link('acme', 'cus_1');
});

/** Settles as the worker does a while after the intent, and then once more. */
async function settle(): Promise<void> {
  await world.clock.sleep(6 * 60_000);
  expect(await settler.runOnce(signal)).toBe(true);
  const before = asked.length;
  expect(await settler.runOnce(signal)).toBe(true);
  expect(asked.length).toBe(before);
}

const cancel = { kind: 'cancel', atPeriodEnd: true, subscriptionId: 'sub_1' };
const change = { kind: 'change', priceId: 'price_2', when: 'now', subscriptionId: 'sub_1' };
const subscription = {
  ...{ id: 'sub_1', object: 'subscription', status: 'active', cancel_at: null, cancel_at_period_end: false },
  ...{ pause_collection: null, schedule: null, items: { data: [{ price: { id: 'price_1' } }] } },
};
const price = { id: 'price_1', object: 'price', unit_amount: 500, currency: 'usd', recurring: null, active: true };

/** [operation, subject, where Stripe is looked at, what shows that it was done, what shows that it was not] */
const cases: [StripeOperationName, { [member: string]: Json }, string, Answer, Answer][] = [
  ['create_customer', {}, '/v1/customers', list(madeBy('create_customer', { id: 'cus_9' })), list()],
  [
    'create_checkout_session',
    {},
    '/v1/checkout/sessions',
    list({ id: 'cs_0' }, madeBy('create_checkout_session', { id: 'cs_1' })),
    list({ id: 'cs_0', metadata: { scrip_intent: 'billing.other' } }),
  ],
  [
    'create_payment_intent',
    {},
    '/v1/payment_intents',
    list(madeBy('create_payment_intent', { id: 'pi_1' })),
    list({ id: 'pi_0' }),
  ],
  [
    'cancel_subscription',
    cancel,
    '/v1/subscriptions/sub_1',
    { ...subscription, cancel_at_period_end: true },
    subscription,
  ],
  [
    'resume_subscription',
    { kind: 'resume', subscriptionId: 'sub_1' },
    '/v1/subscriptions/sub_1',
    subscription,
    { ...subscription, cancel_at: 1_900_000_000 },
  ],
  [
    'change_subscription',
    change,
    '/v1/subscriptions/sub_1',
    { ...subscription, items: { data: [{ price: { id: 'price_2' } }] } },
    subscription,
  ],
  [
    'change_subscription',
    { ...change, when: 'period_end' },
    '/v1/subscriptions/sub_1',
    { ...subscription, schedule: { phases: [{ items: [] }, { items: [{ price: 'price_2' }] }] } },
    subscription,
  ],
  [
    'change_subscription',
    { ...change, priceId: 'price_1', when: 'period_end' },
    '/v1/subscriptions/sub_1',
    subscription,
    { ...subscription, schedule: { phases: [{ items: [] }, { items: [{ price: 'price_2' }] }] } },
  ],
  [
    'create_product',
    { productId: 'scrip_plan_x', name: 'X' },
    '/v1/products/scrip_plan_x',
    { id: 'scrip_plan_x', object: 'product', name: 'X', active: true },
    { id: 'scrip_plan_x', object: 'product', name: 'Y', active: true },
  ],
  [
    'create_price',
    { lookupKey: 'k', amount: 500, currency: 'usd', interval: null },
    '/v1/prices',
    list(price),
    list({ ...price, unit_amount: 400 }),
  ],
  ['archive_price', { priceId: 'price_1' }, '/v1/prices/price_1', { ...price, active: false }, price],
];

describe.each(cases)('%s %j', (operation, subject, path, done, undone) => {
  test('that had its effect is answered', async () => {
    objects.set(path, done);
    await intend(operation, subject);
    await settle();
    expect(await typesOf(operation)).toEqual(['StripeCallIntended', 'StripeCallAnswered']);
    expect(asked.every((call) => call.startsWith('GET '))).toBe(true);
  });

  test('that had none has lapsed, and nothing is made in its place', async () => {
    objects.set(path, undone);
    await intend(operation, subject);
    await settle();
    expect(await typesOf(operation)).toEqual(['StripeCallIntended', 'StripeCallLapsed']);
    expect(asked.every((call) => call.startsWith('GET '))).toBe(true);
  });
});

test('a customer that was made without anybody hearing of it is linked', async () => {
  objects.set('/v1/customers', list(madeBy('create_customer', { id: 'cus_9' })));
  await intend('create_customer');
  await settle();
  expect(stripeCustomersOf((await world.handlers.customer.load('customer-acme')).state)).toEqual(['cus_1', 'cus_9']);
});

test('a call that may be under way is left alone, and all of them while Stripe is down or does not let us look', async () => {
  await intend('create_customer');
  await world.clock.sleep(4 * 60_000);
  expect(await settler.runOnce(signal)).toBe(true);
  expect(asked).toEqual([]);
  isDown = true;
  await world.clock.sleep(2 * 60_000);
  expect(await settler.runOnce(signal)).toBe(false);
  [isDown, status] = [false, 401];
  await world.clock.sleep(2 * 60_000);
  expect(await settler.runOnce(signal)).toBe(false);
  expect(await typesOf('create_customer')).toEqual(['StripeCallIntended']);
});

test('an answer that comes after all is taken, a lapse after an answer is not', async () => {
  await intend('create_portal_session');
  await settle();
  expect(await typesOf('create_portal_session')).toEqual(['StripeCallIntended', 'StripeCallLapsed']);
  expect(asked).toEqual([]);
  const stream = stripeIntentStream('billing.create_portal_session');
  const answer = { type: 'RecordStripeAnswer', attempt: 1, objectType: 'x', objectId: 'bps_1' } as const;
  await world.handlers.stripeIntent.execute({ ...byTest, stream, command: answer });
  const lapse = { type: 'RecordStripeLapse', attempt: 1 } as const;
  await world.handlers.stripeIntent.execute({ ...byTest, stream, command: lapse });
  expect((await typesOf('create_portal_session')).slice(2)).toEqual(['StripeCallAnswered']);
});
