import type Stripe from 'stripe';
import type { Json } from '#kernel/json.js';
import type { InvoiceState } from '#ledger/invoice.js';
import type { PaymentState } from '#ledger/payment.js';
import type { StripeEventState } from '#ledger/stripe-event.js';
import type { SubscriptionState } from '#ledger/subscription.js';
import { translatedTypes } from '#stripe/translate.js';

type Side = { readonly [member: string]: Json };

/** Where Stripe and the ledger do not say the same; `ledger` is null where it knows nothing of it. */
export type Difference = {
  readonly type: `${'event' | 'payment' | 'invoice' | 'refund' | 'dispute' | 'subscription'}_${'missing' | 'differs' | 'parked'}`;
  readonly id: string;
  readonly stripe: Side;
  readonly ledger: Side | null;
};

type Refund = { readonly id: string; readonly amount: number; readonly status: string | null };

const compared = (
  kind: 'payment' | 'invoice' | 'refund' | 'dispute' | 'subscription',
  id: string,
  stripe: Side,
  ledger: Side | null,
): Difference | null => {
  if (ledger === null) return { type: `${kind}_missing`, id, stripe, ledger };
  const same = Object.keys(stripe).every((member) => stripe[member] === ledger[member]);
  return same ? null : { type: `${kind}_differs`, id, stripe, ledger };
};

const known: ReadonlySet<string> = new Set(translatedTypes);

/** A Stripe event against what became of it. One that is received and waits its turn is no difference. */
export function compareEvent(event: Stripe.Event, state: StripeEventState): Difference | null {
  if (!known.has(event.type)) return null;
  const stripe = { type: event.type, created: event.created };
  if (state.received === null) return { type: 'event_missing', id: event.id, stripe, ledger: null };
  if (state.status !== 'parked') return null;
  const { code = '', detail = '' } = state.reason ?? {};
  return { type: 'event_parked', id: event.id, stripe, ledger: { reason: code, detail } };
}

/** The payment that a complete session must have led to; null where it is no sale of credits or cost nothing. */
export function paymentOfSession(session: Stripe.Checkout.Session): string | null {
  const { mode, payment_status: status, amount_total: total, metadata } = session;
  if (mode !== 'payment' || status !== 'paid' || total === null || total === 0) return null;
  if (metadata?.['credit_product'] === undefined && metadata?.['credits'] === undefined) return null;
  return idOf(session.payment_intent) ?? session.id;
}

export const compareSession = (session: Stripe.Checkout.Session, { payment }: PaymentState): Difference | null =>
  compared(
    'payment',
    session.id,
    { amount: session.amount_total, currency: session.currency },
    payment === null ? null : { ...payment.money },
  );

/** True for an invoice that pays a subscription: others are none of the ledger's. */
export const isOfSubscription = (invoice: Stripe.Invoice): boolean =>
  invoice.parent?.subscription_details?.subscription !== undefined;

export const compareInvoice = (invoice: Stripe.Invoice, { paid }: InvoiceState): Difference | null =>
  compared(
    'invoice',
    invoice.id,
    { amount: invoice.amount_paid, currency: invoice.currency },
    paid === null ? null : { ...paid.paid },
  );

const refundStatus = (status: string | null): string =>
  status === 'succeeded' ? 'succeeded' : status === 'failed' || status === 'canceled' ? 'failed' : 'pending';

export function compareRefund(refund: Refund, { moneyBack }: PaymentState): Difference | null {
  const fact = moneyBack.refunds.find(({ refundId }) => refundId === refund.id);
  return compared(
    'refund',
    refund.id,
    { amount: refund.amount, status: refundStatus(refund.status) },
    fact === undefined ? null : { amount: fact.amount, status: fact.status },
  );
}

/** How a dispute stands in the ledger's words; null for a status that it does not know. */
function disputeStatus(status: string): string | null {
  if (['warning_closed', 'won', 'prevented', 'charge_refunded'].includes(status)) return 'won';
  if (status.startsWith('warning_')) return 'inquiry';
  if (status === 'lost' || status.startsWith('appeal_')) return 'lost';
  return ['needs_response', 'under_review'].includes(status) ? 'open' : null;
}

export function compareDispute(dispute: Stripe.Dispute, { moneyBack }: PaymentState): Difference | null {
  const fact = moneyBack.disputes.find(({ disputeId }) => disputeId === dispute.id);
  const status = disputeStatus(dispute.status);
  // Of the statuses that have no word here only this is certain: the ledger must have heard of the dispute.
  if (fact !== undefined && status === null) return null;
  return compared(
    'dispute',
    dispute.id,
    { status: status ?? dispute.status },
    fact === undefined ? null : { status: fact.status },
  );
}

export const compareSubscription = (
  subscription: Stripe.Subscription,
  { standing }: SubscriptionState,
): Difference | null =>
  compared(
    'subscription',
    subscription.id,
    { status: subscription.status },
    standing === null ? null : { status: standing.status },
  );

/** What a refund or dispute is kept under: the payment whose money it takes. */
export const moneyOf = (object: {
  readonly payment_intent?: string | { readonly id: string } | null;
  readonly charge?: string | { readonly id: string } | null;
}): string | null => idOf(object.payment_intent) ?? idOf(object.charge);

const idOf = (reference: string | { readonly id: string } | null | undefined): string | null =>
  reference == null ? null : typeof reference === 'string' ? reference : reference.id;
