import { describe, expect, test } from '@jest/globals';
import type { Instant } from '#kernel/instant.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { paymentRecordOf, type PaymentRecord } from '#ledger/payment/record.js';
import { deliver, InboxWorld, type Step } from '../../../test/support/worlds/inbox-world.js';
import { permutations } from '../../../test/support/permutations.js';
import {
  oneOffLines,
  stripeEvent,
  type StripeEventBody,
  type StripeFixture,
} from '../../../test/support/stripe/events.js';

const metadata = { customer_id: 'acme', top_up: 'true', credits: '250' };
let eventCount = 0;
function event(name: StripeFixture, change: Record<string, unknown>): StripeEventBody {
  eventCount += 1;
  return stripeEvent(name, { id: `evt_sale_${String(eventCount)}`, created: 1_790_812_800 }, change);
}
const session = (change: object = {}): StripeEventBody =>
  event('checkout.session.completed.endive', { metadata, total_details: { amount_tax: 0 }, ...change });
const intent = (change: object = {}): StripeEventBody =>
  event('payment_intent.succeeded.endive', { id: 'pi_1', metadata, ...change });
/** As webhooks tell it since 2025-03: nothing in it says what paid it. */
const ofItsOwn = { metadata, parent: null, payments: null, amount_paid: 1190, total: 1190, ...oneOffLines(1190) };
const invoice = (change: object = {}): StripeEventBody =>
  event('invoice.paid.endive', { id: 'in_1', ...ofItsOwn, ...change });
const link = (payment_intent = 'pi_1', id = 'in_1'): StripeEventBody =>
  event('invoice_payment.paid.endive', { invoice: id, payment: { type: 'payment_intent', payment_intent } });
const refund = event('refund.updated.endive', { id: 're_1', payment_intent: 'pi_1', amount: 595, status: 'succeeded' });
const creditNote = event('credit_note.created.endive', { invoice: 'in_1', post_payment_amount: 595, refunds: [] });

const byOrder = { payment_details: { customer_reference: null, order_reference: 'in_1' } };
const bySession = { payment_details: { customer_reference: null, order_reference: 'cs_test_1' } };

const oneSale: { readonly [name: string]: readonly StripeEventBody[] } = {
  'its session and its intent': [session(), intent(), session(), intent()],
  'its session and its intent, which names the session': [session(), intent(bySession)],
  'its intent, its invoice, and the link between them': [intent(), invoice(), link(), invoice(), intent()],
  'its invoice, and its intent that names it by its order': [intent(byOrder), invoice()],
  'its intent and its invoice as of old, which name each other': [
    intent({ invoice: 'in_1' }),
    invoice({ payment_intent: 'pi_1' }),
  ],
  'its session, its intent, and the invoice of the session': [
    session({ invoice: 'in_1' }),
    intent(),
    invoice(),
    link(),
  ],
  'its session that does not name its invoice': [session(), intent(), invoice(), link()],
};

async function worldAfter(steps: readonly Step[], drainEach: boolean): Promise<InboxWorld> {
  const world = new InboxWorld();
  await world.applyCatalog();
  for (const step of steps) {
    await step(world);
    if (drainEach) await world.drain();
  }
  await world.drain(3);
  return world;
}

/** What came of it: the credits, the grants, and what was paid in all as the customer sees it. */
async function outcomeOf(world: InboxWorld) {
  const { balance, grants, payments, waiting } = await world.ledger();
  const records = Object.values(payments as { readonly [id: string]: PaymentRecord });
  const own = records.filter(({ customerId, partOf }) => customerId !== null && partOf === null);
  const paid = own.map(({ type, money, refunded }) => `${String(type)} ${String(money?.amount)} ${String(refunded)}`);
  return { available: balance.available, grants: (grants as readonly string[]).length, paid: paid.sort(), waiting };
}

describe.each(Object.entries(oneSale))('one sale that is told of by %s', (_name, bodies) => {
  test('grants once and is paid for once, in any order', async () => {
    for (const [index, order] of [...permutations(bodies)].entries()) {
      const world = await worldAfter(order.map(deliver), index % 2 === 0);
      expect(await outcomeOf(world)).toEqual({ available: 250, grants: 1, paid: ['top_up 1190 0'], waiting: [] });
    }
  });
});

test.each([
  ['refund', [intent(), invoice(), link(), refund]],
  ['credit note', [intent(), invoice(), link(), creditNote]],
  ['refund', [session({ invoice: 'in_1' }), invoice(), intent(byOrder), refund]],
  ['credit note', [session({ invoice: 'in_1' }), invoice(), intent(), creditNote]],
])('a %s of it takes its share, in any order', async (_what, bodies) => {
  for (const [index, order] of [...permutations(bodies)].entries()) {
    const world = await worldAfter(order.map(deliver), index % 2 === 0);
    expect(await outcomeOf(world)).toEqual({ available: 125, grants: 1, paid: ['top_up 1190 595'], waiting: [] });
  }
});

describe('an invoice and an intent of as much that nothing links', () => {
  const [first, second] = [intent(), invoice()];
  const waiting = (id: string): readonly string[] => [`${id} sale_in_doubt`];

  test.each([
    [first, second],
    [second, first],
  ])('grant once: the other waits (%#)', async (one, other) => {
    const world = await worldAfter([one, other].map(deliver), true);
    expect(await outcomeOf(world)).toMatchObject({ available: 250, waiting: waiting(other.id) });
    await world.deliver(link('pi_1'));
    await world.drain();
    expect(await outcomeOf(world)).toEqual({ available: 250, grants: 1, paid: ['top_up 1190 0'], waiting: [] });
  });

  test.each([
    [first, second],
    [second, first],
  ])('are two sales where the link says that another intent paid the invoice (%#)', async (one, other) => {
    for (const at of [0, 1, 2]) {
      const order = [one, other].toSpliced(at, 0, link('pi_2'));
      const world = await worldAfter(order.map(deliver), true);
      expect(await outcomeOf(world)).toMatchObject({ available: 500, grants: 2, waiting: [] });
    }
  });
});

test.each([
  ['two intents', [intent(), intent({ id: 'pi_2' })]],
  ['two invoices', [invoice(), invoice({ id: 'in_2' })]],
  ['an intent and an invoice of another amount', [intent(), invoice({ amount_paid: 1191 })]],
  ['an intent and an invoice of another currency', [intent(), invoice({ currency: 'eur' })]],
  ['an intent and an invoice that was paid elsewhere', [intent(), invoice({ amount_paid_off_stripe: 1190 })]],
  ['a session and an intent', [session(), intent({ id: 'pi_2' })]],
])('%s are two sales', async (_what, bodies) => {
  for (const order of permutations(bodies))
    expect(await outcomeOf(await worldAfter(order.map(deliver), true))).toMatchObject({
      available: 500,
      grants: 2,
      waiting: [],
    });
});

test.each([
  ['checkoutSession', 'cs_test_1', session],
  ['paymentIntent', 'pi_1', intent],
  ['invoice', 'in_1', invoice],
] as const)("a caller's grant whose metadata names the %s of a sale is not the sale", async (name, id, body) => {
  const named: Step = (world) =>
    world.run({
      ...{ type: 'GrantCredits', amount: 1, source: 'purchase', priority: 50, effectiveAt: null, expiresAt: null },
      ...{ costBasis: null, paymentReference: 'order-1', description: null, metadata: { [name]: id } },
    });
  expect(await outcomeOf(await worldAfter([named, deliver(body())], true))).toMatchObject({
    available: 251,
    grants: 2,
    waiting: [],
  });
});

test("a caller's grant that only names the same payment is not the sale", async () => {
  const bonus: Step = (world) =>
    world.run({
      ...{ type: 'GrantCredits', amount: 10, source: 'purchase', priority: 50, effectiveAt: null, expiresAt: null },
      ...{ costBasis: null, paymentReference: 'pi_1', description: 'bonus', metadata: { campaign: 'x' } },
    });
  expect(await outcomeOf(await worldAfter([bonus, deliver(intent())], true))).toMatchObject({ available: 260 });
});

test('a sale that is told of when a month has just ended keeps its payment beside what goes on of the month', async () => {
  const world = new InboxWorld();
  await world.applyCatalog();
  const month = (periodStart: Instant, periodEnd: Instant): AccountCommand => ({
    type: 'GrantPeriod',
    subscriptionId: 'sub_1',
    itemId: 'si_1',
    periodStart,
    periodEnd,
    interval: 'month',
    creditsPerMonth: 100,
    prorated: false,
    cost: null,
    rolloverCap: 50,
    lines: [],
    paymentReference: `in_${periodStart}`,
    metadata: {},
  });
  world.clock.set('2026-10-01T00:00:00.000Z');
  await world.run(month('2026-10-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z'));
  await world.run(month('2026-11-01T00:00:00.000Z', '2026-12-01T00:00:00.000Z'));
  world.clock.set('2026-11-02T00:00:00.000Z');
  await world.deliver(session());
  await world.drain();
  const { state } = await world.handlers.account.load('account-acme');
  expect([...state.grants.values()].map(({ term }) => term?.kind ?? null)).toContain('rollover');
  const { state: payment } = await world.handlers.payment.load('payment-pi_1');
  expect(paymentRecordOf(payment)).toMatchObject({ id: 'pi_1', customerId: 'acme' });
});

test('a link that says its currency counts beside one that came without', async () => {
  const payment = { type: 'payment_intent', payment_intent: 'pi_1' };
  const bare = event('invoice_payment.paid.endive', { invoice: 'in_1', payment, currency: null });
  for (const order of permutations([bare, link()])) {
    const world = await worldAfter(order.map(deliver), true);
    const { state } = await world.handlers.payment.load('payment-pi_1');
    expect(state).toMatchObject({ invoiceId: 'in_1', linkedCurrency: 'usd' });
  }
});
