import { describe, expect, test } from '@jest/globals';
import { invoiceDecider } from '#ledger/invoice.js';
import type { Attempt, PaymentState } from '#ledger/payment/state.js';
import { paymentDecider } from '#ledger/payment/payment.js';
import { stripeEventDecider } from '#ledger/stripe/event.js';
import { subscriptionDecider } from '#ledger/subscription/subscription.js';
import { catalogState } from '../../../test/support/ledger/catalog.js';
import { stripeEvent } from '../../../test/support/stripe/events.js';
import type { Json } from '#kernel/json.js';
import type { Fields } from '../shapes/fields.js';
import { normaliseInvoiceState } from '../shapes/invoice-state.js';
import type { PaymentIntent } from '../shapes/money.js';
import type { Session } from '../shapes/billing.js';
import { normaliseSubscription } from '../shapes/subscription.js';
import {
  compareCharge,
  compareDispute,
  compareEvent,
  compareIntent,
  compareInvoice,
  compareRefund,
  compareSession,
  compareSubscription,
  paymentOfSession,
} from './compare.js';
import { DecidedStream } from '../../../test/support/ledger/decided-stream.js';

const at = '2026-10-01T00:00:00.000Z';
const nothing = paymentDecider.initial('payment-pi_1');
const paid = (amount: number, currency = 'usd'): PaymentState => ({
  ...nothing,
  payment: { money: { amount, currency } } as never,
});

describe('an event', () => {
  const event = { id: 'evt_1', type: 'invoice.paid', created: at };
  const neverSeen = stripeEventDecider.initial('stripeEvent-evt_1');
  const received = { ...neverSeen, received: {} as never };

  test('that the ledger has not is missing; one of a type without meaning is not', () => {
    expect(compareEvent(event, neverSeen)?.type).toBe('event_missing');
    expect(compareEvent({ ...event, type: 'product.created' }, neverSeen)).toBeNull();
  });

  test('that waits or is translated is no difference, one that is parked is', () => {
    expect(compareEvent(event, { ...received, status: 'waiting' })).toBeNull();
    expect(compareEvent(event, { ...received, status: 'translated' })).toBeNull();
    const reason = { code: 'unknown_customer', subject: 'cus_1', detail: 'nobody' } as const;
    expect(compareEvent(event, { ...received, status: 'parked', reason })).toMatchObject({
      type: 'event_parked',
      ledger: { reason: 'unknown_customer' },
    });
  });
});

describe('a session', () => {
  const session: Session = {
    id: 'cs_1',
    mode: 'payment',
    paymentStatus: 'paid',
    chargedAt: at,
    stripeCustomerId: 'cus_1',
    clientReferenceId: null,
    metadata: { credits: '10' },
    amount: { total: 500, tax: 0, subtotal: null, currency: 'usd', converted: null },
    lines: [],
    paymentIntentId: 'pi_1',
    invoiceId: null,
  };

  test.each([
    [{}, 'pi_1'],
    [{ paymentIntentId: null }, 'cs_1'],
    [{ mode: 'subscription' }, null],
    [{ paymentStatus: 'unpaid' }, null],
    [{ amount: { total: 0, tax: 0, subtotal: null, currency: 'usd', converted: null } }, null],
    [{ metadata: { order: '7' } }, null],
  ])('with %j is kept under %s', (change, id) => {
    expect(paymentOfSession({ ...session, ...change })).toBe(id);
  });

  test('differs by amount and by currency', () => {
    expect(compareSession(session, paid(500))).toBeNull();
    expect(compareSession(session, paid(499))?.type).toBe('session_differs');
    expect(compareSession(session, paid(500, 'eur'))?.type).toBe('session_differs');
    const stripe = { amount: 500, currency: 'usd' };
    expect(compareSession(session, nothing)).toEqual({ type: 'session_missing', id: 'cs_1', stripe, ledger: null });
  });
});

describe('a payment intent', () => {
  const intent = (status: Attempt['status'], customer?: string): PaymentIntent => ({
    id: 'pi_1',
    stripeCustomerId: 'cus_1',
    metadata: customer === undefined ? {} : { customer_id: customer },
    invoiceId: null,
    sessionId: null,
    besidePrice: 0,
    attempt: { status, money: { amount: 500, currency: 'usd' }, failureReason: null, at },
  });
  const tried = (status: Attempt['status']): PaymentState => ({
    ...nothing,
    attempt: { status, customerId: 'acme', money: { amount: 500, currency: 'usd' }, failureReason: null, at },
  });

  test.each([
    ['a sale', intent('succeeded', 'acme'), paid(500), null],
    ['a sale of another amount', intent('succeeded', 'acme'), paid(400), 'payment_differs'],
    ['one that nobody told', intent('succeeded', 'acme'), nothing, 'payment_missing'],
    ['what paid an invoice', intent('succeeded'), { ...nothing, invoiceId: 'in_1' }, null],
    ['an attempt that the ledger takes for failed', intent('succeeded', 'acme'), tried('failed'), 'payment_differs'],
    ['an attempt whose session was given up', intent('failed', 'acme'), tried('canceled'), null],
    ['an attempt that failed since', intent('failed', 'acme'), tried('processing'), 'payment_differs'],
    ['what an invoice that was told of tells', intent('succeeded'), tried('processing'), null],
    ['an attempt under way again', intent('processing', 'acme'), tried('failed'), null],
    ['an attempt that failed', intent('failed'), nothing, 'payment_missing'],
  ] as const)('%s', (_name, intent, state, type) => {
    expect(
      compareIntent(intent, state, { isNamed: 'customer_id' in intent.metadata, isOurs: true })?.type ?? null,
    ).toBe(type);
  });

  test('of a customer that is not ours is none of the ledger', () => {
    const stranger = { isNamed: false, isOurs: false };
    expect(compareIntent(intent('failed'), nothing, stranger)).toBeNull();
    expect(compareIntent(intent('succeeded'), nothing, stranger)).toBeNull();
  });
});

describe('money back', () => {
  const refunded = (status: 'pending' | 'succeeded' | 'failed'): PaymentState => ({
    ...paid(500),
    moneyBack: { ...nothing.moneyBack, refunds: [{ refundId: 're_1', amount: 5, status, createdAt: at }] },
  });
  const refund = { refundId: 're_1', amount: 5, status: 'succeeded', createdAt: at } as const;

  test('differs by amount, status and currency', () => {
    expect(compareRefund(refund, 'usd', refunded('succeeded'))).toBeNull();
    expect(compareRefund(refund, 'usd', refunded('pending'))?.type).toBe('refund_differs');
    expect(compareRefund(refund, 'eur', refunded('succeeded'))?.type).toBe('refund_differs');
    expect(compareRefund({ ...refund, amount: 6 }, 'usd', refunded('succeeded'))?.type).toBe('refund_differs');
    expect(compareRefund(refund, 'usd', nothing)?.type).toBe('refund_missing');
  });

  test('of a charge is what its refunds sum to, those under way too', () => {
    const charge = (amount: number) => ({
      paymentId: 'pi_1',
      invoiceId: null,
      refunded: { chargeId: 'ch_1', amount, createdAt: at },
      refunds: [],
      method: { chargeId: 'ch_1', type: 'card', brand: 'visa', last4: '4242' },
    });
    const known = (state: PaymentState): PaymentState => ({ ...state, method: charge(0).method });
    expect(compareCharge(charge(5), known(refunded('succeeded')))).toBeNull();
    expect(compareCharge(charge(5), known(refunded('pending')))).toBeNull();
    expect(compareCharge(charge(5), known(refunded('failed')))?.ledger).toMatchObject({ refunded: 0 });
    expect(compareCharge(charge(0), paid(500))?.type).toBe('charge_differs');
    expect(compareCharge(charge(5), nothing)).toBeNull();
  });

  test('a dispute is compared in the words of the ledger; of a new status only that it is known', () => {
    const object = { id: 'dp_1', amount: 5, currency: 'usd', status: 'odd' };
    const fact = (status: 'open' | 'lost' | 'won') =>
      ({ disputeId: 'dp_1', amount: 5, reinstated: 0, status, createdAt: at }) as const;
    const kept = (status: 'open' | 'lost'): PaymentState => ({
      ...nothing,
      moneyBack: { ...nothing.moneyBack, disputes: [fact(status)] },
    });
    expect(compareDispute(object, fact('open'), kept('open'))).toBeNull();
    expect(compareDispute(object, fact('won'), kept('lost'))?.type).toBe('dispute_differs');
    expect(compareDispute({ ...object, amount: 6 }, fact('open'), kept('open'))?.type).toBe('dispute_differs');
    expect(compareDispute(object, null, kept('open'))).toBeNull();
    expect(compareDispute(object, null, nothing)?.type).toBe('dispute_missing');
  });
});

const objectOf = (name: Parameters<typeof stripeEvent>[0], change: Record<string, unknown> = {}): Fields =>
  stripeEvent(name, {}, change).data.object as { [key: string]: Json };

describe('an invoice', () => {
  const snapshot = (change: Record<string, unknown> = {}) => {
    const read = normaliseInvoiceState(objectOf('invoice.finalized.endive', change), at);
    if (!('ok' in read)) throw new Error(read.unreadable);
    return read.ok;
  };
  const known = new DecidedStream(invoiceDecider, at).given({
    type: 'ObserveInvoice',
    what: 'finalized',
    snapshot: { ...snapshot().snapshot, customerId: 'acme' },
  }).state;

  test.each([
    ['status', { status: 'void' }],
    ['total', { total: 1 }],
    ['amountRemaining', { amount_remaining: 1 }],
    ['currency', { currency: 'eur' }],
    ['periodEnd', { period_end: 1 }],
    ['attemptCount', { attempt_count: 7 }],
  ])('differs by %s', (member, change) => {
    expect(compareInvoice(snapshot(), known, true)).toBeNull();
    const difference = compareInvoice(snapshot(change), known, true);
    expect(difference?.type).toBe('invoice_differs');
    expect(difference?.stripe?.[member]).not.toEqual(difference?.ledger?.[member]);
  });

  test('that is paid at Stripe and only seen as such here has not brought its credits', () => {
    expect(compareInvoice(snapshot({ status: 'paid' }), known, true)?.ledger).toMatchObject({ status: 'not_paid' });
  });

  test('of a draft is looked for only; of strangers it is not', () => {
    expect(compareInvoice(snapshot({ status: 'draft', total: 1 }), known, true)).toBeNull();
    const neverSeen = invoiceDecider.initial('invoice-in_1');
    expect(compareInvoice(snapshot(), neverSeen, false)?.type).toBe('invoice_missing');
    expect(compareInvoice(snapshot({ parent: null }), neverSeen, false)).toBeNull();
    expect(compareInvoice(snapshot({ parent: null }), neverSeen, true)?.type).toBe('invoice_missing');
  });
});

describe('a subscription', () => {
  const catalog = catalogState();
  const object = objectOf('customer.subscription.updated.endive');
  const [row] = (object['items'] as { data: Record<string, unknown>[] }).data;
  const snapshot = (item: Record<string, unknown> = {}, change: Record<string, unknown> = {}) => {
    const read = normaliseSubscription({ ...object, ...change, items: { data: [{ ...row, ...item }] } } as Fields);
    if (!('ok' in read)) throw new Error(read.unreadable);
    return read.ok;
  };
  const { items, trialStart, trialEnd, canceledAt, endedAt, paused, status, cancelAt, cancelAtPeriodEnd } = snapshot();
  const [item] = items;
  const known = new DecidedStream(subscriptionDecider, at).given({
    type: 'ObserveSubscription',
    snapshot: {
      ...{ subscriptionId: 'sub_1', customerId: 'acme', planId: 'starter', interval: 'month', stage: 1, seenAt: at },
      ...{ quantity: item!.quantity, itemId: item!.id, periodStart: item!.periodStart, periodEnd: item!.periodEnd },
      ...{ trialStart, trialEnd, canceledAt, endedAt, paused, status },
      cancelAt: cancelAt ?? (cancelAtPeriodEnd ? item!.periodEnd : null),
    } as const,
  }).state;

  test.each([
    ['quantity', { quantity: 9 }, {}],
    ['plan', { price: 'price_unheard' }, {}],
    ['periodEnd', { current_period_end: 1_900_000_000 }, {}],
    ['status', {}, { status: 'past_due' }],
    ['cancelAt', {}, { cancel_at: 1_900_000_000 }],
    ['paused', {}, { pause_collection: { behavior: 'void' } }],
  ])('differs by %s', (member, inItem, change) => {
    expect(compareSubscription(snapshot(), known, catalog)).toBeNull();
    const difference = compareSubscription(snapshot(inItem, change), known, catalog);
    expect(difference?.type).toBe('subscription_differs');
    expect(difference?.stripe?.[member]).not.toEqual(difference?.ledger?.[member]);
  });

  test('that the ledger has not is missing', () => {
    const neverSeen = subscriptionDecider.initial('subscription-sub_1');
    expect(compareSubscription(snapshot(), neverSeen, catalog)?.type).toBe('subscription_missing');
  });
});
