import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { eventually } from '../../support/eventually.js';
import { DAY, SandboxWorld, START } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

const card = '4242424242424242';
const complete = (id: string): Promise<unknown> =>
  world.control('POST', `/checkout/${id}/complete`, { card, email: 'new@example.com' });
const session = async (params: Partial<Stripe.Checkout.SessionCreateParams>): Promise<Stripe.Checkout.Session> =>
  world.stripe.checkout.sessions.create({ mode: 'payment', success_url: 'http://127.0.0.1/ok', ...params });
const onceFor = (amount: number, currency = 'usd') => ({
  line_items: [{ quantity: 1, price_data: { currency, unit_amount: amount, product_data: { name: 'Pack' } } }],
});
const monthly = async () => ({ line_items: [{ price: (await world.price()).id, quantity: 1 }] });

/** Flows whose events were seen in public logs, in the order of their arrival. */
const observed: Readonly<Record<string, { play: () => Promise<unknown>; seen: readonly string[] }>> = {
  'a subscription bought by a new customer': {
    play: async () => complete((await session({ mode: 'subscription', ...(await monthly()) })).id),
    seen: [
      ...['charge.succeeded', 'payment_method.attached', 'customer.created', 'customer.updated'],
      ...['checkout.session.completed', 'customer.subscription.created'],
      ...['payment_intent.created', 'payment_intent.succeeded'],
      ...['invoice.created', 'invoice.finalized', 'invoice.paid', 'invoice.payment_succeeded', 'invoice_payment.paid'],
    ],
  },
  'a subscription bought by a customer who was there before': {
    play: async () => {
      const { id: customer } = await world.stripe.customers.create();
      const { id } = await session({ mode: 'subscription', customer, ...(await monthly()) });
      await world.since();
      await complete(id);
    },
    seen: [
      ...['charge.succeeded', 'checkout.session.completed', 'payment_method.attached', 'customer.subscription.created'],
      ...['customer.subscription.updated', 'payment_intent.succeeded', 'payment_intent.created'],
      ...['invoice.created', 'invoice.finalized', 'invoice.paid', 'invoice.payment_succeeded'],
    ],
  },
  'a payment with an invoice of its own': {
    play: async () => complete((await session({ ...onceFor(2000), invoice_creation: { enabled: true } })).id),
    seen: [
      ...['payment_intent.succeeded', 'payment_intent.created', 'checkout.session.completed'],
      ...['invoice.created', 'invoice.finalized', 'invoice.paid', 'invoice.payment_succeeded'],
    ],
  },
  'a change of price that is invoiced at once': {
    play: async () => {
      const subscription = await world.subscription(await world.price(2000));
      const dearer = await world.price(6000);
      await world.advance(10 * DAY);
      await world.since();
      await world.stripe.subscriptions.update(subscription.id, {
        items: [{ id: subscription.items.data[0]!.id, price: dearer.id }],
        proration_behavior: 'always_invoice',
      });
    },
    seen: [
      ...['invoice.created', 'invoice.finalized', 'invoice.paid', 'invoice.payment_succeeded'],
      ...['customer.subscription.updated', 'invoiceitem.created'],
    ],
  },
  'a full refund': {
    play: async () => {
      const { id } = await paid();
      await world.since();
      await world.stripe.refunds.create({ payment_intent: id });
    },
    seen: ['refund.created', 'charge.refunded', 'refund.updated', 'charge.refund.updated'],
  },
};

const paid = (more: Partial<Stripe.PaymentIntentCreateParams> = {}): Promise<Stripe.PaymentIntent> =>
  world.stripe.paymentIntents.create({
    amount: 2000,
    currency: 'usd',
    payment_method: 'pm_card_visa',
    allowed_payment_method_types: ['card'],
    confirm: true,
    ...more,
  });

describe('the order of events', () => {
  it.each(Object.entries(observed))('is the observed one: %s', async (_, { play, seen }) => {
    await play();
    const types = await world.since();
    const shared = types.filter((type, index) => seen.includes(type) && types.indexOf(type) === index);
    expect(shared).toEqual(seen);
  });
});

type Recipe = (stripe: Stripe) => Promise<unknown>;

/** An invoice over 20.00 of a customer, open unless `stop` says that it stays a draft. */
async function invoice(stripe: Stripe, stop: 'draft' | 'open' = 'open', method?: string): Promise<Stripe.Invoice> {
  const customer = await stripe.customers.create({ email: 'bob@example.com' });
  if (method !== undefined) await stripe.paymentMethods.attach(method, { customer: customer.id });
  await stripe.invoiceItems.create({ customer: customer.id, amount: 2000, currency: 'usd' });
  const made = await stripe.invoices.create({ customer: customer.id, pending_invoice_items_behavior: 'include' });
  return stop === 'draft' ? made : stripe.invoices.finalizeInvoice(made.id);
}

async function pay(stripe: Stripe, card: string): Promise<unknown> {
  const open = await invoice(stripe, 'open', card);
  const [method] = (await stripe.paymentMethods.list({ customer: String(open.customer) })).data;
  return stripe.invoices.pay(open.id, { payment_method: method!.id }).catch(() => undefined);
}

async function creditNote(stripe: Stripe): Promise<Stripe.CreditNote> {
  const { id } = await invoice(stripe);
  const line = { type: 'custom_line_item', unit_amount: 1000, quantity: 1, description: 'Late' } as const;
  return stripe.creditNotes.create({ invoice: id, lines: [line] });
}

const disputed = async (stripe: Stripe): Promise<Stripe.Dispute> => {
  const { id } = await paid({ payment_method: 'pm_card_createDisputeInquiry' });
  return (await stripe.disputes.list({ payment_intent: id })).data[0]!;
};

const scheduled = async (stripe: Stripe): Promise<Stripe.SubscriptionSchedule> => {
  const [customer, price] = [await world.customer(), await world.price()];
  const phases = [1, 2].map((quantity) => ({
    duration: { interval: 'month', interval_count: 1 } as const,
    items: [{ price: price.id, quantity }],
  }));
  return stripe.subscriptionSchedules.create({ customer: customer.id, start_date: 'now', phases });
};

/** One week into a schedule of one phase of `days`, by a test clock. */
async function clockedSchedule(stripe: Stripe, days: number, advance: number): Promise<void> {
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: START });
  const customer = await stripe.customers.create({ test_clock: clock.id });
  const items = [{ price: (await world.price()).id, quantity: 1 }];
  await stripe.subscriptionSchedules.create({
    customer: customer.id,
    start_date: START,
    end_behavior: 'release',
    phases: [{ items, end_date: START + days * DAY }],
  });
  await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: START + advance * DAY });
  await eventually(
    () => stripe.testHelpers.testClocks.retrieve(clock.id),
    ({ status }) => status === 'ready',
  );
}

const sepa = async (iban: string): Promise<void> => {
  const { id } = await session({ ...onceFor(3000, 'eur'), allowed_payment_method_types: ['sepa_debit'] });
  await world.control('POST', `/checkout/${id}/complete`, { iban, email: 'new@example.com' });
  await world.advance(600);
};

const metadata = { foo: 'bar' };
const trialOf = (days: number): Partial<Stripe.SubscriptionCreateParams> => ({ trial_period_days: days });
const clockAt = (stripe: Stripe) => stripe.testHelpers.testClocks.create({ frozen_time: START });

/** What provokes each type of event at Stripe itself, by its own test helpers' recipes. */
const recipes: Readonly<Record<string, Recipe>> = {
  'billing_portal.configuration.created': (s) => s.billingPortal.configurations.create({ features: {} }),
  'billing_portal.configuration.updated': async (s) => {
    const { id } = await s.billingPortal.configurations.create({ features: {} });
    return s.billingPortal.configurations.update(id, { metadata });
  },
  'billing_portal.session.created': async (s) =>
    s.billingPortal.sessions.create({ customer: (await s.customers.create()).id }),
  'charge.captured': async (s) => s.paymentIntents.capture((await paid({ capture_method: 'manual' })).id),
  'charge.dispute.closed': async (s) => s.disputes.close((await disputed(s)).id),
  'charge.dispute.created': disputed,
  'charge.dispute.updated': async (s) => s.disputes.update((await disputed(s)).id, { metadata }),
  'charge.failed': () => paid({ payment_method: 'pm_card_visa_chargeDeclined' }).catch(() => undefined),
  'charge.refund.updated': async (s) => {
    const { id } = await s.refunds.create({ payment_intent: (await paid()).id });
    return s.refunds.update(id, { metadata });
  },
  'charge.refunded': async (s) => s.refunds.create({ payment_intent: (await paid()).id }),
  'charge.succeeded': () => paid(),
  'checkout.session.async_payment_failed': () => sepa('IT60X0542811101000000123456'),
  'checkout.session.async_payment_succeeded': () => sepa('AT611904300234573201'),
  'checkout.session.completed': async () => complete((await session(onceFor(3000))).id),
  'checkout.session.expired': async (s) => s.checkout.sessions.expire((await session(onceFor(3000))).id),
  'credit_note.created': creditNote,
  'credit_note.updated': async (s) => s.creditNotes.update((await creditNote(s)).id, { metadata }),
  'credit_note.voided': async (s) => s.creditNotes.voidCreditNote((await creditNote(s)).id),
  'customer.created': (s) => s.customers.create(),
  'customer.deleted': async (s) => s.customers.del((await s.customers.create()).id),
  'customer.subscription.created': async () => world.subscription(await world.price()),
  'customer.subscription.deleted': async (s) =>
    s.subscriptions.cancel((await world.subscription(await world.price())).id),
  'customer.subscription.paused': async (s) => {
    const { id: customer } = await s.customers.create();
    const { id } = await s.subscriptions.create({
      customer,
      items: [{ price: (await world.price()).id }],
      trial_settings: { end_behavior: { missing_payment_method: 'pause' } },
      ...trialOf(7),
    });
    return s.subscriptions.update(id, { trial_end: 'now' });
  },
  'customer.subscription.trial_will_end': async () =>
    world.subscription(await world.price(), 'pm_card_visa', trialOf(1)),
  'customer.subscription.updated': async (s) =>
    s.subscriptions.update((await world.subscription(await world.price())).id, { metadata }),
  'customer.updated': async (s) => s.customers.update((await s.customers.create()).id, { metadata }),
  'invoice.created': (s) => invoice(s, 'draft'),
  'invoice.deleted': async (s) => s.invoices.del((await invoice(s, 'draft')).id),
  'invoice.finalized': (s) => invoice(s),
  'invoice.marked_uncollectible': async (s) => s.invoices.markUncollectible((await invoice(s)).id),
  'invoice.paid': (s) => pay(s, 'pm_card_visa'),
  'invoice.payment_action_required': (s) => pay(s, 'pm_card_threeDSecure2Required'),
  'invoice.payment_failed': (s) => pay(s, 'pm_card_chargeCustomerFail'),
  'invoice.sent': async (s) => {
    const { id: customer } = await s.customers.create({ email: 'bob@example.com' });
    await s.invoiceItems.create({ customer, amount: 2000, currency: 'usd' });
    const how = { collection_method: 'send_invoice', days_until_due: 7 } as const;
    const { id } = await s.invoices.create({ customer, pending_invoice_items_behavior: 'include', ...how });
    return s.invoices.sendInvoice(id);
  },
  'invoice.updated': async (s) => s.invoices.update((await invoice(s, 'draft')).id, { metadata }),
  'invoice.voided': async (s) => s.invoices.voidInvoice((await invoice(s)).id),
  'invoiceitem.created': (s) => invoice(s, 'draft'),
  'invoiceitem.deleted': async (s) => {
    const { id: customer } = await s.customers.create();
    return s.invoiceItems.del((await s.invoiceItems.create({ customer, amount: 2000, currency: 'usd' })).id);
  },
  'payment_intent.amount_capturable_updated': () => paid({ capture_method: 'manual' }),
  'payment_intent.canceled': async (s) => {
    const { id } = await s.paymentIntents.create({ amount: 2000, currency: 'usd' });
    return s.paymentIntents.cancel(id, { cancellation_reason: 'requested_by_customer' });
  },
  'payment_intent.created': (s) => s.paymentIntents.create({ amount: 2000, currency: 'usd' }),
  'payment_intent.payment_failed': () => paid({ payment_method: 'pm_card_chargeDeclined' }).catch(() => undefined),
  'payment_intent.processing': async (s) => {
    const { id } = await s.paymentMethods.create({
      type: 'sepa_debit',
      sepa_debit: { iban: 'AT321904300235473204' },
      billing_details: { name: 'Bob', email: 'bob@example.com' },
    });
    return paid({ payment_method: id, allowed_payment_method_types: ['sepa_debit'], currency: 'eur' });
  },
  'payment_intent.requires_action': () => paid({ payment_method: 'pm_card_authenticationRequired' }),
  'payment_intent.succeeded': () => paid(),
  'payment_method.attached': () => world.customer(),
  'payment_method.detached': async (s) => {
    const [method] = (await s.paymentMethods.list({ customer: (await world.customer()).id })).data;
    return s.paymentMethods.detach(method!.id);
  },
  'payment_method.updated': async (s) => {
    const [method] = (await s.paymentMethods.list({ customer: (await world.customer()).id })).data;
    return s.paymentMethods.update(method!.id, { metadata });
  },
  'price.created': () => world.price(),
  'price.updated': async (s) => s.prices.update((await world.price()).id, { metadata }),
  'product.created': (s) => s.products.create({ name: 'Pack' }),
  'product.deleted': async (s) => s.products.del((await s.products.create({ name: 'Pack' })).id),
  'product.updated': async (s) => s.products.update((await s.products.create({ name: 'Pack' })).id, { metadata }),
  'subscription_schedule.canceled': async (s) => s.subscriptionSchedules.cancel((await scheduled(s)).id),
  'subscription_schedule.completed': (s) => clockedSchedule(s, 28, 31),
  'subscription_schedule.created': scheduled,
  'subscription_schedule.expiring': (s) => clockedSchedule(s, 28, 21),
  'subscription_schedule.released': async (s) => s.subscriptionSchedules.release((await scheduled(s)).id),
  'subscription_schedule.updated': async (s) => s.subscriptionSchedules.update((await scheduled(s)).id, { metadata }),
  'tax_rate.created': (s) => s.taxRates.create({ display_name: 'VAT', inclusive: true, percentage: 10 }),
  'tax_rate.updated': async (s) => {
    const { id } = await s.taxRates.create({ display_name: 'VAT', inclusive: true, percentage: 10 });
    return s.taxRates.update(id, { metadata });
  },
  'test_helpers.test_clock.advancing': (s) => clockedSchedule(s, 28, 21),
  'test_helpers.test_clock.created': clockAt,
  'test_helpers.test_clock.deleted': async (s) => s.testHelpers.testClocks.del((await clockAt(s)).id),
  'test_helpers.test_clock.ready': (s) => clockedSchedule(s, 28, 21),
};

describe('what provokes an event', () => {
  it.each(Object.entries(recipes))('%s', async (type, play) => {
    await play(world.stripe);
    const seen = (await world.since()).filter((one) => one === type);
    expect(seen.length).toBeGreaterThan(0);
    const [event] = (await world.stripe.events.list({ type, limit: 1 })).data;
    expect(event).toMatchObject({ object: 'event', type, api_version: '2026-10-28.endive', livemode: false });
    if (type.endsWith('.updated') && type !== 'charge.refund.updated' && type !== 'refund.updated')
      expect(
        Object.keys((event as { data: { previous_attributes?: object } }).data.previous_attributes ?? {}),
      ).not.toEqual([]);
  });

  it('aborts the schedule of a subscription whose payments fail', async () => {
    const { stripe } = world;
    const schedule = await scheduled(stripe);
    const failing = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', {
      customer: String(schedule.customer),
    });
    await stripe.customers.update(String(schedule.customer), {
      invoice_settings: { default_payment_method: failing.id },
    });
    await world.advance(55 * DAY);
    expect(await world.since()).toContain('subscription_schedule.aborted');
  });
});
