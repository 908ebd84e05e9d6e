import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import Stripe from 'stripe';
import { DAY, HOUR, START, SandboxWorld } from '../../support/processes/running-sandbox.js';

const MONTH = 31 * DAY; // January
let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

async function metered(): Promise<{ price: Stripe.Price; use: (customer: string, value: number) => Promise<unknown> }> {
  const meter = await world.stripe.billing.meters.create({
    display_name: 'Tokens',
    event_name: 'tokens',
    default_aggregation: { formula: 'sum' },
  });
  const price = await world.stripe.prices.create({
    currency: 'usd',
    unit_amount_decimal: Stripe.Decimal.from('0.5'),
    recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    product_data: { name: 'Tokens' },
  });
  const use = (customer: string, value: number): Promise<unknown> =>
    world.stripe.billing.meterEvents.create({
      event_name: 'tokens',
      payload: { stripe_customer_id: customer, value: String(value) },
    });
  return { price, use };
}

describe('items of a subscription', () => {
  it('come and go by their own addresses, with prorations', async () => {
    const [plan, addOn] = [await world.price(3100), await world.price(6200)];
    const subscription = await world.subscription(plan);
    await world.advance(15.5 * DAY);
    await world.since();
    const item = await world.stripe.subscriptionItems.create({
      subscription: subscription.id,
      price: addOn.id,
      proration_behavior: 'always_invoice',
    });
    expect(await world.latestInvoice(subscription.id)).toMatchObject({ amount_paid: 3100 });
    await world.settle();
    const update = world.received.find(({ event }) => event.type === 'customer.subscription.updated')?.event;
    expect(update?.data.previous_attributes).toMatchObject({ items: { data: [{ price: { id: plan.id } }] } });
    await world.stripe.subscriptionItems.update(item.id, { quantity: 2, proration_behavior: 'none' });
    expect((await world.stripe.subscriptionItems.retrieve(item.id)).quantity).toBe(2);
    expect(await world.stripe.subscriptionItems.del(item.id)).toMatchObject({ id: item.id, deleted: true });
    const items = await world.stripe.subscriptionItems.list({ subscription: subscription.id });
    expect(items.data.map(({ price }) => price.id)).toEqual([plan.id]);
    await expect(world.stripe.subscriptionItems.del(items.data[0]!.id)).rejects.toMatchObject({ statusCode: 400 });
    await expect(world.stripe.subscriptionItems.retrieve(item.id)).rejects.toMatchObject({
      statusCode: 404,
      code: 'resource_missing',
      message: `No such subscription_item: '${item.id}'`,
    });
    const waiting = await world.stripe.invoiceItems.list({ pending: true });
    expect(waiting.data.map(({ amount, proration }) => [amount, proration])).toEqual([[-6200, true]]);
  });

  it('have a quantity of one again when their price changes without one', async () => {
    const [small, big] = [await world.price(1000), await world.price(2000)];
    const subscription = await world.subscription(small, 'pm_card_visa', { items: [{ price: small.id, quantity: 3 }] });
    const changed = await world.stripe.subscriptions.update(subscription.id, {
      items: [{ id: subscription.items.data[0]!.id, price: big.id }],
      proration_behavior: 'none',
    });
    expect(changed.items.data[0]?.quantity).toBe(1);
  });

  it('by use are billed in arrears, at a renewal and after a planned end', async () => {
    const { price, use } = await metered();
    const plan = await world.price(4900);
    const subscription = await world.subscription(plan, 'pm_card_visa', {
      items: [{ price: price.id }, { price: plan.id }],
    });
    const customer = subscription.customer as string;
    expect(await world.latestInvoice(subscription.id)).toMatchObject({ amount_paid: 4900 });
    await world.advance(DAY);
    await use(customer, 14);
    await world.since();
    await world.advance(MONTH);
    const [renewal] = world.objects<Stripe.Invoice>('invoice.paid');
    expect(renewal?.lines.data.map(({ amount, quantity }) => [amount, quantity])).toEqual([
      [7, 14],
      [4900, 1],
    ]);
    expect(renewal?.lines.data[0]?.period).toEqual({ start: START, end: START + MONTH });
    await use(customer, 1000);
    await world.stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
    await world.since();
    await world.advance(29 * DAY);
    expect(world.types()).toContain('customer.subscription.deleted');
    expect(world.objects<Stripe.Invoice>('invoice.paid')[0]).toMatchObject({
      amount_paid: 500,
      billing_reason: 'subscription_cycle',
    });
  });

  it('by use take no quantity, and cost nothing at checkout', async () => {
    const { price } = await metered();
    const customer = await world.customer();
    await expect(
      world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id, quantity: 1 }] }),
    ).rejects.toMatchObject({ param: 'items[0][quantity]' });
    const session = await world.stripe.checkout.sessions.create({
      mode: 'subscription',
      success_url: 'https://example.com',
      line_items: [{ price: price.id }, { price: (await world.price(4900)).id, quantity: 1 }],
      expand: ['line_items'],
    });
    expect(session).toMatchObject({
      amount_total: 4900,
      line_items: { data: [{ amount_total: 0, quantity: null }, {}] },
    });
  });
});

describe('fees and balances', () => {
  it('put a fee on the next invoice and change it while that is a draft', async () => {
    const subscription = await world.subscription(await world.price(2000));
    const product = await world.stripe.products.create({ name: 'Support' });
    const fee = await world.stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 700 });
    await world.stripe.subscriptions.update(subscription.id, { add_invoice_items: [{ price: fee.id, quantity: 2 }] });
    await world.advance(MONTH);
    const draft = (await world.stripe.invoices.list({ subscription: subscription.id, status: 'draft' })).data[0]!;
    expect(draft.total).toBe(3400);
    const item = (await world.stripe.invoiceItems.list({ invoice: draft.id })).data[0]!;
    await world.stripe.invoiceItems.update(item.id, { quantity: 1, description: 'Less support' });
    await world.stripe.invoiceItems.create({
      customer: subscription.customer as string,
      invoice: draft.id,
      amount: -100,
      currency: 'usd',
    });
    await world.advance(HOUR);
    expect(await world.stripe.invoices.retrieve(draft.id)).toMatchObject({ status: 'paid', amount_paid: 2600 });
  });

  it('keep a transaction for every move of a customer balance', async () => {
    const customer = await world.customer();
    const given = await world.stripe.customers.createBalanceTransaction(customer.id, {
      amount: -500,
      currency: 'usd',
      description: 'Sorry',
    });
    expect(given).toMatchObject({ amount: -500, ending_balance: -500, type: 'adjustment', description: 'Sorry' });
    await world.settle();
    expect(world.received.at(-1)?.event).toMatchObject({
      type: 'customer.updated',
      data: { previous_attributes: { balance: 0 }, object: { balance: -500 } },
    });
    await world.stripe.invoiceItems.create({ customer: customer.id, amount: 2000, currency: 'usd' });
    const draft = await world.stripe.invoices.create({
      customer: customer.id,
      pending_invoice_items_behavior: 'include',
    });
    expect(await world.stripe.invoices.pay(draft.id)).toMatchObject({
      total: 2000,
      amount_paid: 1500,
      starting_balance: -500,
      ending_balance: 0,
    });
    const moves = await world.stripe.customers.listBalanceTransactions(customer.id);
    expect(moves.data.map(({ amount, type, invoice }) => [amount, type, invoice])).toEqual([
      [500, 'applied_to_invoice', draft.id],
      [-500, 'adjustment', null],
    ]);
  });
});
