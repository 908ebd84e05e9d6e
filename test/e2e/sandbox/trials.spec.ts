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

describe('trials and pauses', () => {
  it('starts with an invoice of nothing and ends with the first payment', async () => {
    const subscription = await world.subscription(await world.price(), 'pm_card_visa', { trial_period_days: 14 });
    expect(subscription).toMatchObject({ status: 'trialing', trial_start: START, trial_end: START + 14 * DAY });
    expect(await world.latestInvoice(subscription.id)).toMatchObject({
      status: 'paid',
      total: 0,
      billing_reason: 'subscription_create',
    });
    await world.since();
    await world.advance(14 * DAY + HOUR);
    expect(world.types()).toEqual([
      'invoice.upcoming',
      'customer.subscription.trial_will_end',
      'invoice.created',
      'customer.subscription.updated',
      'invoice.finalized',
      ...PAID_NOW,
    ]);
    expect(world.objects<Stripe.Invoice>('invoice.paid')[0]).toMatchObject({
      amount_paid: 2000,
      billing_reason: 'subscription_cycle',
    });
    expect(await world.statusOf(subscription.id)).toBe('active');
  });

  it.each([
    ['cancel', 'canceled', ['customer.subscription.deleted']],
    ['pause', 'paused', ['customer.subscription.updated', 'customer.subscription.paused']],
  ] as const)('ends a trial without a card by %s', async (missing_payment_method, status, events) => {
    const [customer, price] = [await world.stripe.customers.create(), await world.price()];
    const subscription = await world.stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      trial_period_days: 7,
      trial_settings: { end_behavior: { missing_payment_method } },
    });
    await world.advance(6 * DAY);
    await world.since();
    await world.advance(2 * DAY);
    expect(world.types()).toEqual(events);
    expect(await world.statusOf(subscription.id)).toBe(status);
    if (status !== 'paused') return;
    const method = await world.stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
    await world.stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
    await world.since();
    await world.stripe.subscriptions.resume(subscription.id);
    expect(await world.since()).toEqual([
      'invoice.created',
      'invoice.finalized',
      ...PAID_NOW,
      'customer.subscription.updated',
      'customer.subscription.resumed',
    ]);
  });

  it('charges at once when it is ended by hand', async () => {
    const subscription = await world.subscription(await world.price(), 'pm_card_visa', { trial_period_days: 14 });
    await world.advance(DAY);
    await world.since();
    const ended = await world.stripe.subscriptions.update(subscription.id, { trial_end: 'now' });
    const now = START + DAY;
    expect(ended).toMatchObject({
      status: 'active',
      trial_end: now,
      billing_cycle_anchor: now,
      items: { data: [{ current_period_start: now, current_period_end: now + MONTH }] },
    });
    expect(await world.latestInvoice(subscription.id)).toMatchObject({
      status: 'paid',
      amount_paid: 2000,
      billing_reason: 'subscription_update',
    });
    const events = await world.since();
    expect(events).toContain('invoice.paid');
    expect(events.filter((type) => type === 'customer.subscription.updated')).toHaveLength(1);
    await world.advance(MONTH + HOUR);
    expect(world.objects<Stripe.Invoice>('invoice.paid')).toMatchObject([{ billing_reason: 'subscription_cycle' }]);
  });

  it('is past due, or refused, when it is ended by hand and the payment fails', async () => {
    const subscription = await world.subscription(await world.price(), 'pm_card_chargeCustomerFail', {
      trial_period_days: 14,
    });
    await expect(
      world.stripe.subscriptions.update(subscription.id, {
        trial_end: 'now',
        payment_behavior: 'error_if_incomplete',
      }),
    ).rejects.toMatchObject({ statusCode: 402, code: 'card_declined' });
    expect(await world.statusOf(subscription.id)).toBe('trialing');
    const failed = await world.stripe.subscriptions.update(subscription.id, { trial_end: 'now' });
    expect(failed.status).toBe('past_due');
  });

  it('bills another plan that its early end comes with', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small, 'pm_card_visa', { trial_period_days: 14 });
    await world.stripe.subscriptions.update(subscription.id, {
      items: [{ id: subscription.items.data[0]!.id, price: big.id }],
      trial_end: 'now',
    });
    expect(await world.latestInvoice(subscription.id)).toMatchObject({ amount_paid: 6000, lines: { data: [{}] } });
  });

  it.each([
    ['create_prorations', -1000],
    ['none', 0],
  ] as const)('can begin for who pays already (%s)', async (proration_behavior, total) => {
    const subscription = await world.subscription(await world.price(2000));
    await world.advance(15.5 * DAY);
    const end = START + 25 * DAY;
    const trial = await world.stripe.subscriptions.update(subscription.id, { trial_end: end, proration_behavior });
    expect(trial).toMatchObject({ status: 'trialing', trial_start: START + 15.5 * DAY, trial_end: end });
    expect(await world.latestInvoice(subscription.id)).toMatchObject({ total, status: 'paid', amount_paid: 0 });
    expect(await world.balanceOf(subscription.customer as string)).toBe(total);
    await world.since();
    await world.advance(10 * DAY);
    expect(world.objects<Stripe.Invoice>('invoice.paid')).toMatchObject([{ total: 2000, amount_paid: 2000 + total }]);
  });

  it('can be moved, and its period with it', async () => {
    const subscription = await world.subscription(await world.price(), 'pm_card_visa', { trial_period_days: 14 });
    const end = START + 20 * DAY;
    const moved = await world.stripe.subscriptions.update(subscription.id, { trial_end: end });
    expect(moved).toMatchObject({
      status: 'trialing',
      trial_start: START,
      billing_cycle_anchor: end,
      items: { data: [{ current_period_start: START, current_period_end: end }] },
    });
    await world.advance(19 * DAY);
    expect(world.types()).not.toContain('charge.succeeded');
    await world.advance(DAY + HOUR);
    expect(world.types()).toContain('charge.succeeded');
  });

  it('pauses collection: invoices are voided, nothing is charged', async () => {
    const subscription = await world.subscription(await world.price());
    await world.stripe.subscriptions.update(subscription.id, {
      pause_collection: { behavior: 'void', resumes_at: START + 40 * DAY },
    });
    await world.since();
    await world.advance(MONTH + HOUR);
    expect(world.types()).toContain('invoice.voided');
    expect(world.types()).not.toContain('charge.succeeded');
    expect(await world.statusOf(subscription.id)).toBe('active');
    await world.advance(10 * DAY);
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).pause_collection).toBeNull();
  });

  it('pauses and resumes by the API', async () => {
    const subscription = await world.subscription(await world.price());
    await world.since();
    const paused = await world.stripe.subscriptions.pause(subscription.id);
    expect(paused.status_details?.paused.subscription.type).toBe('pause_requested');
    await world.advance(40 * DAY);
    expect(world.types()).toEqual(['customer.subscription.updated', 'customer.subscription.paused']);
    await world.stripe.subscriptions.resume(subscription.id);
    expect(await world.statusOf(subscription.id)).toBe('active');
  });

  it('tells of the new period also when the resumption is not paid', async () => {
    const subscription = await world.subscription(await world.price());
    await world.stripe.subscriptions.pause(subscription.id);
    const failing = await world.stripe.paymentMethods.attach('pm_card_chargeCustomerFail', {
      customer: subscription.customer as string,
    });
    await world.stripe.subscriptions.update(subscription.id, { default_payment_method: failing.id });
    await world.since();
    await world.stripe.subscriptions.resume(subscription.id);
    const events = await world.since();
    expect(events).toContain('invoice.payment_failed');
    expect(events.at(-1)).toBe('customer.subscription.updated');
    expect(await world.statusOf(subscription.id)).toBe('paused');
  });
});
