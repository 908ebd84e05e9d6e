import { invalid } from '../../core/api/errors.js';
import type { Customer, Invoice, InvoicePayment, PaymentMethod } from '../../core/model.js';
import { DAY } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';
import { moveBalance } from '../customers/balance.js';
import { attempt, cancelIntent, type Failure, type Outcome } from '../payments/payments.js';
import { newIntent } from '../payments/objects.js';

export type PaidHow = {
  readonly outcome: Outcome['status'] | 'no_method' | 'nothing_due';
  readonly failure: Failure | null;
};

/** The id of the subscription that an invoice bills, if any. */
export const subscriptionOf = (invoice: Invoice): string | null =>
  invoice.parent?.subscription_details.subscription ?? null;

/** Takes the number of an invoice, and what its total moves the customer's balance by. */
function useBalance(tx: Tx, customer: Customer, invoice: string, amount: number): void {
  const counted = { ...customer, next_invoice_sequence: customer.next_invoice_sequence + 1 };
  tx.put('customer', customer.id, counted);
  moveBalance(tx, customer.id, { amount, type: 'applied_to_invoice', invoice });
}

function openPayment(tx: Tx, invoice: Invoice): Invoice {
  if (invoice.amount_due === 0) return invoice;
  const intent = newIntent(tx, {
    amount: invoice.amount_due,
    currency: invoice.currency,
    customer: invoice.customer,
    description: subscriptionOf(invoice) === null ? `Payment for Invoice ${invoice.number ?? ''}` : reasonText(invoice),
    setupFutureUsage: null,
    invoice: invoice.id,
  });
  const payment: InvoicePayment = {
    id: tx.newId('invoice_payment'),
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: invoice.amount_due,
    created: tx.now,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { type: 'payment_intent', payment_intent: intent.id },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  };
  tx.put('invoice_payment', payment.id, payment);
  return { ...invoice, sandbox: { ...invoice.sandbox, paymentIntent: intent.id } };
}

const reasonText = (invoice: Invoice): string =>
  invoice.billing_reason === 'subscription_create' ? 'Subscription creation' : 'Subscription update';

/** Closes a draft: number, balance, pages, the payment that will be asked for. Nothing due means it is paid at once. */
export function finalize(tx: Tx, draft: Invoice): Invoice {
  const customer = tx.need('customer', draft.customer);
  const due = Math.max(0, draft.total + customer.balance);
  const number = `${customer.invoice_prefix}-${String(customer.next_invoice_sequence).padStart(4, '0')}`;
  useBalance(tx, customer, draft.id, draft.total - due);
  const open: Invoice = {
    ...draft,
    amount_due: due,
    amount_remaining: due,
    automatically_finalizes_at: null,
    effective_at: tx.now,
    ending_balance: draft.total + customer.balance - due,
    hosted_invoice_url: `${tx.site}/i/${draft.id}`,
    invoice_pdf: `${tx.site}/i/${draft.id}/pdf`,
    number,
    starting_balance: customer.balance,
    status: 'open',
    status_transitions: { ...draft.status_transitions, finalized_at: tx.now },
  };
  tx.put('invoice', draft.id, open);
  tx.emit('invoice.finalized', open, null);
  const ready = openPayment(tx, open);
  tx.put('invoice', draft.id, ready);
  return due === 0 ? markPaid(tx, ready, null) : ready;
}

/** The default payment of an invoice. */
const paymentOf = (tx: Tx, invoice: string): InvoicePayment | null =>
  tx.ownedBy('invoice_payment', invoice).find((payment) => payment.is_default) ?? null;

/** Books an invoice as paid: by this charge, by the balance (null), or outside Stripe. */
export function markPaid(tx: Tx, invoice: Invoice, charge: string | null, outOfBand = false): Invoice {
  const paid: Invoice = {
    ...invoice,
    amount_paid: invoice.amount_paid + invoice.amount_remaining,
    ...(outOfBand ? { amount_paid_off_stripe: invoice.amount_remaining } : {}),
    amount_remaining: 0,
    attempt_count: charge === null ? invoice.attempt_count : invoice.attempt_count + 1,
    attempted: true,
    next_payment_attempt: null,
    status: 'paid',
    status_transitions: { ...invoice.status_transitions, paid_at: tx.now },
    sandbox: { ...invoice.sandbox, charge, outOfBand },
  };
  tx.put('invoice', invoice.id, paid);
  tx.emit('invoice.paid', paid);
  if (!outOfBand) tx.emit('invoice.payment_succeeded', paid);
  const payment = paymentOf(tx, invoice.id);
  if (payment !== null && outOfBand) cancelPayment(tx, invoice);
  else if (payment !== null) {
    const done: InvoicePayment = {
      ...payment,
      amount_paid: payment.amount_requested,
      status: 'paid',
      status_transitions: { ...payment.status_transitions, paid_at: tx.now },
    };
    tx.create('invoice_payment', done, 'invoice_payment.paid');
  }
  tx.follow({ task: 'invoice_paid', id: invoice.id });
  return paid;
}

function cancelPayment(tx: Tx, invoice: Invoice): void {
  const payment = paymentOf(tx, invoice.id);
  if (payment?.status === 'open') {
    tx.put('invoice_payment', payment.id, {
      ...payment,
      status: 'canceled',
      status_transitions: { ...payment.status_transitions, canceled_at: tx.now },
    });
  }
  if (invoice.sandbox.paymentIntent !== null) cancelIntent(tx, invoice.sandbox.paymentIntent, 'void_invoice');
}

/** The method an automatic payment uses: the invoice's, its subscription's, the customer's. */
export function methodFor(tx: Tx, invoice: Invoice): PaymentMethod | null {
  const subscription = subscriptionOf(invoice);
  const ids = [
    invoice.default_payment_method,
    subscription === null ? null : (tx.get('subscription', subscription)?.default_payment_method ?? null),
    tx.get('customer', invoice.customer)?.invoice_settings.default_payment_method ?? null,
  ];
  const id = ids.find((one) => one !== null);
  return id == null ? null : tx.get('payment_method', id);
}

function nextAttempt(tx: Tx, invoice: Invoice, attempts: number): number | null {
  const retries =
    invoice.collection_method === 'charge_automatically' &&
    invoice.auto_advance === true &&
    invoice.billing_reason !== 'subscription_create';
  const days = tx.settings.dunningDays[attempts - 1];
  const first = invoice.status_transitions.finalized_at ?? tx.now;
  return retries && days !== undefined ? Math.max(tx.now + 1, first + days * DAY) : null;
}

/** Books a failed attempt, sets the next one by the retry settings, and updates the subscription. */
export function markFailed(tx: Tx, invoice: Invoice, charge: string | null, actionRequired: boolean): Invoice {
  const attempts = invoice.attempt_count + 1;
  const next = nextAttempt(tx, invoice, attempts);
  const failed: Invoice = {
    ...invoice,
    attempt_count: attempts,
    attempted: true,
    next_payment_attempt: next,
    sandbox: { ...invoice.sandbox, charge: charge ?? invoice.sandbox.charge },
  };
  tx.put('invoice', invoice.id, failed);
  tx.emit(actionRequired ? 'invoice.payment_action_required' : 'invoice.payment_failed', failed);
  if (next !== null) tx.schedule(next, { task: 'retry_invoice', id: invoice.id });
  tx.follow({ task: 'invoice_unpaid', id: invoice.id });
  return failed;
}

/** Tries to collect an open invoice now, with this method or the default one. Books whatever comes of it. */
export function collect(tx: Tx, invoice: Invoice, given: PaymentMethod | null, offSession: boolean): PaidHow {
  if (invoice.amount_remaining === 0) {
    if (invoice.status === 'open') markPaid(tx, invoice, null);
    return { outcome: 'nothing_due', failure: null };
  }
  const method = given ?? methodFor(tx, invoice);
  const intent =
    invoice.sandbox.paymentIntent === null ? null : tx.get('payment_intent', invoice.sandbox.paymentIntent);
  if (method === null || intent === null) {
    markFailed(tx, invoice, null, false);
    return { outcome: 'no_method', failure: null };
  }
  const charged = attempt(tx, { ...intent, amount: invoice.amount_remaining }, method, {
    offSession,
    authenticated: false,
  });
  const { outcome } = charged;
  if (outcome.status === 'succeeded') markPaid(tx, invoice, charged.intent.latest_charge);
  else if (outcome.status === 'processing') tx.put('invoice', invoice.id, { ...invoice, attempted: true });
  else markFailed(tx, invoice, charged.intent.latest_charge, outcome.status === 'requires_action');
  return { outcome: outcome.status, failure: outcome.status === 'failed' ? outcome.failure : null };
}

/** A payment that ended later (bank, authentication, a client's own confirmation): books it on its invoice. */
export function paymentSettled(tx: Tx, intentId: string): void {
  const intent = tx.get('payment_intent', intentId);
  if (intent?.sandbox.invoice == null) return;
  const invoice = tx.get('invoice', intent.sandbox.invoice);
  if (invoice === null || (invoice.status !== 'open' && invoice.status !== 'uncollectible')) return;
  if (intent.status === 'succeeded') markPaid(tx, invoice, intent.latest_charge);
  else if (intent.status === 'requires_payment_method') markFailed(tx, invoice, intent.latest_charge, false);
}

/** The finalisation hour has come: finalises, and collects when that is automatic. */
export function finalizeDue(tx: Tx, id: string): void {
  const invoice = tx.get('invoice', id);
  if (invoice?.status !== 'draft' || invoice.auto_advance !== true) return;
  const subscription = subscriptionOf(invoice);
  const pause = subscription === null ? null : (tx.get('subscription', subscription)?.pause_collection ?? null);
  const open = finalize(tx, invoice);
  if (open.status !== 'open') return;
  if (pause?.behavior === 'void') voidInvoice(tx, open);
  else if (pause?.behavior === 'mark_uncollectible') markUncollectible(tx, open);
  if (pause !== null) return;
  if (open.collection_method === 'charge_automatically') collect(tx, open, null, true);
  else tx.emit('invoice.sent', open);
}

/** A retry that is due: only when it is still the planned one. */
export function retryDue(tx: Tx, id: string): void {
  const invoice = tx.get('invoice', id);
  if (invoice?.status !== 'open' || invoice.next_payment_attempt === null || invoice.next_payment_attempt > tx.now)
    return;
  collect(tx, invoice, null, true);
}

export function voidInvoice(tx: Tx, invoice: Invoice): Invoice {
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible') {
    throw invalid(
      'You can only pass in open or uncollectible invoices. This invoice is not in one of those states.',
      undefined,
      'invoice_not_editable',
    );
  }
  const voided: Invoice = {
    ...invoice,
    amount_remaining: invoice.amount_remaining,
    next_payment_attempt: null,
    status: 'void',
    status_transitions: { ...invoice.status_transitions, voided_at: tx.now },
  };
  tx.put('invoice', invoice.id, voided);
  tx.emit('invoice.voided', voided);
  unapplyBalance(tx, voided);
  cancelPayment(tx, voided);
  return voided;
}

/** What a voided invoice took from the customer's balance goes back to it (a transaction of type `unapplied_from_invoice`). */
function unapplyBalance(tx: Tx, invoice: Invoice): void {
  const taken = (invoice.ending_balance ?? invoice.starting_balance) - invoice.starting_balance;
  moveBalance(tx, invoice.customer, { amount: 0 - taken, type: 'unapplied_from_invoice', invoice: invoice.id });
}

export function markUncollectible(tx: Tx, invoice: Invoice): Invoice {
  if (invoice.status !== 'open')
    throw invalid('You can only mark open invoices as uncollectible.', undefined, 'invoice_not_editable');
  const marked: Invoice = {
    ...invoice,
    next_payment_attempt: null,
    auto_advance: false,
    status: 'uncollectible',
    status_transitions: { ...invoice.status_transitions, marked_uncollectible_at: tx.now },
  };
  tx.put('invoice', invoice.id, marked);
  tx.emit('invoice.marked_uncollectible', marked);
  return marked;
}
