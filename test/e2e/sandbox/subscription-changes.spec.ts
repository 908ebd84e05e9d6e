import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, HOUR, SandboxWorld, START } from '../../support/processes/running-sandbox.js';

const MONTH = 31 * DAY; // January
let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

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
    const invoice = await world.latestInvoice(subscription.id);
    expect(invoice).toMatchObject({ billing_reason: 'subscription_update', amount_paid: 2000, status: 'paid' });
    expect(invoice.lines.data.map((line) => [line.amount, line.parent?.invoice_item_details?.proration])).toEqual([
      [-1000, true],
      [3000, true],
    ]);
  });

  it.each([
    ['flexible', [6000]],
    ['classic', [-2000, 6000]],
  ] as const)(
    'of a plan that was never charged for give nothing back, unless billed as before (%s)',
    async (type, amounts) => {
      const [small, big] = [await world.price(2000), await world.price(6000)];
      const subscription = await world.subscription(small, 'pm_card_visa', {
        billing_mode: { type },
        billing_cycle_anchor: START + 15 * DAY,
        proration_behavior: 'none',
      });
      await world.stripe.subscriptions.update(subscription.id, {
        items: [{ id: subscription.items.data[0]!.id, price: big.id }],
        proration_behavior: 'always_invoice',
      });
      const { lines } = await world.latestInvoice(subscription.id);
      expect(lines.data.map(({ amount }) => amount)).toEqual(amounts);
    },
  );

  it('gives back what waits to be charged', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    const added = { subscription: subscription.id, price: big.id };
    const item = await world.stripe.subscriptionItems.create(added);
    await world.stripe.subscriptionItems.del(item.id);
    const waiting = await world.stripe.invoiceItems.list({ pending: true });
    expect(waiting.data.map(({ amount }) => amount)).toEqual([-6000, 6000]);
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
    const invoice = await world.latestInvoice(subscription.id);
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
    expect(await world.latestInvoice(subscription.id)).toMatchObject({
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
