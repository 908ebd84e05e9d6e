import type { Money } from '#kernel/amount.js';
import type { Decider } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';

/** Money that came in. `paymentId` is the payment intent's id, else the session's or the invoice's. */
export type PaymentFacts = {
  readonly paymentId: string;
  readonly customerId: string;
  readonly kind: 'top_up' | 'subscription';
  readonly money: Money;
  readonly paidAt: Instant;
  readonly paymentIntentId: string | null;
  readonly invoiceId: string | null;
  readonly sessionId: string | null;
};

export type PaymentCommand = { readonly type: 'RecordPayment' } & PaymentFacts;

export type PaymentEvent = { readonly type: 'PaymentSucceeded'; readonly at: Instant } & PaymentFacts;

export type PaymentState = { readonly payment: PaymentFacts | null };

const initial: PaymentState = { payment: null };

const evolve = (_state: PaymentState, event: PaymentEvent): PaymentState => ({ payment: event });

function decide(state: PaymentState, command: PaymentCommand, at: Instant): readonly PaymentEvent[] {
  if (state.payment !== null) return [];
  const { paymentId, customerId, kind, money, paidAt, paymentIntentId, invoiceId, sessionId } = command;
  return [
    { type: 'PaymentSucceeded', at, paymentId, customerId, kind, money, paidAt, paymentIntentId, invoiceId, sessionId },
  ];
}

export const paymentDecider: Decider<PaymentCommand, PaymentEvent, PaymentState, never> = {
  category: 'payment',
  initial: () => initial,
  decide: (state, command, moment) => decide(state, command, moment.at),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};
