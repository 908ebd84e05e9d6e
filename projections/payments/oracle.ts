import { assert } from '#kernel/assert.js';
import type { PaymentRecord } from '#ledger/payment/record.js';
import type { PaymentEvent } from '#ledger/payment/payment.js';
import { document } from '#database/values.js';
import { perStream } from '../per-stream.js';

type Success = Extract<PaymentEvent, { type: 'PaymentSucceeded' }>;
type Folded = {
  readonly newest: PaymentEvent | null;
  readonly success: Success | null;
  /** The customer that an attempt to pay named first. */
  readonly attemptedBy: string | null;
  /** The invoices that the money is said to have paid. */
  readonly invoices: readonly string[];
};

/** Reads whose a payment is and what it is a part of from its facts; the record as the newest event has it. */
export const paymentsOracle = perStream<Folded>({
  table: 'payments',
  initial: { newest: null, success: null, attemptedBy: null, invoices: [] },
  after: (folded, { event }) => withFacts(folded, event as PaymentEvent),
  row: ({ newest, success, attemptedBy, invoices }, stream) => {
    if (newest === null) return null;
    const record = newest.record ?? recordOf(newest);
    const isOfNothing = (success?.money ?? record.money)?.amount === 0;
    return {
      id: stream.slice('payment-'.length),
      customer_id: isOfNothing ? '' : (success?.customerId ?? attemptedBy ?? ''),
      part_of: success === null ? (invoices.toSorted()[0] ?? null) : null,
      status: record.status,
      created_at: success?.paidAt ?? record.createdAt ?? newest.at,
      record: document(record),
    };
  },
});

function withFacts(folded: Folded, event: PaymentEvent): Folded {
  const next = { ...folded, newest: event };
  switch (event.type) {
    case 'PaymentSucceeded':
      return { ...next, success: folded.success ?? event };
    case 'PaymentFailed':
    case 'PaymentProgressed':
      return { ...next, attemptedBy: folded.attemptedBy ?? event.attempt.customerId };
    case 'PaymentLinked':
      return { ...next, invoices: [...folded.invoices, event.invoiceId] };
    default:
      return next;
  }
}

/** A payment whose first event says all of it has no record in it. */
function recordOf(event: PaymentEvent): PaymentRecord {
  assert(event.type === 'PaymentSucceeded', `a ${event.type} has no record of its payment`);
  const { paymentId, customerId, kind, money, paymentIntentId, invoiceId, sessionId, paidAt } = event;
  return {
    id: paymentId,
    customerId,
    type: kind === 'subscription' ? 'subscription_payment' : kind,
    status: 'succeeded',
    money,
    refunded: 0,
    method: null,
    failureReason: null,
    paymentIntentId: paymentIntentId ?? (paymentId.startsWith('pi_') ? paymentId : null),
    chargeId: null,
    invoiceId,
    sessionId,
    paidAt,
    refundedAt: null,
    createdAt: paidAt,
    partOf: null,
  };
}
