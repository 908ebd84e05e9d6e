import type Stripe from 'stripe';
import { ApiError } from '../../core/api/errors.js';
import type { Behaviour, Charge, PaymentIntent, PaymentMethod } from '../../core/model.js';
import { MINUTE } from '../../core/period.js';
import { NEWEST_VERSION, present } from '../../core/api/present.js';
import type { Tx } from '../../core/tx.js';
import { bookCharge, messageOf, newCharge } from './objects.js';

/** How long a bank takes to answer a debit. Days in life; short here, and the clock can be moved. */
const bankDelay = 3 * MINUTE;

export type Failure = {
  readonly code: string;
  readonly declineCode: string;
  readonly message: string;
  readonly charge: string;
};
export type Outcome =
  | { readonly status: 'succeeded' | 'processing' | 'requires_action' | 'requires_capture' }
  | { readonly status: 'failed'; readonly failure: Failure };

/** Uses up a requested decline, if one waits. */
function forcedDecline(tx: Tx): Behaviour | null {
  const { declineNext, declineCode } = tx.faults;
  if (declineNext === 0) return null;
  tx.faults = { ...tx.faults, declineNext: declineNext - 1 };
  return {
    charge: 'decline',
    declineCode,
    errorCode: declineCode === 'expired_card' ? 'expired_card' : 'card_declined',
  };
}

type How = { readonly offSession: boolean; readonly authenticated: boolean };

function needsAuthentication(method: PaymentMethod, how: How): boolean {
  return !how.authenticated && method.sandbox.behaviour.authentication !== undefined;
}

/**
 * Charges a payment intent to a method, and tells the events of what came of it. The intent and its charge are stored
 * also when the payment fails; what the payment was for is the caller's work.
 */
export function attempt(
  tx: Tx,
  before: PaymentIntent,
  method: PaymentMethod,
  how: How,
): { intent: PaymentIntent; outcome: Outcome } {
  const intent: PaymentIntent = {
    ...before,
    payment_method: method.id,
    next_action: null,
    last_payment_error: null,
    sandbox: { ...before.sandbox, offSession: how.offSession },
  };
  const forced = forcedDecline(tx);
  if (forced === null && needsAuthentication(method, how)) return askAuthentication(tx, intent);
  const behaviour = forced ?? method.sandbox.behaviour;
  if (behaviour.charge === 'decline') return fail(tx, intent, method, behaviour);
  if (behaviour.charge !== 'succeed') {
    const charge = tx.create('charge', newCharge(tx, intent, method, 'pending', null), 'charge.pending');
    const processing: PaymentIntent = { ...intent, status: 'processing', latest_charge: charge.id };
    tx.put('payment_intent', intent.id, processing);
    tx.emit('payment_intent.processing', processing);
    tx.schedule(tx.now + bankDelay, {
      task: 'settle_payment',
      id: intent.id,
      succeeds: behaviour.charge === 'async_succeed',
    });
    return { intent: processing, outcome: { status: 'processing' } };
  }
  if (how.authenticated && behaviour.authentication === 'until_set_up' && method.customer !== null) {
    tx.put('payment_method', method.id, { ...method, sandbox: { behaviour: { charge: 'succeed' } } });
  }
  return succeed(tx, intent, method);
}

function askAuthentication(tx: Tx, intent: PaymentIntent): { intent: PaymentIntent; outcome: Outcome } {
  const url = `${tx.site}/authenticate/${intent.id}`;
  const asking: PaymentIntent = {
    ...intent,
    status: 'requires_action',
    next_action: { type: 'redirect_to_url', redirect_to_url: { return_url: null, url } },
  };
  tx.put('payment_intent', intent.id, asking);
  tx.emit('payment_intent.requires_action', asking);
  return { intent: asking, outcome: { status: 'requires_action' } };
}

function succeed(tx: Tx, intent: PaymentIntent, method: PaymentMethod): { intent: PaymentIntent; outcome: Outcome } {
  const manual = intent.capture_method === 'manual';
  const charge = tx.create(
    'charge',
    newCharge(tx, intent, method, manual ? 'uncaptured' : 'succeeded', null),
    'charge.succeeded',
  );
  const done: PaymentIntent = {
    ...intent,
    status: manual ? 'requires_capture' : 'succeeded',
    amount_capturable: manual ? intent.amount : 0,
    amount_received: manual ? 0 : intent.amount,
    latest_charge: charge.id,
  };
  tx.put('payment_intent', intent.id, done);
  tx.emit(manual ? 'payment_intent.amount_capturable_updated' : 'payment_intent.succeeded', done);
  if (method.sandbox.behaviour.dispute !== undefined) tx.follow({ task: 'open_dispute', id: charge.id });
  return { intent: done, outcome: { status: manual ? 'requires_capture' : 'succeeded' } };
}

function fail(
  tx: Tx,
  intent: PaymentIntent,
  method: PaymentMethod,
  behaviour: Behaviour,
): { intent: PaymentIntent; outcome: Outcome } {
  const charge = tx.create('charge', newCharge(tx, intent, method, 'failed', behaviour), 'charge.failed');
  return afterFailure(tx, { ...intent, latest_charge: charge.id }, method, behaviour);
}

function afterFailure(
  tx: Tx,
  intent: PaymentIntent,
  method: PaymentMethod,
  behaviour: Behaviour,
): { intent: PaymentIntent; outcome: Outcome } {
  const failure: Failure = {
    code: behaviour.errorCode ?? 'card_declined',
    declineCode: behaviour.declineCode ?? 'generic_decline',
    message: messageOf(behaviour),
    charge: intent.latest_charge ?? '',
  };
  const failed: PaymentIntent = {
    ...intent,
    status: 'requires_payment_method',
    payment_method: null,
    last_payment_error: {
      charge: failure.charge,
      code: failure.code,
      decline_code: failure.declineCode,
      doc_url: `https://stripe.com/docs/error-codes/${failure.code.replaceAll('_', '-')}`,
      message: failure.message,
      payment_method: present(method, NEWEST_VERSION) as Stripe.PaymentMethod,
      type: 'card_error',
    },
  };
  tx.put('payment_intent', intent.id, failed);
  tx.emit('payment_intent.payment_failed', failed);
  return { intent: failed, outcome: { status: 'failed', failure } };
}

/** The 402 that a declined payment answers with. What was tried stays recorded. */
export function declinedError(intent: PaymentIntent, failure: Failure): ApiError {
  return new ApiError(
    402,
    {
      type: 'card_error',
      code: failure.code,
      decline_code: failure.declineCode,
      message: failure.message,
      charge: failure.charge,
      doc_url: `https://stripe.com/docs/error-codes/${failure.code.replaceAll('_', '-')}`,
      payment_intent: present(intent, NEWEST_VERSION) as Stripe.PaymentIntent,
    },
    true,
  );
}

/** A bank's late answer to a debit that was processing. */
export function settle(tx: Tx, id: string, succeeds: boolean): void {
  const intent = tx.get('payment_intent', id);
  if (intent?.status !== 'processing' || intent.latest_charge === null || intent.payment_method === null) return;
  const charge = tx.need('charge', intent.latest_charge);
  const method = tx.need('payment_method', intent.payment_method);
  if (succeeds) {
    const balance = bookCharge(tx, charge.id, charge.amount, charge.currency);
    const paid: Charge = {
      ...charge,
      status: 'succeeded',
      paid: true,
      amount_captured: charge.amount,
      balance_transaction: balance,
    };
    tx.put('charge', charge.id, paid);
    tx.emit('charge.succeeded', paid);
    const done: PaymentIntent = { ...intent, status: 'succeeded', amount_received: intent.amount };
    tx.put('payment_intent', id, done);
    tx.emit('payment_intent.succeeded', done);
    if (method.sandbox.behaviour.dispute !== undefined) tx.follow({ task: 'open_dispute', id: charge.id });
  } else {
    const failed: Charge = {
      ...charge,
      status: 'failed',
      captured: false,
      failure_code: 'debit_not_authorized',
      failure_message: 'The customer has notified their bank that this payment was unauthorized.',
    };
    tx.put('charge', charge.id, failed);
    tx.emit('charge.failed', failed);
    afterFailure(tx, intent, method, {
      charge: 'decline',
      errorCode: 'payment_intent_payment_attempt_failed',
      declineCode: 'debit_not_authorized',
    });
  }
  tx.follow({ task: 'payment_settled', id });
}

/** The customer's answer to an authentication that was asked for: pays, or fails for good. */
export function authenticate(tx: Tx, id: string, passes: boolean): void {
  const intent = tx.need('payment_intent', id);
  if (intent.status !== 'requires_action' || intent.payment_method === null) return;
  const method = tx.need('payment_method', intent.payment_method);
  if (passes) attempt(tx, intent, method, { offSession: intent.sandbox.offSession, authenticated: true });
  else
    afterFailure(tx, { ...intent, next_action: null }, method, {
      charge: 'decline',
      errorCode: 'payment_intent_authentication_failure',
      declineCode: 'authentication_required',
    });
  tx.follow({ task: 'payment_settled', id });
}

/** Cancels an intent that has not been paid; does nothing to one that has. */
export function cancelIntent(tx: Tx, id: string, reason: Stripe.PaymentIntent['cancellation_reason']): void {
  const intent = tx.get('payment_intent', id);
  if (intent === null || ['succeeded', 'canceled', 'processing'].includes(intent.status)) return;
  const canceled: PaymentIntent = {
    ...intent,
    status: 'canceled',
    canceled_at: tx.now,
    cancellation_reason: reason,
    amount_capturable: 0,
    next_action: null,
  };
  tx.put('payment_intent', id, canceled);
  tx.emit('payment_intent.canceled', canceled);
}
