import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { catalog } from '../../../test/support/ledger/catalog.js';
import { InboxWorld } from '../../../test/support/worlds/inbox-world.js';
import { permutations } from '../../../test/support/permutations.js';
import { stripeEvent, type StripeEventBody } from '../../../test/support/stripe/events.js';

const starter = catalog.plans.find(({ id }) => id === 'starter')!;
const wanted = {
  ...catalog,
  plans: [
    ...catalog.plans,
    {
      ...starter,
      ...{ id: 'seats', creditsPerMonth: 100, yearly: null },
      monthly: { money: { amount: 300, currency: 'usd' }, stripePriceId: 'price_seats' },
    },
  ],
};
const october = { start: 1_790_812_800, end: 1_793_491_200 };

type Line = { readonly price: string | null; readonly amount: number; readonly item?: string; readonly start?: number };
function lineOf({ price, amount, item, start = october.start }: Line): object {
  const own = { invoice_item: null, proration: false, subscription: 'sub_1' };
  return {
    ...{ id: `il_${String(amount)}`, object: 'line_item', amount, currency: 'usd', quantity: 1 },
    period: { start, end: start + october.end - october.start },
    parent:
      item === undefined
        ? { invoice_item_details: own }
        : { subscription_item_details: { ...own, subscription_item: item } },
    pricing: price === null ? null : { price_details: { price, product: 'prod_1' } },
  };
}

/** What Stripe reports about a subscription with these lines on its first invoice. */
function flowOf(lines: readonly Line[]): readonly StripeEventBody[] {
  const total = lines.reduce((sum, { amount }) => sum + amount, 0);
  const items = lines.flatMap(({ price, item }) =>
    item === undefined
      ? []
      : [
          {
            ...{ id: item, object: 'subscription_item', price: { id: price }, quantity: 1 },
            ...{ current_period_start: october.start, current_period_end: october.end },
          },
        ],
  );
  const subscription = { items: { object: 'list', data: items, has_more: false } };
  const event = (name: Parameters<typeof stripeEvent>[0], change: Record<string, unknown>) =>
    stripeEvent(name, { id: `evt_${name.replace(/[^a-z]/g, '_')}`, created: october.start }, change);
  return [
    event('customer.subscription.created.endive', subscription),
    event('customer.subscription.updated.endive', { ...subscription, status: 'active' }),
    event('invoice.paid.endive', {
      ...{ total, amount_paid: total, amount_due: total, created: october.start, payments: null },
      lines: { object: 'list', data: lines.map(lineOf), has_more: false },
    }),
    event('invoice_payment.paid.endive', {
      invoice: 'in_1',
      payment: { type: 'payment_intent', payment_intent: 'pi_1' },
    }),
    event('payment_intent.succeeded.endive', { id: 'pi_1', amount: total, amount_received: total, metadata: {} }),
    event('charge.succeeded.endive', { id: 'ch_1', payment_intent: 'pi_1', amount: total, invoice: null }),
  ];
}

async function after(events: readonly StripeEventBody[], drainEach = false): Promise<InboxWorld> {
  const world = new InboxWorld();
  world.clock.set('2026-10-01T00:01:00.000Z');
  await world.applyCatalog(wanted);
  // Whose the Stripe customer is.
  await world.deliver(stripeEvent('checkout.session.completed.subscription.endive'));
  await world.drain();
  for (const body of events) {
    await world.deliver(body);
    if (drainEach) await world.drain();
  }
  await world.drain(3);
  return world;
}

const plan: Line = { price: 'price_starter_month', amount: 2000, item: 'si_plan' };
describe.each<readonly [string, readonly Line[], number]>([
  ['a plan and an add-on', [{ price: 'price_x', amount: 1000, item: 'si_add' }, plan], 500],
  [
    'usage of the month before, a plan and a discount',
    [
      { price: 'price_usage', amount: 7, item: 'si_usage', start: october.start - 2_678_400 },
      plan,
      { price: null, amount: -100 },
    ],
    500,
  ],
  [
    'a fee and two plans',
    [{ price: null, amount: 2500 }, { price: 'price_seats', amount: 300, item: 'si_a' }, plan],
    600,
  ],
])('a subscription whose invoice has %s', (_what, lines, credits) => {
  const flow = flowOf(lines);

  test('gives its credits, keeps its money, and nothing waits, in any order, also told twice', async () => {
    const books = await (await after(flow)).ledger();
    const total = lines.reduce((sum, { amount }) => sum + amount, 0);
    expect(books).toMatchObject({ balance: { available: credits, held: 0, debt: 0 }, waiting: [] });
    expect(books).toMatchObject({ invoices: { 'invoice-in_1': { status: 'paid', total, amountPaid: total } } });
    expect(books).toMatchObject({ payments: { 'payment-in_1': { money: { amount: total } } } });
    expect(books).toMatchObject({ subscriptions: { 'subscription-sub_1': { standing: { planId: 'starter' } } } });
    const twins = flow.map((body) => ({ ...body, id: `${body.id}_again` }));
    const orders = fc.sample(fc.shuffledSubarray([...flow, ...twins, ...flow], { minLength: 18 }), {
      numRuns: 12,
      seed: 7,
    });
    for (const order of [flow.toReversed(), ...orders])
      for (const drainEach of [false, true]) expect(await (await after(order, drainEach)).ledger()).toEqual(books);
  });

  test('gives the same whatever the order of its lines and items', async () => {
    const { balance, grants, payments } = await (await after(flow)).ledger();
    for (const order of permutations(lines))
      expect(await (await after(flowOf(order))).ledger()).toMatchObject({ balance, grants, payments });
  });
});

test('a number of packs that does not cost what was charged waits for a price of the catalogue', async () => {
  const world = new InboxWorld();
  await world.applyCatalog(catalog);
  const body = stripeEvent('checkout.session.completed.endive', {}, { amount_subtotal: 1400 });
  await world.deliver(body);
  await world.drain();
  expect(await world.statusOf(body.id)).toBe('parked: amount_mismatch');
  const [pack] = catalog.creditProducts;
  const price = { amount: 700, currency: 'usd' };
  await world.applyCatalog({ ...catalog, creditProducts: [{ ...pack!, price }] });
  await world.drain();
  expect(await world.statusOf(body.id)).toBe('translated');
  expect((await world.ledger()).balance).toMatchObject({ available: 2000 });
});
