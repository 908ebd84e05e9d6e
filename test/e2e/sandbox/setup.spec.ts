import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, SandboxWorld } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

describe('setup intents', () => {
  it('save a card for a customer without charging it', async () => {
    const customer = await world.stripe.customers.create();
    await world.since();
    const intent = await world.stripe.setupIntents.create({
      customer: customer.id,
      payment_method: 'pm_card_visa',
      confirm: true,
      metadata: { a: '1' },
    });
    expect(intent).toMatchObject({ object: 'setup_intent', status: 'succeeded', usage: 'off_session' });
    expect(await world.since()).toEqual(['setup_intent.created', 'payment_method.attached', 'setup_intent.succeeded']);
    const read = await world.stripe.setupIntents.retrieve(intent.id, { expand: ['payment_method', 'customer'] });
    expect(read).toMatchObject({ metadata: { a: '1' }, payment_method: { customer: customer.id } });
    expect((await world.stripe.charges.list()).data).toEqual([]);
    const { data } = await world.stripe.setupIntents.list({ customer: customer.id });
    expect(data.map(({ id }) => id)).toEqual([intent.id]);
  });

  it('are confirmed later, changed before, and not twice', async () => {
    const created = await world.stripe.setupIntents.create({ usage: 'on_session' });
    expect(created.status).toBe('requires_payment_method');
    await expect(world.stripe.setupIntents.confirm(created.id)).rejects.toMatchObject({
      code: 'setup_intent_unexpected_state',
    });
    const updated = await world.stripe.setupIntents.update(created.id, {
      payment_method: 'pm_card_visa',
      description: 'Later',
    });
    expect(updated).toMatchObject({ status: 'requires_confirmation', description: 'Later' });
    expect(await world.stripe.setupIntents.confirm(created.id)).toMatchObject({ status: 'succeeded' });
    await expect(world.stripe.setupIntents.confirm(created.id)).rejects.toMatchObject({
      code: 'setup_intent_unexpected_state',
    });
    await expect(world.stripe.setupIntents.cancel(created.id)).rejects.toMatchObject({
      code: 'setup_intent_unexpected_state',
    });
  });

  it('tell of a card that is declined, and take another', async () => {
    const created = await world.stripe.setupIntents.create();
    await world.since();
    await expect(
      world.stripe.setupIntents.confirm(created.id, { payment_method: 'pm_card_chargeDeclinedInsufficientFunds' }),
    ).rejects.toMatchObject({
      type: 'StripeCardError',
      code: 'card_declined',
      decline_code: 'insufficient_funds',
      setup_intent: { id: created.id, status: 'requires_payment_method' },
    });
    expect(await world.since()).toEqual(['setup_intent.setup_failed']);
    expect(await world.stripe.setupIntents.retrieve(created.id)).toMatchObject({
      last_setup_error: { decline_code: 'insufficient_funds', type: 'card_error' },
    });
    const done = await world.stripe.setupIntents.confirm(created.id, { payment_method: 'pm_card_visa' });
    expect(done).toMatchObject({ status: 'succeeded', last_setup_error: null });
  });

  it('ask for authentication where the card wants it, on a page, and have it pay without asking then', async () => {
    const customer = await world.stripe.customers.create();
    const asked = { customer: customer.id, payment_method: 'pm_card_authenticationRequiredOnSetup', confirm: true };
    const failing = await world.stripe.setupIntents.create(asked);
    expect(failing.status).toBe('requires_action');
    expect((await world.since()).at(-1)).toBe('setup_intent.requires_action');
    const { url } = failing.next_action!.redirect_to_url!;
    expect(await fetch(url!).then((response) => response.text())).toContain('Confirm your card');
    await world.post(url!, { authenticated: 'no' });
    expect(await world.stripe.setupIntents.retrieve(failing.id)).toMatchObject({
      status: 'requires_payment_method',
      last_setup_error: { code: 'setup_intent_authentication_failure' },
    });
    const passing = await world.stripe.setupIntents.create(asked);
    await world.post(passing.next_action!.redirect_to_url!.url!, { authenticated: 'yes' });
    const { status, payment_method: method } = await world.stripe.setupIntents.retrieve(passing.id);
    expect(status).toBe('succeeded');
    const paid = await world.stripe.paymentIntents.create({
      amount: 2000,
      currency: 'usd',
      customer: customer.id,
      payment_method: String(method),
      off_session: true,
      confirm: true,
    });
    expect(paid.status).toBe('succeeded');
  });

  it('are cancelled', async () => {
    const created = await world.stripe.setupIntents.create();
    await world.since();
    const canceled = await world.stripe.setupIntents.cancel(created.id, { cancellation_reason: 'abandoned' });
    expect(canceled).toMatchObject({ status: 'canceled', cancellation_reason: 'abandoned' });
    expect(await world.since()).toEqual(['setup_intent.canceled']);
  });
});

describe('checkout in setup mode', () => {
  const session = async (more: Partial<Stripe.Checkout.SessionCreateParams> = {}): Promise<Stripe.Checkout.Session> =>
    world.stripe.checkout.sessions.create({
      mode: 'setup',
      currency: 'usd',
      customer: (await world.stripe.customers.create({ email: 'jenny@example.com' })).id,
      setup_intent_data: { metadata: { account_id: 'acc_1' } },
      success_url: 'http://127.0.0.1/ok',
      ...more,
    });
  const card = { card: '5555 5555 5555 4444', expiry: '12 / 34', cvc: '123' };

  it('saves a card on its page', async () => {
    const created = await session();
    expect(created).toMatchObject({
      amount_total: null,
      mode: 'setup',
      payment_intent: null,
      payment_status: 'no_payment_required',
      setup_intent: expect.stringMatching(/^seti_/),
    });
    await world.since();
    const page = await fetch(created.url!).then((response) => response.text());
    expect(page).toContain('Save a payment method');
    expect((await world.post(created.url!, card)).location).toBe('http://127.0.0.1/ok');
    expect(await world.since()).toEqual([
      'payment_method.attached',
      'setup_intent.succeeded',
      'checkout.session.completed',
    ]);
    const done = await world.stripe.checkout.sessions.retrieve(created.id, { expand: ['setup_intent.payment_method'] });
    expect(done).toMatchObject({
      status: 'complete',
      setup_intent: {
        status: 'succeeded',
        metadata: { account_id: 'acc_1' },
        payment_method: { card: { last4: '4444' }, customer: created.customer },
      },
    });
  });

  it('stays open after a declined card, and asks for 3D Secure', async () => {
    const { id, url } = await session();
    expect((await world.post(url!, { ...card, card: '4000000000000002' })).text).toContain('declined');
    expect((await world.stripe.checkout.sessions.retrieve(id)).status).toBe('open');
    const asks = await world.post(url!, { ...card, card: '4000002500003155' });
    expect(asks.text).toContain('Confirm your card');
    const passed = await world.post(url!, { ...card, card: '4000002500003155', authenticated: 'yes' });
    expect(passed.status).toBe(303);
  });

  it('cancels its setup intent when it expires, which nobody else can', async () => {
    const { setup_intent: intent } = await session();
    await expect(world.stripe.setupIntents.cancel(String(intent))).rejects.toMatchObject({ param: 'intent' });
    await world.since();
    await world.advance(DAY);
    expect(await world.since()).toEqual(['setup_intent.canceled', 'checkout.session.expired']);
    expect((await world.stripe.setupIntents.retrieve(String(intent))).status).toBe('canceled');
  });
});
