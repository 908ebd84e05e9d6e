import type Stripe from 'stripe';
import { invalid, missing } from '../../core/api/errors.js';
import type { Charge, Refund } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { DAY } from '../../core/period.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { bookBalance } from './balance.js';

export type RefundRequest = {
  readonly charge: Charge;
  readonly amount: number;
  readonly reason: Stripe.Refund['reason'];
  readonly metadata: Record<string, string>;
};

function bookRefund(tx: Tx, refund: Refund, amount: number): string {
  const failed = amount > 0;
  return bookBalance(tx, {
    amount,
    currency: refund.currency,
    fee: 0,
    type: failed ? 'refund_failure' : 'refund',
    category: failed ? 'refund_failure' : 'refund',
    source: refund.id,
  }).id;
}

function moveRefunded(tx: Tx, chargeId: string, by: number, emits: boolean): void {
  const charge = tx.need('charge', chargeId);
  const amountRefunded = charge.amount_refunded + by;
  const changed: Charge = { ...charge, amount_refunded: amountRefunded, refunded: amountRefunded === charge.amount };
  tx.put('charge', charge.id, changed);
  if (emits) tx.emit('charge.refunded', changed, charge);
}

/** `refund.updated` and its older twin, which Stripe sends both. */
function emitUpdate(tx: Tx, next: Refund, before: Refund): void {
  tx.emit('refund.updated', next, before);
  tx.emit('charge.refund.updated', next, before);
}

/**
 * Refunds part or all of a charge. A card's refund succeeds at once; the test cards for pending and failing refunds get
 * their answer later (five days, or by the control API).
 */
export function makeRefund(tx: Tx, request: RefundRequest): Refund {
  const { charge, amount } = request;
  const method = charge.payment_method === null ? null : tx.get('payment_method', charge.payment_method);
  const kind = method?.sandbox.behaviour.refund;
  const isCard = method?.type !== 'sepa_debit';
  const refund: Refund = {
    id: tx.newId('refund'),
    object: 'refund',
    amount,
    balance_transaction: null,
    charge: charge.id,
    created: tx.now,
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    ...(isCard
      ? {
          destination_details: {
            card: { reference_status: 'pending', reference_type: 'acquirer_reference_number', type: 'refund' },
            type: 'card',
          },
        }
      : {}),
    metadata: request.metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    ...(kind === 'pending' ? { pending_reason: 'processing' } : {}),
    reason: request.reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: kind === 'pending' ? 'pending' : 'succeeded',
    transfer_reversal: null,
  };
  const booked: Refund = { ...refund, balance_transaction: bookRefund(tx, refund, -amount) };
  tx.create('refund', booked, 'refund.created');
  moveRefunded(tx, charge.id, amount, true);
  if (kind === 'pending') tx.schedule(tx.now + 5 * DAY, { task: 'settle_refund', id: refund.id, succeeds: true });
  else if (kind === 'fail') tx.schedule(tx.now + 5 * DAY, { task: 'settle_refund', id: refund.id, succeeds: false });
  else if (isCard) settleReference(tx, booked);
  return tx.need('refund', refund.id);
}

/** A card refund's reference number arrives right after: the `updated` events that were seen with every refund. */
function settleReference(tx: Tx, refund: Refund): void {
  const settled: Refund = {
    ...refund,
    destination_details: {
      type: 'card',
      card: {
        reference: tx.code('arn', 16),
        reference_status: 'available',
        reference_type: 'acquirer_reference_number',
        type: 'refund',
      },
    },
  };
  tx.put('refund', refund.id, settled);
  emitUpdate(tx, settled, refund);
}

/** The end of a refund: a pending one succeeds, or any that went out comes back as failed and the charge is whole again. */
export function settleRefund(tx: Tx, id: string, succeeds: boolean): void {
  const refund = tx.get('refund', id);
  if (refund === null || refund.status === 'failed' || refund.status === 'canceled') return;
  if (succeeds) {
    if (refund.status !== 'pending') return;
    const { pending_reason: _done, ...rest } = refund;
    const done: Refund = { ...rest, status: 'succeeded' };
    tx.put('refund', id, done);
    emitUpdate(tx, done, refund);
    return;
  }
  const failed: Refund = {
    ...refund,
    status: 'failed',
    failure_reason: 'expired_or_canceled_card',
    failure_balance_transaction: bookRefund(tx, refund, refund.amount),
  };
  tx.put('refund', id, failed);
  moveRefunded(tx, refund.charge, -refund.amount, false);
  tx.emit('refund.failed', failed, refund);
  emitUpdate(tx, failed, refund);
}

/** The charge that a refund is for, by `charge` or `payment_intent`. */
export function chargeFor(tx: Tx, params: Params): Charge {
  const chargeId = params.text('charge');
  const intentId = params.text('payment_intent');
  if (chargeId !== undefined) return tx.need('charge', chargeId, 'charge');
  if (intentId === undefined)
    throw invalid('One of the following params should be provided for this request: payment_intent or charge.');
  const intent = tx.need('payment_intent', intentId, 'payment_intent');
  if (intent.latest_charge === null) {
    throw invalid(
      'This PaymentIntent does not have a successful charge to refund.',
      'payment_intent',
      'payment_intent_unexpected_state',
    );
  }
  return tx.need('charge', intent.latest_charge);
}

/** Refuses a refund that is not due: nothing was paid, all was given back, disputed, or more than what is left. */
export function checkRefundable(charge: Charge, amount: number, param = 'amount'): void {
  if (charge.status !== 'succeeded')
    throw invalid(`Charge ${charge.id} has not succeeded and cannot be refunded.`, 'charge', 'charge_not_refundable');
  if (charge.disputed)
    throw invalid(`Charge ${charge.id} has been charged back; cannot issue a refund.`, 'charge', 'charge_disputed');
  if (charge.refunded)
    throw invalid(`Charge ${charge.id} has already been refunded.`, 'charge', 'charge_already_refunded');
  if (amount < 1) throw invalid('Invalid positive integer', param, 'parameter_invalid_integer');
  const left = charge.amount - charge.amount_refunded;
  if (amount > left) {
    throw invalid(
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`,
      param,
      'charge_amount_invalid',
    );
  }
}

function create(tx: Tx, params: Params): Refund {
  params.accept('instructions_email', 'refund_application_fee', 'reverse_transfer');
  const charge = chargeFor(tx, params);
  const amount = params.integer('amount') ?? charge.amount - charge.amount_refunded;
  const reason = params.oneOf('reason', ['duplicate', 'fraudulent', 'requested_by_customer']) ?? null;
  const metadata = params.metadata();
  checkRefundable(charge, amount);
  return makeRefund(tx, { charge, amount, reason, metadata });
}

function cancel(tx: Tx, id: string): Refund {
  const refund = tx.need('refund', id);
  if (refund.status !== 'pending')
    throw invalid('Only a pending refund can be canceled.', undefined, 'refund_not_cancelable');
  const canceled: Refund = { ...refund, status: 'canceled' };
  tx.put('refund', id, canceled);
  moveRefunded(tx, refund.charge, -refund.amount, false);
  emitUpdate(tx, canceled, refund);
  return canceled;
}

export const refundRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/refunds', run: ({ tx, params }) => create(tx, params) },
  retrieving('refund', '/v1/refunds'),
  {
    method: 'POST',
    path: '/v1/refunds/:id',
    run: ({ tx, id, params }) => {
      const refund = tx.need('refund', id);
      const changed: Refund = { ...refund, metadata: params.metadata(refund.metadata ?? {}) };
      tx.put('refund', id, changed);
      emitUpdate(tx, changed, refund);
      return changed;
    },
  },
  { method: 'POST', path: '/v1/refunds/:id/cancel', run: ({ tx, id }) => cancel(tx, id) },
  {
    method: 'GET',
    path: '/v1/charges/:id/refunds/:refund',
    run: ({ tx, ids }) => {
      const refund = tx.need('refund', ids[1] ?? '');
      if (refund.charge !== ids[0]) throw missing('refund', refund.id);
      return refund;
    },
  },
  listing('refund', '/v1/refunds', (params) => {
    const [charge, intent] = [params.text('charge'), params.text('payment_intent')];
    return (refund) =>
      matching(charge, (value) => refund.charge === value) &&
      matching(intent, (value) => refund.payment_intent === value);
  }),
];
