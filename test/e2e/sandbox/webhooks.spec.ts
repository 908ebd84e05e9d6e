import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, HOUR, SandboxWorld, WEBHOOK_SECRET } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

const raw = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${world.sandbox.url}${path}`, { ...init, headers: { authorization: 'Bearer sk_test_1', ...init.headers } });

describe('webhooks', () => {
  const verify = ({ body, signature }: { body: string; signature: string }, secret = WEBHOOK_SECRET): Stripe.Event =>
    world.stripe.webhooks.constructEvent(body, signature, secret);

  it('signs, and shows old values of what changed', async () => {
    const customer = await world.stripe.customers.create({ name: 'A', metadata: { a: '1' } });
    await world.stripe.customers.update(customer.id, { name: 'B', metadata: { a: '2', b: '3' } });
    await world.stripe.customers.update(customer.id, { name: 'B' });
    await world.settle();
    expect(world.types()).toEqual(['customer.created', 'customer.updated']);
    const event = verify(world.received[1]!);
    expect(event.data.previous_attributes).toEqual({ name: 'A', metadata: { a: '1', b: null } });
    expect(event).toMatchObject({ api_version: '2026-10-28.endive', livemode: false });
    expect(() => verify(world.received[1]!, 'whsec_other')).toThrow(/No signatures found/);
  });

  it('tries again until it is answered with 2xx', async () => {
    world.answerWith = 500;
    await world.stripe.customers.create();
    await world.settle();
    await world.advance(5);
    world.answerWith = 204;
    await world.advance(HOUR);
    expect(world.types()).toEqual(['customer.created', 'customer.created', 'customer.created']);
    expect(new Set(world.received.map(({ event }) => event.id)).size).toBe(1);
  });

  it('gives up after about three days', async () => {
    world.answerWith = 500;
    await world.stripe.customers.create();
    await world.advance(5 * DAY);
    expect(world.received).toHaveLength(10);
    const { data } = await world.control<{ data: { status: string }[] }>('GET', '/deliveries');
    expect(data[0]?.status).toBe('failed');
  });

  it('duplicates, drops, delays, reorders and makes two ids for one fact', async () => {
    await world.control('POST', '/faults', { duplicate: 1 });
    await world.stripe.products.create({ name: 'a' });
    expect(await world.since()).toEqual(['product.created', 'product.created']);
    await world.control('POST', '/faults', { twoIds: 1 });
    await world.stripe.products.create({ name: 'b' });
    await world.settle();
    expect(new Set(world.received.map(({ event }) => event.id)).size).toBe(2);
    expect(world.received[0]?.event.data).toEqual(world.received[1]?.event.data);
    await world.since();
    await world.control('POST', '/faults', { drop: 1 });
    const dropped = await world.stripe.products.create({ name: 'c' });
    await world.advance(4 * DAY);
    expect(await world.since()).toEqual([]);
    const [missed] = (await world.stripe.events.list({ delivery_success: false })).data;
    expect((missed?.data.object as Stripe.Product).id).toBe(dropped.id);
    await world.control('POST', `/events/${missed!.id}/resend`);
    expect(await world.since()).toEqual(['product.created']);
    await world.control('POST', '/faults', { delaySeconds: 60 });
    await world.stripe.products.create({ name: 'd' });
    expect(await world.since()).toEqual([]);
    await world.advance(60);
    expect(await world.since()).toEqual(['product.created']);
  });

  it('reorders the events of one moment', async () => {
    await world.control('POST', '/faults', { reorder: true });
    const session = await world.stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 1500, product_data: { name: 'Pack' } } }],
      success_url: 'http://127.0.0.1/ok',
    });
    await world.since();
    await world.control('POST', `/checkout/${session.id}/complete`);
    const seen = await world.since();
    expect(seen).not.toEqual([
      'charge.succeeded',
      'payment_intent.succeeded',
      'payment_intent.created',
      'checkout.session.completed',
    ]);
    expect([...seen].sort()).toEqual([
      'charge.succeeded',
      'checkout.session.completed',
      'payment_intent.created',
      'payment_intent.succeeded',
    ]);
  });

  it('signs with both secrets after a roll', async () => {
    const [endpoint] = (await world.stripe.webhookEndpoints.list()).data;
    expect(endpoint).not.toHaveProperty('secret');
    const rolled = await world.control<{ secret: string }>('POST', `/webhook_endpoints/${endpoint!.id}/roll`, {
      keepOldSeconds: 3600,
    });
    await world.stripe.products.create({ name: 'a' });
    await world.settle();
    expect(verify(world.received[0]!).type).toBe('product.created');
    expect(verify(world.received[0]!, rolled.secret).type).toBe('product.created');
    await world.since();
    await world.advance(2 * HOUR);
    await world.stripe.products.create({ name: 'b' });
    await world.settle();
    expect(() => verify(world.received[0]!)).toThrow(/No signatures found/);
  });

  it('sends an endpoint only what it asked for', async () => {
    await world.stripe.webhookEndpoints.create({ url: world.webhookUrl, enabled_events: ['customer.created'] });
    await world.stripe.products.create({ name: 'a' });
    await world.stripe.customers.create();
    expect(await world.since()).toEqual(['product.created', 'customer.created', 'customer.created']);
  });
});

describe('older API versions', () => {
  it('renders each endpoint in its own version', async () => {
    const [standard] = (await world.stripe.webhookEndpoints.list()).data;
    await world.stripe.webhookEndpoints.del(standard!.id);
    await world.stripe.webhookEndpoints.create({
      url: world.webhookUrl,
      enabled_events: ['*'],
      api_version: '2024-06-20' as never,
    });
    const subscription = await world.subscription(await world.price());
    await world.settle();
    const invoice = world.objects<Record<string, unknown>>('invoice.paid')[0]!;
    expect(world.received[0]?.event.api_version).toBe('2024-06-20');
    expect(invoice).toMatchObject({
      subscription: subscription.id,
      paid: true,
      payment_intent: expect.stringMatching(/^pi_/),
      charge: expect.stringMatching(/^ch_/),
      subscription_details: { metadata: {} },
      lines: {
        data: [
          {
            price: { unit_amount: 2000 },
            proration: false,
            type: 'subscription',
            subscription_item: subscription.items.data[0]!.id,
            plan: { interval: 'month' },
          },
        ],
      },
    });
    expect(invoice).not.toHaveProperty('parent');
    const started = world.objects<Record<string, unknown>>('customer.subscription.created')[0]!;
    expect(started).toMatchObject({
      current_period_start: expect.any(Number),
      current_period_end: subscription.items.data[0]!.current_period_end,
    });
    expect(world.objects<Record<string, unknown>>('charge.succeeded')[0]).toMatchObject({
      invoice: subscription.latest_invoice,
    });
    await world.since();
    await world.advance(31 * DAY);
    const updated = world.received.find(({ event }) => event.type === 'customer.subscription.updated')?.event;
    expect(updated?.data.previous_attributes).toMatchObject({
      current_period_end: subscription.items.data[0]!.current_period_end,
    });
    const old = await raw(`/v1/subscriptions/${subscription.id}`, { headers: { 'stripe-version': '2024-06-20' } });
    expect(await old.json()).toHaveProperty('current_period_end');
  });

  it('keeps the newer shape from basil on', async () => {
    const subscription = await world.subscription(await world.price());
    const basil = (await (
      await raw(`/v1/subscriptions/${subscription.id}`, { headers: { 'stripe-version': '2025-03-31.basil' } })
    ).json()) as Stripe.Subscription;
    expect(basil).not.toHaveProperty('current_period_end');
    expect(basil.items.data[0]?.current_period_end).toBe(subscription.items.data[0]!.current_period_end);
    expect(basil).not.toHaveProperty('billing_schedules');
  });
});
