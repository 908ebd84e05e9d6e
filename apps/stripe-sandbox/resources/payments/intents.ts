import { invalid } from '../../core/api/errors.js';
import type { Charge, PaymentIntent, PaymentMethod } from '../../core/model.js';
import { checkChargeable, checkedCurrency } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { bookBalance, feeOf } from './balance.js';
import { customerOf } from '../customers/customers.js';
import { attach, methodFromParams, payingMethod, spend } from './methods.js';
import { newIntent } from './objects.js';
import { attempt, cancelIntent, declinedError } from './payments.js';

const confirmParams = [
  'return_url',
  'mandate_data',
  'error_on_requires_action',
  'payment_method_options',
  'use_stripe_sdk',
] as const;

/** Pays an intent with a method: 402 when declined. Keeps the method for the customer when `setup_future_usage` asks so. */
function confirm(tx: Tx, intent: PaymentIntent, params: Params): PaymentIntent {
  params.accept(...confirmParams);
  // First of all: the method of one that succeeded may be used up.
  if (!['requires_payment_method', 'requires_confirmation', 'requires_action'].includes(intent.status)) {
    throw invalid(
      `You cannot confirm this PaymentIntent because it has already ${intent.status === 'canceled' ? 'been canceled' : 'succeeded after being previously confirmed'}.`,
      undefined,
      'payment_intent_unexpected_state',
    );
  }
  const data = params.child('payment_method_data');
  const given = params.text('payment_method');
  const method: PaymentMethod | null =
    data !== undefined
      ? methodFromParams(tx, data)
      : given !== undefined
        ? payingMethod(tx, given, intent.customer)
        : intent.payment_method === null
          ? null
          : payingMethod(tx, intent.payment_method, intent.customer);
  if (method === null) {
    throw invalid(
      'You cannot confirm this PaymentIntent because it is missing a payment method.',
      undefined,
      'payment_intent_unexpected_state',
    );
  }
  const offSession = params.flag('off_session') ?? false;
  const result = attempt(tx, intent, method, { offSession, authenticated: false });
  if (result.outcome.status === 'failed') {
    if (intent.sandbox.invoice !== null) tx.follow({ task: 'payment_settled', id: intent.id });
    throw declinedError(result.intent, result.outcome.failure);
  }
  if (result.outcome.status === 'succeeded') {
    if (intent.customer !== null && intent.setup_future_usage !== null)
      attach(tx, tx.need('payment_method', method.id), intent.customer);
    else spend(tx, method.id);
    if (intent.sandbox.invoice !== null || intent.sandbox.session !== null)
      tx.follow({ task: 'payment_settled', id: intent.id });
  }
  return result.intent;
}

function create(tx: Tx, params: Params): PaymentIntent {
  params.accept(
    'statement_descriptor',
    'statement_descriptor_suffix',
    'shipping',
    'radar_options',
    'confirmation_method',
    'excluded_payment_method_types',
  );
  const currency = checkedCurrency(params.required('currency'));
  const amount = params.requiredInteger('amount');
  checkChargeable(amount, currency);
  const customer = params.text('customer');
  if (customer !== undefined) customerOf(tx, customer, 'customer');
  const automatic = params.child('automatic_payment_methods');
  const allowed = params.texts('allowed_payment_method_types');
  const types = params.texts('payment_method_types') ?? allowed;
  const wantsConfirm = params.flag('confirm') ?? false;
  const method = wantsConfirm ? undefined : params.text('payment_method');
  const intent = newIntent(tx, {
    amount,
    currency,
    customer: customer ?? null,
    description: params.emptyable('description') ?? null,
    metadata: params.metadata(),
    method: method === undefined ? null : payingMethod(tx, method, customer ?? null).id,
    captureMethod:
      params.oneOf('capture_method', ['automatic', 'automatic_async', 'manual']) === 'manual' ? 'manual' : 'automatic',
    setupFutureUsage: params.oneOf('setup_future_usage', ['off_session', 'on_session']) ?? null,
    receiptEmail: params.emptyable('receipt_email') ?? null,
    ...(types === undefined ? {} : { types }),
  });
  const enabled = automatic?.flag('enabled');
  automatic?.accept('allow_redirects');
  const complete: PaymentIntent = {
    ...intent,
    allowed_payment_method_types: allowed === undefined ? null : [...allowed],
    automatic_payment_methods: enabled === undefined ? null : { enabled, allow_redirects: 'always' },
  };
  tx.put('payment_intent', intent.id, complete);
  return wantsConfirm ? confirm(tx, complete, params) : complete;
}

function update(tx: Tx, id: string, params: Params): PaymentIntent {
  const intent = tx.need('payment_intent', id);
  const amount = params.integer('amount') ?? intent.amount;
  const open = ['requires_payment_method', 'requires_confirmation', 'requires_action'].includes(intent.status);
  if (!open && amount !== intent.amount)
    throw invalid('This PaymentIntent cannot be updated in its state.', 'amount', 'payment_intent_unexpected_state');
  checkChargeable(amount, intent.currency);
  const method = params.text('payment_method');
  const description = params.emptyable('description');
  const customer = params.text('customer');
  if (customer !== undefined) customerOf(tx, customer, 'customer');
  const payer = customer ?? intent.customer;
  const chosen = method === undefined ? intent.payment_method : payingMethod(tx, method, payer).id;
  return tx.update(
    'payment_intent',
    {
      ...intent,
      amount,
      customer: customer ?? intent.customer,
      description: description === undefined ? intent.description : description,
      metadata: params.metadata(intent.metadata),
      payment_method: chosen,
      setup_future_usage:
        params.oneOf('setup_future_usage', ['off_session', 'on_session']) ?? intent.setup_future_usage,
      status:
        open && chosen !== null && intent.status === 'requires_payment_method'
          ? 'requires_confirmation'
          : intent.status,
    },
    null,
  );
}

function capture(tx: Tx, id: string, params: Params): PaymentIntent {
  const intent = tx.need('payment_intent', id);
  if (intent.status !== 'requires_capture' || intent.latest_charge === null) {
    throw invalid(
      `This PaymentIntent could not be captured because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.`,
      undefined,
      'payment_intent_unexpected_state',
    );
  }
  const amount = params.integer('amount_to_capture') ?? intent.amount_capturable;
  if (amount < 1 || amount > intent.amount_capturable)
    throw invalid('Invalid amount to capture', 'amount_to_capture', 'amount_too_large');
  const charge = tx.need('charge', intent.latest_charge);
  const balance = bookBalance(tx, {
    amount,
    currency: charge.currency,
    fee: feeOf(amount),
    type: 'charge',
    category: 'charge',
    source: charge.id,
  });
  const captured: Charge = {
    ...charge,
    captured: true,
    amount_captured: amount,
    amount_refunded: charge.amount - amount,
    balance_transaction: balance.id,
  };
  tx.put('charge', charge.id, captured);
  tx.emit('charge.captured', captured, charge);
  const done: PaymentIntent = { ...intent, status: 'succeeded', amount_capturable: 0, amount_received: amount };
  tx.put('payment_intent', id, done);
  tx.emit('payment_intent.succeeded', done);
  return done;
}

function cancel(tx: Tx, id: string, params: Params): PaymentIntent {
  const intent = tx.need('payment_intent', id);
  const reason =
    params.oneOf('cancellation_reason', ['duplicate', 'fraudulent', 'requested_by_customer', 'abandoned']) ?? null;
  if (['succeeded', 'canceled', 'processing'].includes(intent.status)) {
    throw invalid(
      `You cannot cancel this PaymentIntent because it has a status of ${intent.status}.`,
      undefined,
      'payment_intent_unexpected_state',
    );
  }
  cancelIntent(tx, id, reason);
  return tx.need('payment_intent', id);
}

function updateCharge(tx: Tx, id: string, params: Params): Charge {
  const charge = tx.need('charge', id);
  const description = params.emptyable('description');
  const changed: Charge = {
    ...charge,
    description: description === undefined ? charge.description : description,
    metadata: params.metadata(charge.metadata),
    receipt_email: params.text('receipt_email') ?? charge.receipt_email,
  };
  return tx.update('charge', changed, 'charge.updated');
}

export const paymentIntentRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/payment_intents', run: ({ tx, params }) => create(tx, params) },
  {
    method: 'GET',
    path: '/v1/payment_intents/:id',
    run: ({ tx, id, params }) => {
      params.accept('client_secret');
      return tx.need('payment_intent', id);
    },
  },
  { method: 'POST', path: '/v1/payment_intents/:id', run: ({ tx, id, params }) => update(tx, id, params) },
  {
    method: 'POST',
    path: '/v1/payment_intents/:id/confirm',
    run: ({ tx, id, params }) => confirm(tx, tx.need('payment_intent', id), params),
  },
  { method: 'POST', path: '/v1/payment_intents/:id/capture', run: ({ tx, id, params }) => capture(tx, id, params) },
  { method: 'POST', path: '/v1/payment_intents/:id/cancel', run: ({ tx, id, params }) => cancel(tx, id, params) },
  listing('payment_intent', '/v1/payment_intents', (params) => {
    const customer = params.text('customer');
    return (intent) => matching(customer, (value) => intent.customer === value);
  }),
  retrieving('charge', '/v1/charges'),
  { method: 'POST', path: '/v1/charges/:id', run: ({ tx, id, params }) => updateCharge(tx, id, params) },
  listing('charge', '/v1/charges', (params) => {
    const [customer, intent] = [params.text('customer'), params.text('payment_intent')];
    return (charge) =>
      matching(customer, (value) => charge.customer === value) &&
      matching(intent, (value) => charge.payment_intent === value);
  }),
];
