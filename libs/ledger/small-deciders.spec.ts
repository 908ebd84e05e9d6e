import { describe, expect, test } from '@jest/globals';
import type { Decider, Refused, TypedEvent } from '#kernel/decider.js';
import { DecidedStream } from '../../test/support/ledger/decided-stream.js';
import { permutations } from '../../test/support/permutations.js';
import { customerDecider, stripeCustomersOf, type CustomerCommand, type StripeCustomerLink } from './customer.js';
import { invoiceDecider } from './invoice.js';
import { paymentDecider } from './payment/payment.js';
import { stripeEventDecider, type StripeEventCommand } from './stripe/event.js';
import { subscriptionDecider, type SubscriptionCommand } from './subscription/subscription.js';

const at = '2026-10-01T00:00:00.000Z';

/** What a stream answers to commands one after the other, and its state then. */
function after<C, E extends TypedEvent, S, R extends Refused>(decider: Decider<C, E, S, R>, commands: readonly C[]) {
  const stream = new DecidedStream(decider, at);
  return { outcomes: commands.map((command) => stream.run(command)), state: stream.state };
}

describe('a customer', () => {
  const register: CustomerCommand = { type: 'RegisterCustomer', customerId: 'acme' };
  const observed = (
    stripeCustomerId: string,
    version: number,
    relation: StripeCustomerLink['relation'] = 'linked',
  ): CustomerCommand => {
    const since = `2026-10-0${stripeCustomerId.slice(-1)}T00:00:00.000Z`;
    return { type: 'ObserveStripeCustomer', customerId: 'acme', stripeCustomerId, since, relation, version };
  };
  const erase: CustomerCommand = { type: 'EraseCustomer', customerId: 'acme' };
  const change = (fields: readonly ('name' | 'email')[]): CustomerCommand => ({
    type: 'ChangeContact',
    customerId: 'acme',
    fields,
  });

  test('is registered once, by whatever is heard of it first', () => {
    expect(after(customerDecider, [register, register]).outcomes).toEqual(['CustomerRegistered', '']);
    expect(after(customerDecider, [observed('cus_1', 1)]).outcomes).toEqual([
      'CustomerRegistered StripeCustomerLinked',
    ]);
    expect(after(customerDecider, [change(['name']), change([])]).outcomes).toEqual([
      'CustomerRegistered CustomerContactChanged',
      '',
    ]);
  });

  test('buys under the Stripe customer that named it first, in whatever order they are known', () => {
    const steps = [observed('cus_2', 1), observed('cus_1', 1), observed('cus_3', 1)];
    for (const order of permutations(steps)) {
      const { state, outcomes } = after(customerDecider, [...order, ...steps]);
      expect(stripeCustomersOf(state)).toEqual(['cus_1', 'cus_2', 'cus_3']);
      expect(outcomes.slice(3)).toEqual(['', '', '']);
    }
  });

  test('buys under the next one when the first was deleted, whatever an older version says', () => {
    const { state } = after(customerDecider, [
      observed('cus_1', 1),
      observed('cus_2', 1),
      observed('cus_1', 3, 'deleted'),
      observed('cus_1', 2),
    ]);
    expect(stripeCustomersOf(state)).toEqual(['cus_2']);
    expect(state.stripeCustomers.map(({ relation }) => relation)).toEqual(['deleted', 'linked']);
  });

  test('is erased once and not registered again', () => {
    const outcomes = after(customerDecider, [erase, register, erase, erase, register, change(['name'])]).outcomes;
    expect(outcomes).toEqual([
      'customer_not_found',
      'CustomerRegistered',
      'CustomerErased',
      '',
      'customer_erased',
      'customer_erased',
    ]);
  });
});

describe('a Stripe event', () => {
  const receive: StripeEventCommand = {
    type: 'ReceiveStripeEvent',
    stripeEventId: 'evt_1',
    stripeType: 'invoice.paid',
    created: at,
    livemode: false,
    apiVersion: null,
    payload: null,
  };
  const park = (subject: string): StripeEventCommand => ({
    type: 'ParkStripeEvent',
    reason: { code: 'unknown_customer', subject, detail: '' },
  });
  const retry: StripeEventCommand = { type: 'RequestRetry' };
  const translated: StripeEventCommand = { type: 'RecordTranslation', effects: [] };

  test('is received once and must be there before anything else', () => {
    expect(after(stripeEventDecider, [translated, park('a'), retry]).outcomes).toEqual(
      Array(3).fill('stripe_event_not_found'),
    );
    expect(after(stripeEventDecider, [receive, receive, translated, receive]).outcomes).toEqual([
      'StripeEventReceived',
      '',
      'StripeEventTranslated',
      '',
    ]);
  });

  test('is parked once for each reason, again after a retry, never after its translation', () => {
    const event = new DecidedStream(stripeEventDecider, at).given(receive);
    expect(event.run(retry)).toBe('');
    expect([park('a'), park('a'), park('b')].map((command) => event.run(command))).toEqual([
      'StripeEventParked',
      '',
      'StripeEventParked',
    ]);
    expect([retry, retry].map((command) => event.run(command))).toEqual(['StripeEventRetryRequested', '']);
    expect(event.run(park('b'))).toBe('StripeEventParked');
    expect([translated, translated].map((command) => event.run(command))).toEqual(['StripeEventTranslated', '']);
    expect([park('c'), retry].map((command) => event.run(command))).toEqual(['', '']);
  });
});

describe('a subscription', () => {
  const period = (start: string, end: string, first = false): SubscriptionCommand => ({
    type: 'RecordPaidPeriod',
    subscriptionId: 'sub_1',
    customerId: 'acme',
    planId: 'starter',
    interval: 'month',
    periodStart: start,
    periodEnd: end,
    itemId: 'si_1',
    creditsPerMonth: 500,
    cost: null,
    first,
    invoiceId: 'in_1',
  });

  test('has the same current period in whatever order its periods are heard of', () => {
    const [one, two] = [
      period('2026-10-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z', true),
      period('2026-11-01T00:00:00.000Z', '2026-12-01T00:00:00.000Z'),
    ];
    const forth = after(subscriptionDecider, [one, two]);
    const back = after(subscriptionDecider, [two, one]);
    expect(forth.outcomes).toEqual(['SubscriptionActivated', 'SubscriptionRenewed']);
    expect(back.outcomes).toEqual(['SubscriptionRenewed', 'SubscriptionActivated']);
    expect(back.state).toEqual(forth.state);
  });

  test('to a free plan starts once', () => {
    const start = (planId: string): SubscriptionCommand => ({
      type: 'StartFreePlan',
      subscriptionId: 'free_acme',
      customerId: 'acme',
      planId,
    });
    expect(after(subscriptionDecider, [start('free'), start('free'), start('other')]).outcomes).toEqual([
      'SubscriptionStarted',
      '',
      'SubscriptionStarted',
    ]);
  });
});

test('a payment and a paid invoice are recorded once', () => {
  const money = { amount: 5, currency: 'usd' };
  const payment = {
    type: 'RecordPayment',
    paymentId: 'pi_1',
    customerId: 'acme',
    kind: 'top_up',
    money,
    total: 5,
    paidAt: at,
    paymentIntentId: 'pi_1',
    invoiceId: null,
    sessionId: null,
  } as const;
  expect(after(paymentDecider, [payment, payment]).outcomes).toEqual(['PaymentSucceeded', '']);
  const invoice = {
    type: 'RecordInvoicePaid',
    invoiceId: 'in_1',
    customerId: 'acme',
    subscriptionId: null,
    paid: money,
    total: money,
    paidAt: at,
    periodStart: null,
    periodEnd: null,
    hostedInvoiceUrl: null,
  } as const;
  expect(after(invoiceDecider, [invoice, invoice]).outcomes).toEqual(['InvoicePaid', '']);
});
