import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, HOUR, SandboxWorld, WEBHOOK_SECRET } from '../support/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

const raw = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${world.sandbox.url}${path}`, { ...init, headers: { authorization: 'Bearer sk_test_1', ...init.headers } });
const postForm = (path: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
  raw(path, { method: 'POST', body, headers });

describe('errors', () => {
  it('declines with 402 and keeps what was tried', async () => {
    const declined = world.stripe.paymentIntents.create({
      amount: 2000,
      currency: 'usd',
      payment_method: 'pm_card_chargeDeclinedInsufficientFunds',
      confirm: true,
    });
    await expect(declined).rejects.toMatchObject({
      type: 'StripeCardError',
      statusCode: 402,
      code: 'card_declined',
      decline_code: 'insufficient_funds',
      payment_intent: { status: 'requires_payment_method' },
      requestId: expect.stringMatching(/^req_/),
    });
    expect(await world.since()).toEqual(['payment_intent.created', 'charge.failed', 'payment_intent.payment_failed']);
    expect((await world.stripe.charges.list()).data[0]).toMatchObject({
      status: 'failed',
      paid: false,
      failure_code: 'card_declined',
    });
  });

  it('refuses as Stripe does', async () => {
    const { stripe } = world;
    await expect(stripe.customers.retrieve('cus_none')).rejects.toMatchObject({
      type: 'StripeInvalidRequestError',
      statusCode: 404,
      code: 'resource_missing',
    });
    await expect(
      stripe.paymentIntents.create({ amount: 2000, currency: 'usd', customer: 'cus_none' }),
    ).rejects.toMatchObject({ statusCode: 400, param: 'customer', code: 'resource_missing' });
    await expect(stripe.paymentIntents.create({ amount: 10, currency: 'usd' })).rejects.toMatchObject({
      code: 'amount_too_small',
      param: 'amount',
    });
    await expect(stripe.paymentIntents.create({ amount: 5123, currency: 'kwd' })).rejects.toMatchObject({
      statusCode: 400,
      param: 'amount',
    });
    await expect(stripe.paymentIntents.create({ amount: 2000, currency: 'xyz' })).rejects.toMatchObject({
      message: expect.stringContaining('Invalid currency'),
    });
    await expect(stripe.paymentIntents.create({ amount: 20.5, currency: 'usd' })).rejects.toMatchObject({
      code: 'parameter_invalid_integer',
    });
    await expect(stripe.customers.create({ nonsense: 1 } as never)).rejects.toMatchObject({
      code: 'parameter_unknown',
      param: 'nonsense',
    });
    await expect(stripe.prices.create({ currency: 'usd' } as never)).rejects.toMatchObject({ statusCode: 400 });
    expect((await raw('/v1/customers', { headers: { authorization: '' } })).status).toBe(401);
    expect((await raw('/v1/customers', { headers: { authorization: 'Bearer sk_live_1' } })).status).toBe(401);
    const unknown = await raw('/v1/issuing/cards');
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({
      error: { type: 'invalid_request_error', message: expect.stringContaining('Unrecognized request URL') },
    });
    expect((await postForm('/v1/customers', `description=${'x'.repeat(1_100_000)}`)).status).toBe(413);
    expect((await postForm('/v1/customers', 'a[b][c][d][e][f][g][h][i][j][k][l][m][n]=1')).status).toBe(400);
    expect((await postForm('/v1/customers', '__proto__[x]=1')).status).toBe(400);
    expect((await raw('/v1/customers/%E0%A4%A')).status).toBe(404);
  });

  it('checks metadata', async () => {
    await expect(world.stripe.customers.create({ metadata: { ['k'.repeat(41)]: 'x' } })).rejects.toMatchObject({
      statusCode: 400,
    });
    await expect(world.stripe.customers.create({ metadata: { key: 'x'.repeat(501) } })).rejects.toMatchObject({
      statusCode: 400,
    });
    const customer = await world.stripe.customers.create({ metadata: { a: '1', b: '2' } });
    expect((await world.stripe.customers.update(customer.id, { metadata: { a: '', c: '3' } })).metadata).toEqual({
      b: '2',
      c: '3',
    });
    expect((await world.stripe.customers.update(customer.id, { metadata: '' })).metadata).toEqual({});
  });
});

describe('idempotency', () => {
  it('replays the first answer, refuses other parameters, and forgets after a day', async () => {
    const options = { idempotencyKey: 'key-1' };
    const first = await world.stripe.customers.create({ name: 'A' }, options);
    const second = await world.stripe.customers.create({ name: 'A' }, options);
    expect(second.id).toBe(first.id);
    expect(first.lastResponse.headers['idempotent-replayed']).toBeUndefined();
    expect(second.lastResponse.headers['idempotent-replayed']).toBe('true');
    expect(second.lastResponse.headers['original-request']).toBe(first.lastResponse.requestId);
    await expect(world.stripe.customers.create({ name: 'B' }, options)).rejects.toMatchObject({
      type: 'StripeIdempotencyError',
      statusCode: 400,
    });
    await world.settle();
    expect(world.received.find(({ event }) => event.type === 'customer.created')?.event.request).toEqual({
      id: first.lastResponse.requestId,
      idempotency_key: 'key-1',
    });
    await world.advance(DAY + HOUR);
    expect((await world.stripe.customers.create({ name: 'B' }, options)).id).not.toBe(first.id);
  });

  it('keeps a decline, but not a validation error', async () => {
    const options = { idempotencyKey: 'key-2' };
    const params = { amount: 2000, currency: 'usd', payment_method: 'pm_card_chargeDeclined', confirm: true };
    await expect(world.stripe.paymentIntents.create(params, options)).rejects.toMatchObject({ statusCode: 402 });
    await expect(world.stripe.paymentIntents.create(params, options)).rejects.toMatchObject({ statusCode: 402 });
    expect((await world.stripe.paymentIntents.list()).data).toHaveLength(1);
    await expect(
      world.stripe.paymentIntents.create({ amount: 1, currency: 'usd' }, { idempotencyKey: 'key-3' }),
    ).rejects.toMatchObject({ statusCode: 400 });
    await world.stripe.paymentIntents.create({ amount: 2000, currency: 'usd' }, { idempotencyKey: 'key-3' });
  });

  it('answers 409 while the same key is in flight', async () => {
    await world.control('POST', '/faults', { requests: [{ fault: 'slow', milliseconds: 300 }] });
    const slow = world.stripe.customers.create({}, { idempotencyKey: 'key-4' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await expect(world.stripe.customers.create({}, { idempotencyKey: 'key-4' })).rejects.toMatchObject({
      statusCode: 409,
    });
    await slow;
  });
});

describe('faults on request', () => {
  it('answers 429 and 500', async () => {
    await world.control('POST', '/faults', {
      requests: [{ fault: 'rate_limit', path: '/v1/customers' }, { fault: 'server_error' }],
    });
    await expect(world.stripe.customers.create()).rejects.toMatchObject({
      type: 'StripeRateLimitError',
      statusCode: 429,
    });
    await expect(world.stripe.products.create({ name: 'x' })).rejects.toMatchObject({
      type: 'StripeAPIError',
      statusCode: 500,
    });
    await world.stripe.customers.create();
  });

  it('loses an answer whose work was done; the retry replays it', async () => {
    await world.control('POST', '/faults', { requests: [{ fault: 'lose_answer' }] });
    const retrying = SandboxWorld.client(world.sandbox, 2);
    const customer = await retrying.customers.create({ name: 'Once' });
    const all = await world.stripe.customers.list();
    expect(all.data.map(({ id }) => id)).toEqual([customer.id]);
  });
});

describe('lists', () => {
  it('pages both ways', async () => {
    const made: string[] = [];
    for (let i = 0; i < 25; i += 1) made.push((await world.stripe.customers.create({ name: String(i) })).id);
    const all = await world.stripe.customers.list({ limit: 10 }).autoPagingToArray({ limit: 100 });
    expect(all.map(({ id }) => id)).toEqual([...made].reverse());
    const after = await world.stripe.customers
      .list({ ending_before: made[4]!, limit: 7 })
      .autoPagingToArray({ limit: 100 });
    expect(after.map(({ id }) => id)).toEqual(made.slice(5));
    expect((await world.stripe.customers.list({ limit: 25 })).has_more).toBe(false);
    await expect(world.stripe.customers.list({ limit: 101 })).rejects.toMatchObject({ param: 'limit' });
    await expect(world.stripe.customers.list({ starting_after: 'cus_none' })).rejects.toMatchObject({
      statusCode: 400,
    });
  });

  it('finds prices by lookup key, and moves a key', async () => {
    const product = await world.stripe.products.create({ name: 'Pro' });
    const params = { product: product.id, currency: 'usd', unit_amount: 100, lookup_key: 'pro_month' };
    const old = await world.stripe.prices.create(params);
    await expect(world.stripe.prices.create(params)).rejects.toMatchObject({ code: 'resource_already_exists' });
    const next = await world.stripe.prices.create({ ...params, unit_amount: 200, transfer_lookup_key: true });
    expect((await world.stripe.prices.list({ lookup_keys: ['pro_month'] })).data.map(({ id }) => id)).toEqual([
      next.id,
    ]);
    expect((await world.stripe.prices.retrieve(old.id, { expand: ['product'] })).product).toMatchObject({
      name: 'Pro',
    });
    await expect(world.stripe.prices.retrieve(old.id, { expand: ['nothing'] })).rejects.toMatchObject({
      statusCode: 400,
    });
  });

  it('lists events newest first, by type and time, and what was not delivered', async () => {
    world.answerWith = 500;
    await world.stripe.customers.create();
    await world.settle();
    world.answerWith = 200;
    await world.advance(3);
    await world.stripe.products.create({ name: 'x' });
    await world.settle();
    const listed = await world.stripe.events.list();
    expect(listed.data.map(({ type }) => type)).toEqual(['product.created', 'customer.created']);
    expect((await world.stripe.events.list({ types: ['customer.created'] })).data).toHaveLength(1);
    expect((await world.stripe.events.list({ type: 'product.*' })).data).toHaveLength(1);
    expect((await world.stripe.events.list({ delivery_success: false })).data.map(({ type }) => type)).toEqual([
      'customer.created',
    ]);
    expect((await world.stripe.events.list({ created: { gte: listed.data[0]!.created } })).data).toHaveLength(1);
    expect(await world.stripe.events.retrieve(listed.data[1]!.id)).toMatchObject({ pending_webhooks: 1 });
    await world.advance(31 * DAY);
    expect((await world.stripe.events.list()).data).toEqual([]);
  });
});

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

describe('the sandbox itself', () => {
  const life = async (): Promise<string> => {
    await world.reset();
    await world.subscription(await world.price());
    await world.advance(40 * DAY);
    return JSON.stringify(
      world.received.map(({ event }) => [
        event.id,
        event.type,
        event.created,
        (event.data.object as { id?: string }).id,
      ]),
    );
  };

  it('does the same again from the same seed', async () => {
    expect(await life()).toBe(await life());
  });

  it('shows what it holds on a page', async () => {
    await world.stripe.customers.create();
    const page = await fetch(world.sandbox.url).then((response) => response.text());
    expect(page).toContain('customer.created');
  });

  it('serves hosted invoices and their PDF', async () => {
    const customer = await world.stripe.customers.create();
    await world.stripe.invoiceItems.create({
      customer: customer.id,
      amount: 2000,
      currency: 'usd',
      description: 'Work',
    });
    const draft = await world.stripe.invoices.create({
      customer: customer.id,
      pending_invoice_items_behavior: 'include',
    });
    const invoice = await world.stripe.invoices.finalizeInvoice(draft.id);
    expect(await fetch(invoice.hosted_invoice_url!).then((response) => response.text())).toContain('$20.00');
    const pdf = await fetch(invoice.invoice_pdf!);
    expect(pdf.headers.get('content-type')).toBe('application/pdf');
    expect((await world.post(invoice.hosted_invoice_url!, { card: '4242424242424242', expiry: '12/34' })).status).toBe(
      303,
    );
    expect((await world.stripe.invoices.retrieve(invoice.id)).status).toBe('paid');
  });

  it('keeps its world over a restart', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sandbox-'));
    const file = { SANDBOX_DATA_FILE: join(directory, 'sandbox.json') };
    const before = await SandboxWorld.start(file);
    const subscription = await before.subscription(await before.price());
    await before.advance(10 * DAY);
    const then = (await before.control<{ now: number }>('GET', '/clock')).now;
    await before.close();
    const after = await SandboxWorld.start({ ...file, SANDBOX_START_TIME: '' });
    try {
      const kept = await after.stripe.subscriptions.retrieve(subscription.id);
      expect(JSON.stringify(kept)).toBe(JSON.stringify(subscription));
      expect((await after.control<{ now: number }>('GET', '/clock')).now).toBeGreaterThanOrEqual(then);
      await after.advance(25 * DAY);
      expect(
        (await after.stripe.invoices.list({ subscription: subscription.id })).data.map(({ status }) => status),
      ).toEqual(['paid', 'paid']);
    } finally {
      await after.close();
      await rm(directory, { recursive: true });
    }
  });
});
