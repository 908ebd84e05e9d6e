import type Stripe from 'stripe';
import type { Behaviour, Charge, PaymentIntent, PaymentMethod } from '../../core/model.js';
import type { Tx } from '../../core/tx.js';
import { bookBalance, feeOf } from './balance.js';

const messages: Readonly<Record<string, string>> = {
  insufficient_funds: 'Your card has insufficient funds.',
  expired_card: 'Your card has expired.',
  incorrect_cvc: "Your card's security code is incorrect.",
  processing_error: 'An error occurred while processing your card. Try again in a little bit.',
  authentication_required: 'Your card was declined. This transaction requires authentication.',
};

type NewIntent = {
  readonly amount: number;
  readonly currency: string;
  readonly customer: string | null;
  readonly description?: string | null;
  readonly metadata?: Record<string, string>;
  readonly method?: string | null;
  readonly captureMethod?: 'automatic' | 'manual';
  readonly setupFutureUsage?: 'off_session' | 'on_session' | null;
  readonly receiptEmail?: string | null;
  readonly types?: readonly string[];
  readonly invoice?: string | null;
  readonly session?: string | null;
};

/** A new payment intent with its event. */
export function newIntent(tx: Tx, given: NewIntent): PaymentIntent {
  const id = tx.newId('payment_intent');
  const types = given.types ?? ['card', 'sepa_debit'];
  const made = given.invoice ?? given.session ?? null;
  const intent: PaymentIntent = {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: given.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: given.captureMethod ?? 'automatic_async',
    client_secret: `${id}_secret_${tx.code('client_secret', 25)}`,
    confirmation_method: 'automatic',
    created: tx.now,
    currency: given.currency,
    customer: given.customer,
    customer_account: null,
    description: given.description ?? null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: given.metadata ?? {},
    next_action: null,
    on_behalf_of: null,
    ...(made === null ? {} : { payment_details: { customer_reference: null, order_reference: made } }),
    payment_method: given.method ?? null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: [...types],
    payment_record: null,
    processing: null,
    receipt_email: given.receiptEmail ?? null,
    review: null,
    setup_future_usage: given.setupFutureUsage ?? null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: given.method == null ? 'requires_payment_method' : 'requires_confirmation',
    transfer_data: null,
    transfer_group: null,
    sandbox: { invoice: given.invoice ?? null, session: given.session ?? null, offSession: false },
  };
  return tx.create('payment_intent', intent, 'payment_intent.created');
}

function methodDetails(method: PaymentMethod, authenticated: boolean): Stripe.Charge.PaymentMethodDetails {
  if (method.type === 'sepa_debit') {
    const account = method.sepa_debit;
    return {
      type: 'sepa_debit',
      sepa_debit: {
        bank_code: account?.bank_code ?? null,
        branch_code: null,
        country: account?.country ?? null,
        fingerprint: account?.fingerprint ?? null,
        last4: account?.last4 ?? null,
        mandate: null,
      },
    };
  }
  const card = method.card;
  return {
    type: 'card',
    card: {
      amount_authorized: null,
      authorization_code: null,
      brand: card?.brand ?? null,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: card?.country ?? null,
      electronic_commerce_indicator: null,
      exp_month: card?.exp_month ?? 0,
      exp_year: card?.exp_year ?? 0,
      fingerprint: card?.fingerprint ?? null,
      funding: card?.funding ?? null,
      installments: null,
      last4: card?.last4 ?? null,
      mandate: null,
      network: card?.brand ?? null,
      network_transaction_id: null,
      regulated_status: 'unregulated',
      three_d_secure: authenticated
        ? {
            authentication_flow: 'challenge',
            electronic_commerce_indicator: '05',
            exemption_indicator: null,
            result: 'authenticated',
            result_reason: null,
            transaction_id: null,
            version: '2.2.0',
          }
        : null,
      transaction_link_id: null,
      wallet: null,
    },
  };
}

type Result = 'succeeded' | 'pending' | 'failed' | 'uncaptured';

/** A charge of an intent as this result leaves it; stored and told by the caller. */
export function newCharge(
  tx: Tx,
  intent: PaymentIntent,
  method: PaymentMethod,
  result: Result,
  declined: Behaviour | null,
): Charge {
  const paid = result !== 'failed';
  const captured = paid && result !== 'uncaptured';
  const authenticated = method.sandbox.behaviour.authentication !== undefined;
  const id = tx.newId('charge');
  const code = declined?.declineCode ?? null;
  return {
    id,
    object: 'charge',
    amount: intent.amount,
    amount_captured: captured && result === 'succeeded' ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: result === 'succeeded' ? bookCharge(tx, id, intent.amount, intent.currency) : null,
    billing_details: { ...method.billing_details },
    calculated_statement_descriptor: 'STRIPE SANDBOX',
    captured,
    created: tx.now,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: declined === null ? null : (declined.errorCode ?? 'card_declined'),
    failure_message: declined === null ? null : messageOf(declined),
    fraud_details: {},
    livemode: false,
    metadata: intent.metadata,
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: paid ? null : '01',
      network_status: paid ? 'approved_by_network' : 'declined_by_network',
      reason: paid ? null : code,
      risk_level: 'normal',
      risk_score: 20,
      seller_message: paid ? 'Payment complete.' : 'The bank did not return any further details with this decline.',
      type: paid ? 'authorized' : 'issuer_declined',
    },
    paid: result === 'succeeded' || result === 'uncaptured',
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: methodDetails(method, authenticated),
    radar_options: {},
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: intent.shipping,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: result === 'failed' ? 'failed' : result === 'pending' ? 'pending' : 'succeeded',
    transfer_data: null,
    transfer_group: null,
    sandbox: { invoice: intent.sandbox.invoice },
  };
}

/** What the customer reads when a payment was declined. */
export const messageOf = (declined: Behaviour): string =>
  messages[declined.declineCode ?? ''] ?? 'Your card was declined.';

/** Books a successful charge in the account's balance. */
export function bookCharge(tx: Tx, charge: string, amount: number, currency: string): string {
  return bookBalance(tx, { amount, currency, fee: feeOf(amount), type: 'charge', category: 'charge', source: charge })
    .id;
}
