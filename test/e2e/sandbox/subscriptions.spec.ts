import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, HOUR, PAID_NOW, START, SandboxWorld } from '../../support/processes/running-sandbox.js';

const MONTH = 31 * DAY; // January
let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

describe('life', () => {
  it('starts through checkout with the observed events', async () => {
    const price = await world.price();
    const session = await world.stripe.checkout.sessions.create({
      mode: 'subscription',
      line_items: [{ price: price.id, quantity: 1 }],
      subscription_data: { metadata: { account_id: 'acc_1' } },
      success_url: 'http://127.0.0.1/ok',
    });
    await world.since();
    await world.control('POST', `/checkout/${session.id}/complete`, {
      card: '4242424242424242',
      email: 'new@example.com',
    });
    expect(await world.since()).toEqual([
      'charge.succeeded',
      'payment_method.attached',
      'customer.created',
      'customer.updated',
      'checkout.session.completed',
      'customer.subscription.created',
      'payment_intent.created',
      'payment_intent.succeeded',
      'invoice.created',
      'invoice.finalized',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
    ]);
    const complete = await world.stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription', 'invoice'] });
    expect(complete).toMatchObject({
      payment_status: 'paid',
      payment_intent: null,
      subscription: { status: 'active', metadata: { account_id: 'acc_1' } },
    });
    expect((complete.invoice as Stripe.Invoice).parent?.subscription_details?.metadata).toEqual({
      account_id: 'acc_1',
    });
    expect((complete.subscription as Stripe.Subscription).default_payment_method).toMatch(/^pm_/);
  });

  it('leaves nothing behind when a checkout card is declined', async () => {
    const price = await world.price();
    const session = await world.stripe.checkout.sessions.create({
      mode: 'subscription',
      line_items: [{ price: price.id }],
      success_url: 'http://127.0.0.1/ok',
    });
    const declined = await world.post(session.url!, {
      card: '4000000000000341',
      expiry: '12/34',
      email: 'a@example.com',
    });
    expect(declined).toMatchObject({ status: 402 });
    expect((await world.stripe.subscriptions.list({ status: 'all' })).data).toEqual([]);
    expect(
      (
        await world.post(session.url!, {
          card: '4000002500003155',
          expiry: '12/34',
          email: 'a@example.com',
          authenticated: 'yes',
        })
      ).status,
    ).toBe(303);
    expect((await world.stripe.subscriptions.list()).data[0]?.status).toBe('active');
  });

  it('renews after its draft hour, and goes on for two years', async () => {
    const subscription = await world.subscription(await world.price(), 'pm_card_visa', {
      metadata: { plan: 'starter' },
    });
    expect(subscription.status).toBe('active');
    await world.since();
    await world.advance(MONTH);
    expect(world.types()).toEqual(['invoice.upcoming', 'invoice.created', 'customer.subscription.updated']);
    const updated = world.received.find(({ event }) => event.type === 'customer.subscription.updated')?.event;
    expect(updated?.data.previous_attributes).toMatchObject({
      latest_invoice: subscription.latest_invoice,
      items: { data: [{ current_period_start: START }] },
    });
    expect(updated?.request).toEqual({ id: null, idempotency_key: null });
    expect(world.objects<Stripe.Invoice>('invoice.upcoming')[0]).not.toHaveProperty('id');
    world.received = [];
    await world.advance(HOUR);
    expect(world.types()).toEqual(['invoice.finalized', ...PAID_NOW]);
    const paid = world.objects<Stripe.Invoice>('invoice.paid')[0];
    expect(paid).toMatchObject({ billing_reason: 'subscription_cycle', amount_paid: 2000, status: 'paid' });
    expect(paid?.lines.data[0]?.period).toEqual({ start: START + MONTH, end: START + MONTH + 28 * DAY });
    world.received = [];
    await world.advance(2 * 365 * DAY);
    const cycles = world.objects<Stripe.Invoice>('invoice.paid');
    expect(new Set(cycles.map((one) => one.lines.data[0]?.period.start)).size).toBe(24);
    expect(cycles).toHaveLength(24);
  });

  it('keeps the 31st through shorter months', async () => {
    await world.advance(30 * DAY);
    await world.subscription(await world.price());
    await world.since();
    await world.advance(130 * DAY);
    const ends = world
      .objects<Stripe.Invoice>('invoice.paid')
      .map((one) => new Date(one.lines.data[0]!.period.start * 1000).toISOString().slice(5, 10));
    expect(ends).toEqual(['02-28', '03-31', '04-30', '05-31']);
  });
});

describe('payments that fail', () => {
  it('goes past due, retries, and recovers with another card', async () => {
    const subscription = await world.subscription(await world.price());
    const bad = await world.stripe.paymentMethods.attach('pm_card_chargeCustomerFail', {
      customer: subscription.customer as string,
    });
    await world.stripe.customers.update(subscription.customer as string, {
      invoice_settings: { default_payment_method: bad.id },
    });
    await world.advance(MONTH);
    await world.since();
    await world.advance(HOUR);
    expect(world.types()).toEqual([
      'invoice.finalized',
      'payment_intent.created',
      'charge.failed',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
      'customer.subscription.updated',
    ]);
    const failed = world.objects<Stripe.Invoice>('invoice.payment_failed')[0];
    expect(failed).toMatchObject({
      attempt_count: 1,
      next_payment_attempt: START + MONTH + HOUR + DAY,
      status: 'open',
    });
    expect(await world.statusOf(subscription.id)).toBe('past_due');
    const good = await world.stripe.paymentMethods.attach('pm_card_visa', {
      customer: subscription.customer as string,
    });
    await world.stripe.customers.update(subscription.customer as string, {
      invoice_settings: { default_payment_method: good.id },
    });
    await world.since();
    await world.advance(DAY);
    expect(world.types()).toEqual([
      'charge.succeeded',
      'payment_intent.succeeded',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
      'customer.subscription.updated',
    ]);
    expect(world.received.at(-1)?.event.data.previous_attributes).toEqual({ status: 'past_due' });
    expect(await world.statusOf(subscription.id)).toBe('active');
  });

  it.each([
    ['cancel', 'canceled'],
    ['unpaid', 'unpaid'],
    ['past_due', 'past_due'],
  ])('ends its retries with %s', async (afterDunning, status) => {
    await world.control('POST', '/settings', { dunningDays: [3, 5], afterDunning });
    const subscription = await world.subscription(await world.price());
    await world.control('POST', '/faults', { declineNext: 3 });
    await world.since();
    await world.advance(MONTH + HOUR + 5 * DAY);
    expect(world.types().filter((type) => type === 'invoice.payment_failed')).toHaveLength(3);
    expect(await world.statusOf(subscription.id)).toBe(status);
    if (status === 'canceled')
      expect(world.objects<Stripe.Subscription>('customer.subscription.deleted')[0]?.cancellation_details?.reason).toBe(
        'payment_failed',
      );
  });

  it('expires a first payment that nobody completes', async () => {
    const subscription = await world.subscription(await world.price(), 'pm_card_chargeCustomerFail');
    expect(subscription.status).toBe('incomplete');
    await world.since();
    await world.advance(23 * HOUR);
    expect(world.types()).toEqual(['invoice.voided', 'payment_intent.canceled', 'customer.subscription.updated']);
    expect(await world.statusOf(subscription.id)).toBe('incomplete_expired');
  });

  it('activates when the client confirms the first payment', async () => {
    const customer = await world.customer();
    const price = await world.price();
    const subscription = await world.stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      payment_behavior: 'default_incomplete',
      expand: ['latest_invoice.confirmation_secret'],
    });
    expect(subscription.status).toBe('incomplete');
    const secret = (subscription.latest_invoice as Stripe.Invoice).confirmation_secret?.client_secret ?? '';
    await world.since();
    await world.stripe.paymentIntents.confirm(secret.split('_secret_')[0]!, { payment_method: 'pm_card_visa' });
    expect(await world.since()).toEqual([
      'charge.succeeded',
      'payment_intent.succeeded',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
      'customer.subscription.updated',
    ]);
    expect(await world.statusOf(subscription.id)).toBe('active');
  });

  it('refuses with 402 and keeps nothing when that is asked for', async () => {
    const price = await world.price();
    await expect(
      world.subscription(price, 'pm_card_chargeCustomerFail', { payment_behavior: 'error_if_incomplete' }),
    ).rejects.toMatchObject({
      type: 'StripeCardError',
      statusCode: 402,
      code: 'card_declined',
    });
    expect((await world.stripe.subscriptions.list({ status: 'all' })).data).toEqual([]);
  });

  it('writes off an invoice, which makes the subscription active without money', async () => {
    const subscription = await world.subscription(await world.price());
    await world.control('POST', '/faults', { declineNext: 1 });
    await world.advance(MONTH + HOUR);
    expect(await world.statusOf(subscription.id)).toBe('past_due');
    await world.stripe.invoices.markUncollectible((await world.latestInvoice(subscription.id)).id);
    expect(await world.statusOf(subscription.id)).toBe('active');
  });
});

describe('the end', () => {
  it('cancels at the period end, takes it back, cancels for good', async () => {
    const subscription = await world.subscription(await world.price());
    await world.stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
    await world.stripe.subscriptions.update(subscription.id, { cancel_at_period_end: false });
    const undone = await world.stripe.subscriptions.retrieve(subscription.id);
    expect(undone).toMatchObject({ cancel_at: null, cancel_at_period_end: false, canceled_at: null });
    await world.stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
    await world.since();
    await world.advance(MONTH + DAY);
    expect(world.types()).toEqual(['customer.subscription.deleted']);
    expect(await world.statusOf(subscription.id)).toBe('canceled');
  });

  it('cancels at a chosen time, and at once', async () => {
    const price = await world.price();
    const [later, now] = [await world.subscription(price), await world.subscription(price)];
    await world.stripe.subscriptions.update(later.id, { cancel_at: START + 10 * DAY });
    await world.stripe.subscriptions.cancel(now.id, { prorate: true, invoice_now: true });
    expect(await world.latestInvoice(now.id)).toMatchObject({ total: -2000, ending_balance: -2000 });
    await world.since();
    await world.advance(10 * DAY);
    expect(world.objects<Stripe.Subscription>('customer.subscription.deleted').map(({ id }) => id)).toEqual([later.id]);
  });
});
