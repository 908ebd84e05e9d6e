import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { DAY, HOUR, SandboxWorld } from '../../support/processes/running-sandbox.js';

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
    await expect(stripe.paymentIntents.create({ amount: -10, currency: 'usd' })).rejects.toMatchObject({
      code: 'parameter_invalid_integer',
      param: 'amount',
    });
    const paid = { amount: 2000, currency: 'usd', payment_method: 'pm_card_visa', confirm: true } as const;
    const { id } = await stripe.paymentIntents.create(paid);
    await expect(stripe.paymentIntents.confirm(id)).rejects.toMatchObject({ code: 'payment_intent_unexpected_state' });
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
    await world.control('POST', '/faults', { requests: [{ fault: 'slow', milliseconds: 1_000 }] });
    const slow = world.stripe.customers.create({}, { idempotencyKey: 'key-4' });
    await eventually(
      () => world.control<{ requests: unknown[] }>('GET', '/faults'),
      ({ requests }) => requests.length === 0, // the slow one has come in
    );
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
