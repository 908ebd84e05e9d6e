import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, HOUR, START, SandboxWorld } from '../support/running-sandbox.js';

const MONTH = 31 * DAY; // January
let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

const paidNow = [
  'payment_intent.created',
  'charge.succeeded',
  'payment_intent.succeeded',
  'invoice.paid',
  'invoice.payment_succeeded',
  'invoice_payment.paid',
];
const balanceOf = async (customer: string): Promise<number> => {
  const found = await world.stripe.customers.retrieve(customer);
  return found.deleted === true ? 0 : found.balance;
};
const statusOf = async (id: string): Promise<string> => (await world.stripe.subscriptions.retrieve(id)).status;
const latest = async (id: string): Promise<Stripe.Invoice> =>
  (await world.stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] })).latest_invoice as Stripe.Invoice;

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
    expect(world.types()).toEqual(['invoice.finalized', ...paidNow]);
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
    expect(await statusOf(subscription.id)).toBe('past_due');
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
    expect(await statusOf(subscription.id)).toBe('active');
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
    expect(await statusOf(subscription.id)).toBe(status);
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
    expect(await statusOf(subscription.id)).toBe('incomplete_expired');
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
    expect(await statusOf(subscription.id)).toBe('active');
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
    expect(await statusOf(subscription.id)).toBe('past_due');
    await world.stripe.invoices.markUncollectible((await latest(subscription.id)).id);
    expect(await statusOf(subscription.id)).toBe('active');
  });
});

describe('changes', () => {
  it('upgrades now with an invoice of its own', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    await world.advance(15.5 * DAY);
    await world.since();
    const item = subscription.items.data[0]!;
    await world.stripe.subscriptions.update(subscription.id, {
      items: [{ id: item.id, price: big.id }],
      proration_behavior: 'always_invoice',
    });
    expect(await world.since()).toEqual([
      'charge.succeeded',
      'payment_intent.created',
      'payment_intent.succeeded',
      'invoice.created',
      'invoice.finalized',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
      'customer.subscription.updated',
      'invoiceitem.created',
      'invoiceitem.created',
    ]);
    const invoice = await latest(subscription.id);
    expect(invoice).toMatchObject({ billing_reason: 'subscription_update', amount_paid: 2000, status: 'paid' });
    expect(invoice.lines.data.map((line) => [line.amount, line.parent?.invoice_item_details?.proration])).toEqual([
      [-1000, true],
      [3000, true],
    ]);
  });

  it('puts prorations on the next invoice', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    await world.advance(15.5 * DAY);
    await world.since();
    await world.stripe.subscriptions.update(subscription.id, {
      items: [{ id: subscription.items.data[0]!.id, price: big.id }],
    });
    expect(await world.since()).toEqual([
      'invoiceitem.created',
      'invoiceitem.created',
      'customer.subscription.updated',
    ]);
    await world.advance(16 * DAY);
    const paid = world.objects<Stripe.Invoice>('invoice.paid')[0];
    expect(paid?.billing_reason).toBe('subscription_cycle');
    expect(paid?.lines.data.map((line) => line.amount)).toEqual([-1000, 3000, 6000]);
  });

  it('bills a change from month to year at once, in full', async () => {
    const [month, year] = [await world.price(2000), await world.price(20_000, 'year')];
    const subscription = await world.subscription(month);
    await world.advance(15.5 * DAY);
    const changed = await world.stripe.subscriptions.update(subscription.id, {
      items: [{ id: subscription.items.data[0]!.id, price: year.id }],
    });
    const invoice = await latest(subscription.id);
    expect(invoice).toMatchObject({ billing_reason: 'subscription_update', amount_paid: 19_000 });
    expect(
      invoice.lines.data.map((line) => [line.amount, line.parent?.subscription_item_details?.proration ?? true]),
    ).toEqual([
      [-1000, true],
      [20_000, false],
    ]);
    const item = changed.items.data[0]!;
    expect(item.current_period_end - item.current_period_start).toBe(365 * DAY);
  });

  it('credits a downgrade to the balance, which pays later invoices', async () => {
    const [big, small] = [await world.price(6000), await world.price(2000)];
    const subscription = await world.subscription(big);
    await world.advance(15.5 * DAY);
    await world.stripe.subscriptions.update(subscription.id, {
      items: [{ id: subscription.items.data[0]!.id, price: small.id }],
      proration_behavior: 'always_invoice',
    });
    expect(await latest(subscription.id)).toMatchObject({
      total: -2000,
      amount_paid: 0,
      status: 'paid',
      ending_balance: -2000,
    });
    await world.since();
    await world.advance(16 * DAY);
    expect(world.objects<Stripe.Invoice>('invoice.paid')[0]).toMatchObject({
      total: 2000,
      amount_paid: 0,
      amount_due: 0,
      starting_balance: -2000,
      ending_balance: 0,
    });
  });

  it('holds an update until it is paid, or lets it expire', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    const update: Stripe.SubscriptionUpdateParams = {
      items: [{ id: subscription.items.data[0]!.id, price: big.id }],
      proration_behavior: 'always_invoice',
      payment_behavior: 'pending_if_incomplete',
    };
    await world.control('POST', '/faults', { declineNext: 1 });
    const held = await world.stripe.subscriptions.update(subscription.id, update);
    expect(held.pending_update?.subscription_items?.[0]?.price.id).toBe(big.id);
    expect(held.items.data[0]?.price.id).toBe(small.id);
    const open = (await world.stripe.invoices.list({ subscription: subscription.id, status: 'open' })).data[0]!;
    await world.since();
    await world.stripe.invoices.pay(open.id);
    expect(await world.since()).toContain('customer.subscription.pending_update_applied');
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).items.data[0]?.price.id).toBe(big.id);

    await world.control('POST', '/faults', { declineNext: 1 });
    await world.stripe.subscriptions.update(subscription.id, {
      ...update,
      items: [{ id: subscription.items.data[0]!.id, quantity: 3 }],
    });
    await world.since();
    await world.advance(DAY);
    expect(world.types()).toContain('customer.subscription.pending_update_expired');
    expect(await world.stripe.subscriptions.retrieve(subscription.id)).toMatchObject({
      pending_update: null,
      items: { data: [{ quantity: 1 }] },
    });
  });

  it('downgrades at the period end by a schedule', async () => {
    const [big, small] = [await world.price(6000), await world.price(2000)];
    const subscription = await world.subscription(big);
    const schedule = await world.stripe.subscriptionSchedules.create({ from_subscription: subscription.id });
    const now = schedule.phases[0]!;
    await world.stripe.subscriptionSchedules.update(schedule.id, {
      end_behavior: 'release',
      phases: [
        { items: [{ price: big.id, quantity: 1 }], start_date: now.start_date, end_date: now.end_date },
        { items: [{ price: small.id, quantity: 1 }], duration: { interval: 'month', interval_count: 1 } },
      ],
    });
    expect(await world.since()).toContain('subscription_schedule.updated');
    await world.advance(MONTH + HOUR);
    expect(world.objects<Stripe.Invoice>('invoice.paid')[0]).toMatchObject({
      amount_paid: 2000,
      billing_reason: 'subscription_cycle',
    });
    await world.advance(29 * DAY);
    expect(world.types()).toContain('subscription_schedule.completed');
    expect(await world.stripe.subscriptions.retrieve(subscription.id)).toMatchObject({
      schedule: null,
      status: 'active',
    });
  });

  it('previews a change without making it', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    await world.advance(15.5 * DAY);
    await world.since();
    const preview = await world.stripe.invoices.createPreview({
      subscription: subscription.id,
      subscription_details: {
        items: [{ id: subscription.items.data[0]!.id, price: big.id }],
        proration_behavior: 'always_invoice',
      },
    });
    expect(preview).toMatchObject({ total: 2000, status: 'draft' });
    expect(await world.since()).toEqual([]);
    expect((await world.stripe.invoiceItems.list()).data).toEqual([]);
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
    expect(await statusOf(subscription.id)).toBe('canceled');
  });

  it('cancels at a chosen time, and at once', async () => {
    const price = await world.price();
    const [later, now] = [await world.subscription(price), await world.subscription(price)];
    await world.stripe.subscriptions.update(later.id, { cancel_at: START + 10 * DAY });
    await world.stripe.subscriptions.cancel(now.id, { prorate: true, invoice_now: true });
    expect(await latest(now.id)).toMatchObject({ total: -2000, ending_balance: -2000 });
    await world.since();
    await world.advance(10 * DAY);
    expect(world.objects<Stripe.Subscription>('customer.subscription.deleted').map(({ id }) => id)).toEqual([later.id]);
  });
});

describe('trials and pauses', () => {
  it('starts with an invoice of nothing and ends with the first payment', async () => {
    const subscription = await world.subscription(await world.price(), 'pm_card_visa', { trial_period_days: 14 });
    expect(subscription).toMatchObject({ status: 'trialing', trial_start: START, trial_end: START + 14 * DAY });
    expect(await latest(subscription.id)).toMatchObject({
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
      ...paidNow,
    ]);
    expect(world.objects<Stripe.Invoice>('invoice.paid')[0]).toMatchObject({
      amount_paid: 2000,
      billing_reason: 'subscription_cycle',
    });
    expect(await statusOf(subscription.id)).toBe('active');
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
    expect(await statusOf(subscription.id)).toBe(status);
    if (status !== 'paused') return;
    const method = await world.stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
    await world.stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
    await world.since();
    await world.stripe.subscriptions.resume(subscription.id);
    expect(await world.since()).toEqual([
      'invoice.created',
      'invoice.finalized',
      ...paidNow,
      'customer.subscription.updated',
      'customer.subscription.resumed',
    ]);
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
    expect(await statusOf(subscription.id)).toBe('active');
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
    expect(await statusOf(subscription.id)).toBe('active');
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
    expect(await statusOf(subscription.id)).toBe('paused');
  });
});

describe('invoices', () => {
  it('give the balance that they took back when they are voided', async () => {
    const customer = await world.customer();
    await world.stripe.customers.update(customer.id, { balance: -500 });
    await world.stripe.invoiceItems.create({ customer: customer.id, amount: 2000, currency: 'usd' });
    const draft = await world.stripe.invoices.create({
      customer: customer.id,
      pending_invoice_items_behavior: 'include',
    });
    const open = await world.stripe.invoices.finalizeInvoice(draft.id);
    expect([open.amount_due, await balanceOf(customer.id)]).toEqual([1500, 0]);
    await world.stripe.invoices.voidInvoice(draft.id);
    expect(await balanceOf(customer.id)).toBe(-500);
  });

  it('takes manual invoices and pages their lines', async () => {
    const customer = await world.customer();
    for (let i = 1; i <= 25; i += 1)
      await world.stripe.invoiceItems.create({ customer: customer.id, amount: 100 + i, currency: 'usd' });
    const invoice = await world.stripe.invoices.create({
      customer: customer.id,
      pending_invoice_items_behavior: 'include',
    });
    await world.stripe.invoices.pay(invoice.id);
    await world.settle();
    const paid = world.objects<Stripe.Invoice>('invoice.paid')[0];
    expect(paid).toMatchObject({ billing_reason: 'manual', parent: null, lines: { has_more: true } });
    expect(paid?.lines.data).toHaveLength(10);
    const all = await world.stripe.invoices.listLineItems(invoice.id, { limit: 10 }).autoPagingToArray({ limit: 100 });
    expect(new Set(all.map(({ id }) => id)).size).toBe(25);
    expect(all.reduce((sum, line) => sum + line.amount, 0)).toBe(paid?.amount_paid);
    const payments = await world.stripe.invoicePayments.list({ invoice: invoice.id });
    const intent = payments.data[0]?.payment.payment_intent as string;
    const back = await world.stripe.invoicePayments.list({
      payment: { type: 'payment_intent', payment_intent: intent },
    });
    expect(back.data[0]?.invoice).toBe(invoice.id);
  });

  it('adds tax by rate', async () => {
    const rate = await world.stripe.taxRates.create({ display_name: 'VAT', percentage: 19, inclusive: false });
    const price = await world.price(1999);
    const subscription = await world.subscription(price, 'pm_card_visa', { default_tax_rates: [rate.id] });
    expect(await latest(subscription.id)).toMatchObject({
      subtotal: 1999,
      total: 2379,
      total_excluding_tax: 1999,
      amount_paid: 2379,
      total_taxes: [{ amount: 380 }],
    });
  });

  it('bills metered use at the end of its period', async () => {
    const meter = await world.stripe.billing.meters.create({
      display_name: 'Calls',
      event_name: 'api_call',
      default_aggregation: { formula: 'sum' },
    });
    const price = await world.stripe.prices.create({
      currency: 'usd',
      unit_amount: 3,
      recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
      product_data: { name: 'Calls' },
    });
    const customer = await world.customer();
    await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
    const event = {
      event_name: 'api_call',
      payload: { stripe_customer_id: customer.id, value: '40' },
      identifier: 'one',
    };
    await world.stripe.billing.meterEvents.create(event);
    await expect(world.stripe.billing.meterEvents.create(event)).rejects.toMatchObject({ statusCode: 400 });
    for (const identifier of ['two', 'three']) await world.stripe.billing.meterEvents.create({ ...event, identifier });
    const mistake = { event_name: 'api_call', type: 'cancel', cancel: { identifier: 'three' } } as const;
    expect(await world.stripe.billing.meterEventAdjustments.create(mistake)).toMatchObject({ status: 'complete' });
    await expect(world.stripe.billing.meterEventAdjustments.create(mistake)).rejects.toMatchObject({ statusCode: 400 });
    const summary = await world.stripe.billing.meters.listEventSummaries(meter.id, {
      customer: customer.id,
      start_time: START,
      end_time: START + DAY,
    });
    expect(summary.data[0]?.aggregated_value).toBe(80);
    await world.advance(MONTH + HOUR);
    expect(world.objects<Stripe.Invoice>('invoice.paid').at(-1)).toMatchObject({
      amount_paid: 240,
      lines: { data: [{ quantity: 80, period: { start: START } }] },
    });
  });
});

describe('the portal', () => {
  it('cancels, takes back, changes plan and card on its page', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    const portal = await world.stripe.billingPortal.sessions.create({
      customer: subscription.customer as string,
      return_url: 'http://127.0.0.1/back',
    });
    const page = await fetch(portal.url).then((response) => response.text());
    expect(page).toContain('Plan 2000');
    expect(page).toContain('http://127.0.0.1/back');
    await world.since();
    const act = (fields: Record<string, string>): Promise<{ status: number }> =>
      world.post(portal.url, { subscription: subscription.id, ...fields });
    expect((await act({ action: 'cancel' })).status).toBe(303);
    const canceling = await world.stripe.subscriptions.retrieve(subscription.id);
    expect(canceling).toMatchObject({ cancel_at: START + MONTH, cancel_at_period_end: false });
    await act({ action: 'resume' });
    await act({ action: 'change', price: big.id });
    expect(await world.stripe.subscriptions.retrieve(subscription.id)).toMatchObject({
      cancel_at: null,
      items: { data: [{ price: { id: big.id } }] },
    });
    expect((await act({ action: 'card', card: '4000000000000002', expiry: '12/34' })).status).toBe(402);
    expect((await act({ action: 'card', card: '5555555555554444', expiry: '12/34' })).status).toBe(303);
    expect(await fetch(portal.url).then((response) => response.text())).toContain('ending in 4444');
  });

  it('offers what its configuration allows, and cancels at once where that says so', async () => {
    const { id, customer } = await world.subscription(await world.price());
    const configuration = await world.stripe.billingPortal.configurations.create({
      features: {
        invoice_history: { enabled: false },
        payment_method_update: { enabled: false },
        subscription_cancel: { enabled: true, mode: 'immediately' },
        subscription_update: { enabled: false },
      },
    });
    const { url } = await world.stripe.billingPortal.sessions.create({
      customer: String(customer),
      configuration: configuration.id,
    });
    const page = await fetch(url).then((response) => response.text());
    for (const absent of ['Invoices', 'Card number', 'Another plan']) expect(page).not.toContain(absent);
    const card = { action: 'card', card: '5555555555554444', expiry: '12/34' };
    expect(await world.post(url, card)).toMatchObject({ status: 402, text: expect.stringContaining('cannot be done') });
    expect((await world.post(url, { action: 'cancel', subscription: id })).status).toBe(303);
    expect((await world.stripe.subscriptions.retrieve(id)).status).toBe('canceled');
    expect(await fetch(url).then((response) => response.text())).toContain('There is no running subscription.');
  });
});
