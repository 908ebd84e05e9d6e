import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, HOUR, START, SandboxWorld } from '../../support/processes/running-sandbox.js';

const MONTH = 31 * DAY; // January
let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

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
    expect([open.amount_due, await world.balanceOf(customer.id)]).toEqual([1500, 0]);
    await world.stripe.invoices.voidInvoice(draft.id);
    expect(await world.balanceOf(customer.id)).toBe(-500);
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
    expect(await world.latestInvoice(subscription.id)).toMatchObject({
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
