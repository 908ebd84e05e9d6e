import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stripeEventStream } from '#kernel/stream-name.js';
import {
  byTest,
  deliver,
  InboxWorld,
  ledgerAfter,
  type Ledger,
  type Step,
} from '../../../test/support/worlds/inbox-world.js';
import { permutations } from '../../../test/support/permutations.js';
import { stripeEvent, type StripeEventBody, type StripeFixture } from '../../../test/support/stripe/events.js';
import { consume } from '../../../test/support/ledger/account-commands.js';

let eventCount = 0;
/** A recorded event under an id of its own. */
function event(name: StripeFixture, change: Record<string, unknown> = {}, later = 0): StripeEventBody {
  const { created } = stripeEvent(name);
  eventCount += 1;
  return stripeEvent(name, { id: `evt_${String(eventCount).padStart(4, '0')}`, created: created + later }, change);
}
const step = (name: StripeFixture, change: Record<string, unknown> = {}, later = 0): Step =>
  deliver(event(name, change, later));

const applyCatalog: Step = (world) => world.applyCatalog();
const consumed =
  (amount: number): Step =>
  (world) =>
    world.run(consume(amount));

const paid = step('checkout.session.completed.endive');
const refund = (id: string, amount: number, status: string, change: Record<string, unknown> = {}): Step =>
  step('refund.updated.endive', { id, amount, status, ...change });
const dispute = (id: string, amount: number, status: string, change: Record<string, unknown> = {}): Step =>
  step('charge.dispute.updated.endive', { id, amount, status, ...change });

type Flow = {
  readonly before?: readonly Step[];
  readonly steps: readonly Step[];
  readonly balance: object;
  readonly more?: object;
};

const subscribed: readonly Step[] = [
  step('checkout.session.completed.subscription.endive'),
  step('invoice.paid.endive', { payments: null }),
];
/** The same with the invoice paid otherwise; the link says which money paid it. */
const subscribedFor = (change: Record<string, unknown>): readonly Step[] => [
  step('checkout.session.completed.subscription.endive'),
  step('invoice.paid.endive', { payments: null, ...change }),
  step('invoice_payment.paid.endive', { payment: { type: 'payment_intent', payment_intent: 'pi_sub_1' } }),
];
const [planLine] = (stripeEvent('invoice.paid.endive').data.object['lines'] as { data: readonly object[] }).data;
const feeLine = {
  ...planLine,
  id: 'il_fee',
  amount: 10_000,
  subtotal: 10_000,
  discount_amounts: [],
  taxes: [],
  pricing: null,
};
const withFee = {
  data: [
    planLine,
    { ...feeLine, subscription: null, parent: { type: 'invoice_item_details', invoice_item_details: {} } },
  ],
  has_more: false,
};
const noteOn = (id: string, invoice_line_item: string, amount: number, refunds: readonly object[]): Step =>
  step('credit_note.created.endive', {
    id,
    amount,
    post_payment_amount: amount,
    refunds,
    lines: { data: [{ id: `${id}_1`, type: 'invoice_line_item', invoice_line_item, amount }], has_more: false },
  });
const inTwo = { id: 'cs_test_2', payment_intent: 'pi_2' };

const flows: { readonly [name: string]: Flow } = {
  'two refunds, the first under way for a while, until all is refunded': {
    steps: [
      paid,
      step('refund.created.endive'),
      refund('re_1', 400, 'succeeded'),
      step('charge.refunded.endive'),
      refund('re_2', 790, 'succeeded'),
      step('charge.refunded.endive', { amount_refunded: 1190 }),
    ],
    balance: { available: 0, held: 0, debt: 0 },
    more: { payments: { 'payment-pi_1': { status: 'refunded', refunded: 1190 } } },
  },
  'a refund of the card’s part of an invoice that a balance paid, too': {
    steps: [
      ...subscribedFor({ amount_paid: 1320, starting_balance: -1000 }),
      refund('re_1', 1320, 'succeeded', { payment_intent: 'pi_sub_1' }),
    ],
    // 1320 of 2320 minor units of 500 credits.
    balance: { available: 216, held: 0, debt: 0 },
    more: { payments: { 'payment-in_1': { status: 'refunded', refunded: 1320 } } },
  },
  'a refund where billing credits paid a part': {
    steps: [
      ...subscribedFor({
        amount_paid: 1320,
        total: 1320,
        total_pretax_credit_amounts: [{ amount: 1000, type: 'credit_balance_transaction' }],
      }),
      refund('re_1', 1320, 'succeeded', { payment_intent: 'pi_sub_1' }),
    ],
    balance: { available: 216, held: 0, debt: 0 },
  },
  'a credit note on an invoice that a balance paid whole': {
    steps: [
      ...subscribedFor({ amount_paid: 0, starting_balance: -2320 }),
      step('credit_note.created.endive', { post_payment_amount: 1160, amount: 1160, refunds: [] }),
    ],
    balance: { available: 250, held: 0, debt: 0 },
  },
  'credit notes on a fee and on half of the plan, one by a refund that it names': {
    steps: [
      ...subscribedFor({ amount_paid: 12_320, total: 12_320, lines: withFee }),
      noteOn('cn_1', 'il_fee', 10_000, [{ amount_refunded: 10_000, refund: 're_1', type: 'refund' }]),
      refund('re_1', 10_000, 'succeeded', { payment_intent: 'pi_sub_1' }),
      noteOn('cn_2', 'il_1', 1000, []),
    ],
    balance: { available: 250, held: 0, debt: 0 },
    more: { payments: { 'payment-in_1': { status: 'partially_refunded', refunded: 11_000 } } },
  },
  'three partial refunds whose credits do not divide': {
    steps: [paid, refund('re_1', 397, 'succeeded'), refund('re_2', 396, 'succeeded'), refund('re_3', 396, 'succeeded')],
    balance: { available: 2, held: 0, debt: 0 },
    more: { payments: { 'payment-pi_1': { status: 'partially_refunded', refunded: 1189 } } },
  },
  'a refund that the bank sends back': {
    steps: [paid, step('refund.created.endive'), refund('re_1', 400, 'succeeded'), step('refund.failed.endive')],
    balance: { available: 2000, held: 0, debt: 0 },
    more: { payments: { 'payment-pi_1': { status: 'succeeded', refunded: 0 } } },
  },
  'a refund that waits': {
    steps: [paid, step('refund.created.endive'), step('charge.succeeded.endive')],
    balance: { available: 1328, held: 672, debt: 0 },
    more: { payments: { 'payment-pi_1': { method: { brand: 'visa', last4: '4242' } } } },
  },
  'a refund that only the charge tells of': {
    steps: [paid, step('charge.refunded.endive'), step('charge.refunded.endive', { amount_refunded: 800 })],
    balance: { available: 655, held: 0, debt: 0 },
  },
  'a dispute that is lost, and won late': {
    steps: [
      paid,
      step('charge.dispute.created.endive'),
      step('charge.dispute.funds_withdrawn.endive'),
      step('charge.dispute.updated.endive'),
      step('charge.dispute.closed.endive'),
      step('charge.dispute.funds_reinstated.endive'),
    ],
    balance: { available: 2000, held: 0, debt: 0 },
  },
  'a dispute under way': {
    steps: [paid, step('charge.dispute.created.endive'), step('charge.dispute.updated.endive')],
    balance: { available: 0, held: 2000, debt: 0 },
    more: { payments: { 'payment-pi_1': { status: 'disputed' } } },
  },
  'an inquiry that ends without a dispute': {
    steps: [paid, dispute('du_1', 1190, 'warning_needs_response'), dispute('du_1', 1190, 'warning_closed')],
    balance: { available: 2000, held: 0, debt: 0 },
  },
  'a lost dispute of which the bank gives a part back': {
    steps: [
      paid,
      dispute('du_1', 1190, 'lost'),
      step('charge.dispute.funds_reinstated.endive', {
        status: 'lost',
        balance_transactions: [{ amount: -1190 }, { amount: 595 }],
      }),
    ],
    balance: { available: 1000, held: 0, debt: 0 },
  },
  'a refund and two disputes of one charge take no more than was granted': {
    steps: [
      paid,
      refund('re_1', 400, 'succeeded'),
      dispute('du_1', 1190, 'lost', { created: 1790812900 }),
      dispute('du_2', 1190, 'needs_response', { created: 1790812901 }),
    ],
    balance: { available: 0, held: 0, debt: 0 },
  },
  'spent credits become a debt that another purchase pays': {
    before: [applyCatalog, paid, consumed(1800)],
    steps: [
      refund('re_1', 1190, 'succeeded'),
      step('charge.refunded.endive', { amount_refunded: 1190 }),
      step('checkout.session.completed.endive', inTwo),
      step('charge.succeeded.endive', { id: 'ch_2', payment_intent: 'pi_2' }),
    ],
    balance: { available: 200, held: 0, debt: 0 },
  },
  'a debt that the bank undoes gives back what had paid it': {
    before: [applyCatalog, paid, consumed(1800)],
    steps: [
      dispute('du_1', 1190, 'lost'),
      step('checkout.session.completed.endive', inTwo),
      dispute('du_1', 1190, 'won'),
    ],
    balance: { available: 2200, held: 0, debt: 0 },
  },
  'a subscription whose invoice is refunded by its intent, and credited': {
    steps: [
      ...subscribed,
      step('invoice_payment.paid.endive'),
      refund('re_9', 580, 'succeeded', { payment_intent: 'pi_sub_1', charge: 'ch_sub_1' }),
      step('credit_note.created.endive', { refunds: [{ amount_refunded: 280, refund: 're_9' }] }),
    ],
    balance: { available: 310, held: 0, debt: 0 },
    more: {
      payments: {
        'payment-in_1': { status: 'partially_refunded', refunded: 880 },
        'payment-pi_sub_1': { partOf: 'in_1' },
      },
    },
  },
  'a credit note for the invoice of a top-up': {
    steps: [
      step('checkout.session.completed.endive', { invoice: 'in_1' }),
      step('invoice_payment.paid.endive', { payment: { type: 'payment_intent', payment_intent: 'pi_1' } }),
      step('credit_note.created.endive', { post_payment_amount: 595, refunds: [] }),
      refund('re_1', 100, 'succeeded'),
    ],
    balance: { available: 832, held: 0, debt: 0 },
  },
  'a credit note that is withdrawn': {
    steps: [...subscribed, step('credit_note.created.endive'), step('credit_note.voided.endive')],
    balance: { available: 500, held: 0, debt: 0 },
  },
  'a failed attempt and the one that succeeds': {
    steps: [
      paid,
      step('payment_intent.processing.endive'),
      step('payment_intent.payment_failed.endive'),
      step('payment_intent.succeeded.endive'),
    ],
    balance: { available: 2000, held: 0, debt: 0 },
    more: { payments: { 'payment-pi_1': { status: 'succeeded', failureReason: null } } },
  },
  'the life of an invoice': {
    steps: [
      step('invoice.created.endive'),
      step('invoice.finalized.endive'),
      step('invoice.payment_failed.endive'),
      step('invoice.payment_action_required.endive'),
      ...subscribed,
    ],
    balance: { available: 500, held: 0, debt: 0 },
    more: { invoices: { 'invoice-in_1': { status: 'paid', attemptCount: 1, number: 'A1B2C3-0001' } } },
  },
  'an invoice of nothing, which is paid when it is final': {
    steps: [
      step('invoice.created.endive'),
      step('invoice.paid.endive', { payments: null }),
      step('invoice.finalized.endive', { status: 'paid', attempt_count: 1, number: 'A1B2C3-0009' }, 60),
      step('checkout.session.completed.subscription.endive'),
    ],
    balance: { available: 500, held: 0, debt: 0 },
    more: { invoices: { 'invoice-in_1': { status: 'paid', number: 'A1B2C3-0009' } } },
  },
  'an invoice that nobody pays': {
    steps: [
      step('invoice.created.endive'),
      step('invoice.finalized.endive'),
      step('invoice.payment_failed.endive'),
      step('invoice.marked_uncollectible.endive'),
      step('checkout.session.completed.subscription.endive'),
    ],
    balance: { available: 0, held: 0, debt: 0 },
    more: { invoices: { 'invoice-in_1': { status: 'uncollectible', attemptCount: 4 } } },
  },
  'a payment past due for days, seen twice, and recovered': {
    steps: [
      step('customer.subscription.created.endive', { status: 'incomplete' }),
      step('customer.subscription.updated.endive', { status: 'active', cancel_at: null }, 10),
      step('customer.subscription.updated.endive', { status: 'past_due', cancel_at: null }, 20),
      step('customer.subscription.updated.endive', { status: 'past_due', cancel_at: null, quantity: 1 }, 30),
      step('customer.subscription.updated.endive', { status: 'active', cancel_at: null }, 40),
      step('customer.subscription.updated.endive', { status: 'past_due', cancel_at: null }, 50),
    ],
    balance: { available: 0, held: 0, debt: 0 },
    more: {
      subscriptions: {
        'subscription-sub_1': { standing: { status: 'past_due', pastDueSince: '2026-10-01T00:02:35.000Z' } },
      },
    },
  },
  'a cancellation that is undone, and an end that is not': {
    steps: [
      step('customer.subscription.created.endive'),
      step('customer.subscription.updated.endive', {}, 1),
      step('customer.subscription.updated.endive', { cancel_at: null }, 2),
      step('customer.subscription.paused.endive'),
      step('customer.subscription.resumed.endive'),
      step('customer.subscription.deleted.endive'),
    ],
    balance: { available: 0, held: 0, debt: 0 },
    more: {
      subscriptions: {
        'subscription-sub_1': { standing: { status: 'canceled', endedAt: '2026-10-01T00:03:25.000Z' } },
        'subscription-free_acme': { freePlanId: 'free' },
      },
    },
  },
};

/** All orders of up to five steps, and of six where it is quick; a sample of those of more. */
function* orders(steps: readonly Step[]): Generator<readonly Step[]> {
  if (steps.length <= 5) {
    yield* permutations(steps);
    return;
  }
  yield* [steps.toReversed()];
  yield* fc.sample(fc.shuffledSubarray([...steps], { minLength: steps.length }), { numRuns: 120, seed: 7 });
}

describe.each(Object.entries(flows))('%s', (_name, { before = [applyCatalog], steps, balance, more = {} }) => {
  const outcomeOf = (order: readonly Step[], drainEach: boolean): Promise<Ledger> =>
    ledgerAfter(before, order, drainEach);

  test('ends as it must, in any order', async () => {
    const first = await outcomeOf(steps, true);
    expect(first).toMatchObject({ balance, ...more, waiting: [] });
    let each = false;
    for (const order of orders(steps)) {
      each = !each;
      expect(await outcomeOf(order, each)).toEqual(first);
    }
  });

  test('ends the same when all of it is told again, and when it is worked off again from the start', async () => {
    const first = await outcomeOf(steps, true);
    expect(await outcomeOf([...steps, ...steps.toReversed(), ...steps], false)).toEqual(first);
    const world = new InboxWorld();
    for (const each of [...before, ...steps]) {
      await each(world);
      await world.drain();
    }
    const { length } = await world.store.readAll('', 10_000);
    await new InboxWorld(world.store).drain(7);
    expect((await world.store.readAll('', 10_000)).length).toBe(length);
  });
});

const ofTopUp = { payment_intent: 'pi_1', charge: 'ch_1' };
const ofSubscription = { payment_intent: 'pi_sub_1', charge: 'ch_sub_1' };
const goesBack: readonly [StripeFixture, Record<string, unknown>][] = [
  ['refund.updated.endive', { status: 'succeeded', ...ofTopUp }],
  ['refund.updated.endive', { status: 'succeeded', ...ofSubscription }],
  ['charge.refunded.endive', ofTopUp],
  ['charge.refunded.endive', { ...ofSubscription, id: 'ch_sub_1' }],
  ['charge.dispute.created.endive', { status: 'lost', ...ofTopUp }],
  ['charge.dispute.created.endive', { status: 'lost', ...ofSubscription }],
  ['credit_note.created.endive', { refunds: [] }],
];
describe.each(goesBack)('%s in another currency than the payment (%j)', (name, change) => {
  const other = event(name, { ...change, currency: 'eur' });
  const again = event(name, { ...change, currency: 'eur' });
  const bought = [paid, ...subscribed, step('invoice_payment.paid.endive')];

  test('takes nothing and waits for a person, in whatever order it is heard of', async () => {
    const orders = [...permutations([deliver(other), ...bought])];
    const first = await ledgerAfter([applyCatalog], [...bought, deliver(other), deliver(again)], true);
    for (const [index, order] of orders.entries()) {
      const eventCount = [...order.slice(0, index % 6), deliver(again), ...order.slice(index % 6)];
      expect(await ledgerAfter([applyCatalog], eventCount, index % 2 === 0)).toEqual(first);
    }
    expect(first).toMatchObject({
      balance: { available: 2500, held: 0, debt: 0 },
      waiting: [`${other.id} currency_mismatch`, `${again.id} currency_mismatch`],
      payments: { 'payment-in_1': { refunded: 0 }, 'payment-pi_1': { refunded: 0 } },
    });
  });

  test('waits on after another try, and leaves the right one its way', async () => {
    const [world, right] = [new InboxWorld(), event(name, change)];
    for (const each of [applyCatalog, deliver(other), ...bought, deliver(right)]) {
      await each(world);
      await world.drain();
    }
    const stream = stripeEventStream(other.id);
    await world.handlers.stripeEvent.execute({ ...byTest, stream, command: { type: 'RequestRetry' } });
    await world.drain();
    expect(await world.statusOf(other.id)).toBe('parked: currency_mismatch');
    expect(await world.statusOf(right.id)).toBe('translated');
    expect((await world.ledger()).balance.available).toBeLessThan(2500);
  });
});

describe('old and new shapes', () => {
  const pairs: readonly [StripeFixture, StripeFixture][] = [
    ['customer.subscription.created.endive', 'customer.subscription.created.acacia'],
    ['customer.subscription.updated.endive', 'customer.subscription.updated.acacia'],
    ['invoice.created.endive', 'invoice.created.acacia'],
    ['invoice.paid.endive', 'invoice.paid.acacia'],
    ['checkout.session.completed.endive', 'checkout.session.completed.acacia'],
  ];
  test.each(pairs)('%s and %s end in the same ledger', async (now, then) => {
    const link = step('customer.created.endive');
    const [one, other] = await Promise.all(
      [now, then].map((name) => ledgerAfter([applyCatalog, link], [step(name)], true)),
    );
    expect(one).toEqual(other);
    expect(one?.['waiting']).toEqual([]);
  });

  test('a refund inside of its charge is the refund itself', async () => {
    const within = await ledgerAfter(
      [applyCatalog],
      [paid, step('charge.refunded.acacia'), refund('re_1', 400, 'succeeded')],
      true,
    );
    expect(within).toEqual(
      await ledgerAfter([applyCatalog], [step('charge.refunded.endive'), refund('re_1', 400, 'succeeded'), paid], true),
    );
  });

  test('a charge of old names its invoice', async () => {
    const refunded = refund('re_9', 2320, 'succeeded', { payment_intent: 'pi_sub_1', charge: 'ch_sub_1' });
    const { balance } = await ledgerAfter(
      [applyCatalog],
      [...subscribed, refunded, step('charge.succeeded.acacia')],
      true,
    );
    expect(balance).toEqual({ available: 0, held: 0, debt: 0 });
  });
});

test('what is reserved for a dispute is nobody else’s to release or to spend', async () => {
  const world = new InboxWorld();
  for (const each of [applyCatalog, paid, step('charge.dispute.created.endive')]) {
    await each(world);
    await world.drain();
  }
  const [hold] = [...(await world.handlers.account.load('account-acme')).state.holds.values()];
  const holdId = hold?.id ?? '';
  await expect(world.run({ type: 'ReleaseHold', holdId })).rejects.toThrow('refused');
  await expect(world.run({ type: 'CaptureHold', holdId, amount: null, final: true })).rejects.toThrow('refused');
  await expect(consumed(1)(world)).rejects.toThrow('refused');
});
