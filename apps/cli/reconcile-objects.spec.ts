import { describe, expect, test } from '@jest/globals';
import type Stripe from 'stripe';
import { paymentDecider } from '#ledger/payment.js';
import { stripeEventDecider } from '#ledger/stripe-event.js';
import { compareDispute, compareEvent, compareRefund, compareSession, paymentOfSession } from './reconcile-objects.js';

const nothing = paymentDecider.initial('payment-pi_1');
const event = { id: 'evt_1', type: 'invoice.paid', created: 1 } as Stripe.Event;
const unheard = stripeEventDecider.initial('stripeEvent-evt_1');
const received = { ...unheard, received: {} as never };

describe('an event', () => {
  test('that the ledger has not is missing; one of a type without meaning is not', () => {
    expect(compareEvent(event, unheard)?.type).toBe('event_missing');
    expect(compareEvent({ ...event, type: 'product.created' } as Stripe.Event, unheard)).toBeNull();
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
  const session = {
    id: 'cs_1',
    mode: 'payment',
    payment_status: 'paid',
    payment_intent: 'pi_1',
    amount_total: 500,
    currency: 'usd',
    metadata: { credits: '10' },
  } as unknown as Stripe.Checkout.Session;
  const money = (amount: number, currency = 'usd') => ({
    ...nothing,
    payment: { money: { amount, currency } } as never,
  });

  test.each([
    [{}, 'pi_1'],
    [{ payment_intent: { id: 'pi_2' } }, 'pi_2'],
    [{ payment_intent: null }, 'cs_1'],
    [{ mode: 'subscription' }, null],
    [{ payment_status: 'unpaid' }, null],
    [{ amount_total: 0 }, null],
    [{ metadata: { order: '7' } }, null],
  ])('with %j is kept under %s', (change, id) => {
    expect(paymentOfSession({ ...session, ...change } as Stripe.Checkout.Session)).toBe(id);
  });

  test('differs by amount and by currency', () => {
    expect(compareSession(session, money(500))).toBeNull();
    expect(compareSession(session, money(499))?.type).toBe('payment_differs');
    expect(compareSession(session, money(500, 'eur'))?.type).toBe('payment_differs');
    expect(compareSession(session, nothing)).toEqual({
      type: 'payment_missing',
      id: 'cs_1',
      stripe: { amount: 500, currency: 'usd' },
      ledger: null,
    });
  });
});

describe('money back', () => {
  const at = '2026-10-01T00:00:00.000Z';
  const refunded = (status: 'pending' | 'succeeded' | 'failed') => ({
    ...nothing,
    moneyBack: { ...nothing.moneyBack, refunds: [{ refundId: 're_1', amount: 5, status, createdAt: at }] },
  });

  test.each([
    ['succeeded', 'succeeded', null],
    ['canceled', 'failed', null],
    ['requires_action', 'pending', null],
    ['succeeded', 'pending', 'refund_differs'],
  ] as const)('a refund that is %s and kept as %s: %s', (status, kept, type) => {
    expect(compareRefund({ id: 're_1', amount: 5, status }, refunded(kept))?.type ?? null).toBe(type);
  });

  test('a dispute is compared in the words of the ledger; of a new status only that it is known', () => {
    const dispute = (status: string) => ({ id: 'dp_1', status }) as Stripe.Dispute;
    const kept = (status: 'inquiry' | 'open' | 'lost' | 'won') => ({
      ...nothing,
      moneyBack: {
        ...nothing.moneyBack,
        disputes: [{ disputeId: 'dp_1', amount: 5, reinstated: 0, status, createdAt: at }],
      },
    });
    expect(compareDispute(dispute('under_review'), kept('open'))).toBeNull();
    expect(compareDispute(dispute('won'), kept('lost'))?.type).toBe('dispute_differs');
    expect(compareDispute(dispute('unheard_of'), kept('open'))).toBeNull();
    expect(compareDispute(dispute('unheard_of'), nothing)?.type).toBe('dispute_missing');
  });
});
