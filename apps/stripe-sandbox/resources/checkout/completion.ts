import { ApiError, invalid } from '../../core/api/errors.js';
import type {
  CheckoutSession,
  Customer,
  Discount,
  EventType,
  Invoice,
  InvoicePayment,
  PaymentIntent,
  PaymentMethod,
  SellingSession,
  SessionLine,
} from '../../core/model.js';
import { DAY } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';
import { redemptionsOf, sells, startsTrial } from './content.js';
import { newCustomer } from '../customers/customers.js';
import { redeem } from '../catalog/discounts.js';
import { createDraft, draftInvoice } from '../invoices/building.js';
import { itemLine, newInvoiceItem } from '../invoices/lines.js';
import { attach } from '../payments/methods.js';
import { countCompletion } from './links.js';
import { newIntent } from '../payments/objects.js';
import { attempt } from '../payments/payments.js';
import { setUp } from '../payments/setup-intents.js';
import { plainSubscription, startSubscription, subscriptionOrder } from '../subscriptions/create.js';

export type Buyer = { readonly email: string | null; readonly name: string | null };

const paymentOrder: readonly EventType[] = [
  'customer.created',
  'charge.succeeded',
  'charge.pending',
  'payment_method.attached',
  'payment_intent.succeeded',
  'payment_intent.created',
  'payment_intent.processing',
  'checkout.session.completed',
  'invoice.created',
  'invoice.finalized',
  'invoice.sent',
  'invoice.paid',
  'invoice.payment_succeeded',
  'invoice_payment.paid',
];

/** With a customer that was there before, recorded logs show the session earlier, and the subscription before it was paid. */
const knownCustomerOrder: readonly EventType[] = [
  'charge.succeeded',
  'charge.pending',
  'checkout.session.completed',
  'payment_method.attached',
  'customer.updated',
  'customer.subscription.created',
  'customer.subscription.updated',
  'payment_intent.succeeded',
  'payment_intent.created',
  'payment_intent.processing',
  'invoice.created',
  'invoice.finalized',
  'invoice.paid',
  'invoice.payment_succeeded',
  'invoice_payment.paid',
];

/** True when the page must ask the customer to authenticate before it can pay with this method. */
export const asksAuthentication = (method: PaymentMethod): boolean =>
  method.sandbox.behaviour.authentication !== undefined;

function completed(tx: Tx, session: CheckoutSession, buyer: Buyer, changes: Partial<CheckoutSession>): CheckoutSession {
  const done: CheckoutSession = {
    ...session,
    ...changes,
    customer_details: {
      address: null,
      business_name: null,
      email: buyer.email,
      individual_name: null,
      name: buyer.name,
      phone: null,
      tax_exempt: 'none',
      tax_ids: [],
    },
    customer_email: session.customer_email,
    status: 'complete',
    url: null,
  };
  tx.put('checkout.session', session.id, done);
  tx.emit('checkout.session.completed', done);
  countCompletion(tx, done);
  return done;
}

function buyerOf(tx: Tx, session: CheckoutSession, given: Buyer): Buyer {
  const customer = session.customer === null ? null : tx.need('customer', session.customer);
  return {
    email: customer?.email ?? session.customer_email ?? given.email,
    name: given.name ?? customer?.name ?? null,
  };
}

function customerFor(tx: Tx, session: CheckoutSession, buyer: Buyer, required: boolean): Customer | null {
  if (session.customer !== null) return tx.need('customer', session.customer);
  return required || session.customer_creation === 'always'
    ? newCustomer(tx, { email: buyer.email, name: buyer.name })
    : null;
}

const declined = (message: string, code: string, declineCode: string): ApiError =>
  new ApiError(402, { type: 'card_error', code, decline_code: declineCode, message }, true);

/** A paid one-off session that asked for an invoice gets one, already paid by its payment. */
function invoiceFor(
  tx: Tx,
  session: SellingSession,
  intent: PaymentIntent,
  of: { readonly customer: Customer; readonly discounts: readonly Discount[] },
): Invoice {
  const { customer, discounts } = of;
  const data = session.invoice_creation?.invoice_data;
  const draft = draftInvoice(tx, {
    customer,
    currency: session.currency,
    reason: 'manual',
    subscription: null,
    description: data?.description ?? null,
    metadata: data?.metadata ?? {},
    discounts,
  });
  const lines = session.sandbox.lines.map((line) =>
    itemLine(tx, draft.id, oneOffItem(tx, session, customer, line, draft.id)),
  );
  const open: Invoice = {
    ...createDraft(tx, draft, lines, session.sandbox.taxRates),
    status: 'open',
    number: `${customer.invoice_prefix}-${String(customer.next_invoice_sequence).padStart(4, '0')}`,
    hosted_invoice_url: `${tx.site}/i/${draft.id}`,
    invoice_pdf: `${tx.site}/i/${draft.id}/pdf`,
    effective_at: tx.now,
    ending_balance: 0,
  };
  const now = tx.need('customer', customer.id);
  tx.put('customer', now.id, { ...now, next_invoice_sequence: now.next_invoice_sequence + 1 });
  const finalized: Invoice = { ...open, status_transitions: { ...open.status_transitions, finalized_at: tx.now } };
  tx.emit('invoice.finalized', finalized);
  const paid: Invoice = {
    ...finalized,
    amount_paid: finalized.total,
    amount_due: finalized.total,
    amount_remaining: 0,
    attempted: true,
    status: 'paid',
    status_transitions: { ...finalized.status_transitions, paid_at: tx.now },
    sandbox: { paymentIntent: intent.id, charge: intent.latest_charge, outOfBand: false },
  };
  tx.put('invoice', paid.id, paid);
  tx.emit('invoice.paid', paid);
  tx.emit('invoice.payment_succeeded', paid);
  const payment: InvoicePayment = {
    id: tx.newId('invoice_payment'),
    object: 'invoice_payment',
    amount_paid: paid.total,
    amount_requested: paid.total,
    created: tx.now,
    currency: paid.currency,
    invoice: paid.id,
    is_default: true,
    livemode: false,
    payment: { type: 'payment_intent', payment_intent: intent.id },
    status: 'paid',
    status_transitions: { canceled_at: null, paid_at: tx.now },
  };
  tx.create('invoice_payment', payment, 'invoice_payment.paid');
  tx.put('payment_intent', intent.id, { ...intent, sandbox: { ...intent.sandbox, invoice: paid.id } });
  return paid;
}

const oneOffItem = (tx: Tx, session: SellingSession, customer: Customer, line: SessionLine, invoice: string | null) =>
  newInvoiceItem(tx, {
    customer: customer.id,
    amount: line.amount_subtotal,
    currency: session.currency,
    description: line.description,
    period: { start: tx.now, end: tx.now },
    quantity: line.quantity ?? 1,
    price: line.price,
    invoice,
  });

function payOnce(tx: Tx, session: SellingSession, method: PaymentMethod | null, given: Buyer): CheckoutSession {
  const buyer = buyerOf(tx, session, given);
  const keeps = session.sandbox.paymentData.setupFutureUsage !== null;
  const invoices = session.invoice_creation?.enabled === true;
  const customer = customerFor(tx, session, buyer, keeps || invoices);
  const redeemed = (): readonly Discount[] =>
    redemptionsOf(tx, session).map((one) => redeem(tx, one, { customer: customer?.id ?? null, session: session.id }));
  if (session.amount_total === 0) {
    redeemed();
    return completed(tx, session, buyer, { customer: customer?.id ?? null, payment_status: 'no_payment_required' });
  }
  if (method === null) throw invalid('A payment method is required.', 'payment_method');
  const { metadata, description, setupFutureUsage } = session.sandbox.paymentData;
  const open = session.payment_intent === null ? null : tx.get('payment_intent', session.payment_intent);
  const intent =
    open ??
    newIntent(tx, {
      amount: session.amount_total,
      currency: session.currency,
      customer: customer?.id ?? null,
      description,
      metadata,
      setupFutureUsage,
      types: session.payment_method_types,
      session: session.id,
    });
  const { outcome, intent: charged } = attempt(tx, intent, method, { offSession: false, authenticated: true });
  if (outcome.status === 'failed') {
    tx.put('checkout.session', session.id, { ...session, payment_intent: charged.id });
    throw declined(outcome.failure.message, outcome.failure.code, outcome.failure.declineCode);
  }
  if (keeps && customer !== null) attach(tx, tx.need('payment_method', method.id), customer.id);
  const isPaid = outcome.status === 'succeeded';
  const discounts = redeemed();
  const invoice =
    invoices && isPaid && customer !== null ? invoiceFor(tx, session, charged, { customer, discounts }) : null;
  const done = completed(tx, session, buyer, {
    customer: customer?.id ?? null,
    invoice: invoice?.id ?? null,
    payment_intent: charged.id,
    payment_status: isPaid ? 'paid' : 'unpaid',
  });
  tx.arrangeEvents(paymentOrder);
  return done;
}

function trialEndOf(tx: Tx, session: CheckoutSession): number | null {
  const { trialDays, trialEnd } = session.sandbox.subscriptionData;
  return trialEnd ?? (trialDays === null ? null : tx.now + trialDays * DAY);
}

function subscribe(tx: Tx, session: SellingSession, method: PaymentMethod | null, given: Buyer): CheckoutSession {
  const buyer = buyerOf(tx, session, given);
  const found = customerFor(tx, session, buyer, true);
  if (found === null) throw invalid('A customer is required.', 'customer');
  const needsMethod = session.amount_total > 0 || session.payment_method_collection === 'always';
  if (method === null && needsMethod) throw invalid('A payment method is required.', 'payment_method');
  const attached = method === null ? null : attachForPayment(tx, method, found.id);
  const customer = tx.need('customer', found.id);
  for (const line of session.sandbox.lines.filter((one) => one.price.recurring === null)) {
    oneOffItem(tx, session, customer, line, null);
  }
  const { metadata, description, missingPaymentMethod } = session.sandbox.subscriptionData;
  const subscription = startSubscription(tx, {
    ...plainSubscription,
    customer,
    items: session.sandbox.lines
      .filter((line) => line.price.recurring !== null)
      .map((line) => ({ id: null, price: line.price, quantity: line.quantity, deleted: false, metadata: null })),
    metadata,
    description,
    trialEnd: trialEndOf(tx, session),
    missingPaymentMethod,
    method: attached,
    payment: 'error_if_incomplete',
    reportedUnpaid: session.customer !== null,
    taxRates: session.sandbox.taxRates,
    discounts: redemptionsOf(tx, session),
    session: session.id,
  });
  if (attached !== null && method?.sandbox.behaviour.authentication === 'always') {
    tx.put('payment_method', attached.id, { ...attached, sandbox: method.sandbox });
  }
  const invoice = subscription.latest_invoice === null ? null : tx.need('invoice', subscription.latest_invoice);
  const intentId = invoice?.sandbox.paymentIntent ?? null;
  const intent = intentId === null ? null : tx.get('payment_intent', intentId);
  const processing = intent?.status === 'processing';
  if (intent !== null && processing)
    tx.put('payment_intent', intent.id, { ...intent, sandbox: { ...intent.sandbox, session: session.id } });
  const done = completed(tx, session, buyer, {
    customer: customer.id,
    invoice: invoice?.id ?? null,
    payment_status:
      startsTrial(session) || session.amount_total === 0 ? 'no_payment_required' : processing ? 'unpaid' : 'paid',
    subscription: subscription.id,
  });
  tx.arrangeEvents(session.customer === null ? subscriptionOrder : knownCustomerOrder);
  return done;
}

function saveMethod(tx: Tx, session: CheckoutSession, method: PaymentMethod | null, given: Buyer): CheckoutSession {
  if (method === null || session.setup_intent === null)
    throw invalid('A payment method is required.', 'payment_method');
  setUp(tx, tx.need('setup_intent', session.setup_intent), method, true);
  return completed(tx, session, buyerOf(tx, session, given), {});
}

/** Attaches a method whose customer is present and has authenticated, so that this payment asks nothing more. */
function attachForPayment(tx: Tx, method: PaymentMethod, customer: string): PaymentMethod {
  const { authentication: _passed, refusesAttach: _later, ...behaviour } = method.sandbox.behaviour;
  const ready: PaymentMethod = { ...method, sandbox: { behaviour } };
  tx.put('payment_method', method.id, ready);
  return attach(tx, ready, customer);
}

/**
 * Completes an open session as its page does when the customer pays: the caller has asked for authentication where the
 * card wants it. 402 when the card is declined; the session stays open for another try.
 */
export function completeSession(tx: Tx, id: string, method: PaymentMethod | null, buyer: Buyer): CheckoutSession {
  const session = tx.need('checkout.session', id);
  if (session.status !== 'open' || session.expires_at <= tx.now) {
    throw invalid('This Checkout Session has expired or is already complete.', 'session', 'checkout_session_not_open');
  }
  if (method !== null && tx.get('payment_method', method.id) === null) tx.put('payment_method', method.id, method);
  if (!sells(session)) return saveMethod(tx, session, method, buyer);
  return session.mode === 'subscription' ? subscribe(tx, session, method, buyer) : payOnce(tx, session, method, buyer);
}

/** The bank's answer to a debit that a completed session was waiting for. */
export function sessionSettled(tx: Tx, intentId: string): void {
  const intent = tx.get('payment_intent', intentId);
  const session = intent?.sandbox.session == null ? null : tx.get('checkout.session', intent.sandbox.session);
  if (intent === null || session?.status !== 'complete' || session.payment_status !== 'unpaid') return;
  if (intent.status === 'succeeded') {
    const paid: CheckoutSession = { ...session, payment_status: 'paid' };
    tx.put('checkout.session', session.id, paid);
    tx.emit('checkout.session.async_payment_succeeded', paid);
  } else tx.emit('checkout.session.async_payment_failed', session);
}
