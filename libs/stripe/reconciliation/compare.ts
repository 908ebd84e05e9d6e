import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { CatalogState } from '#ledger/catalog.js';
import type { InvoiceState as KnownInvoice } from '#ledger/invoice.js';
import { claimsOf, type CreditNoteFact, type DisputeFact, type RefundFact } from '#ledger/payment/claims.js';
import { currencyOf } from '#ledger/payment/settlement.js';
import type { Attempt, PaymentState } from '#ledger/payment/state.js';
import type { StripeEventState } from '#ledger/stripe/event.js';
import type { SubscriptionState } from '#ledger/subscription/subscription.js';
import type { InvoiceState } from '../shapes/invoice-state.js';
import type { Charge, PaymentIntent } from '../shapes/money.js';
import type { Session } from '../shapes/billing.js';
import { planItemsOf } from '../shapes/plan-item.js';
import type { Subscription } from '../shapes/subscription.js';
import { translatedTypes } from '../translations/registry.js';

type Side = { readonly [member: string]: Json };
type Kind =
  | 'event'
  | 'session'
  | 'customer'
  | 'payment'
  | 'charge'
  | 'refund'
  | 'dispute'
  | 'credit_note'
  | 'subscription'
  | 'invoice';

/** Where Stripe and the ledger do not say the same; a side is null where it knows nothing of it. */
export type Difference = {
  readonly type: `${Kind}_${'missing' | 'differs' | 'parked' | 'only_in_ledger'}`;
  readonly id: string;
  readonly stripe: Side | null;
  readonly ledger: Side | null;
};

/** Compares what both sides have: a member that the ledger cannot know is left out of its side. */
function compared(kind: Kind, id: string, stripe: Side, ledger: Side | null): Difference | null {
  if (ledger === null) return { type: `${kind}_missing`, id, stripe, ledger };
  const same = Object.keys(ledger).every((member) => stripe[member] === ledger[member]);
  return same ? null : { type: `${kind}_differs`, id, stripe, ledger };
}

const translated: ReadonlySet<string> = new Set(translatedTypes);

/** A Stripe event against what became of it. One that is received and waits its turn is no difference. */
export function compareEvent(
  event: { readonly id: string; readonly type: string; readonly created: Instant },
  state: StripeEventState,
): Difference | null {
  if (!translated.has(event.type)) return null;
  const stripe = { type: event.type, created: event.created };
  if (state.received === null) return { type: 'event_missing', id: event.id, stripe, ledger: null };
  if (state.status !== 'parked') return null;
  const { code = '', detail = '' } = state.reason ?? {};
  return { type: 'event_parked', id: event.id, stripe, ledger: { reason: code, detail } };
}

/** Under which id a paid session's money is kept; null where it is no sale of credits or cost nothing. */
export function paymentOfSession({
  id,
  mode,
  paymentStatus,
  amount,
  metadata,
  paymentIntentId,
}: Session): string | null {
  if (mode !== 'payment' || paymentStatus !== 'paid' || amount === null || amount.total === 0) return null;
  if (metadata['credit_product'] === undefined && metadata['credits'] === undefined) return null;
  return paymentIntentId ?? id;
}

export function compareSession({ id, amount }: Session, { payment }: PaymentState): Difference | null {
  const stripe = { amount: amount?.total ?? 0, currency: amount?.currency ?? '' };
  return compared('session', id, stripe, payment === null ? null : { ...payment.money });
}

/** A Stripe customer that names one of ours; the link that it has, if any, stays. */
export const compareCustomer = (id: string, customerId: string, isLinked: boolean): Difference | null =>
  isLinked ? null : compared('customer', id, { customerId }, null);

/**
 * An intent against the payment or the attempt to pay. What paid an invoice is compared with the invoice; an intent that names no
 * customer of ours is none of the ledger's.
 */
export function compareIntent(
  { id, attempt, invoiceId }: PaymentIntent,
  state: PaymentState,
  { isNamed, isOurs }: { readonly isNamed: boolean; readonly isOurs: boolean },
): Difference | null {
  const { status, money } = attempt;
  const stripe = { status, ...money };
  if (state.payment !== null) return compared('payment', id, stripe, { status: 'succeeded', ...state.payment.money });
  // Of what succeeded for nobody that it names, a session or an invoice tells.
  if (status === 'succeeded' && (!isNamed || invoiceId !== null || state.invoiceId !== null)) return null;
  if (state.attempt !== null) return compareAttempt(id, stripe, state.attempt);
  return isNamed || isOurs ? compared('payment', id, stripe, null) : null;
}

function compareAttempt(id: string, stripe: Side & { readonly status: Attempt['status'] }, known: Attempt) {
  // What failed may be tried again, or be given up with its session: the ledger keeps what came furthest.
  const triedAgain = stripe.status === 'processing' && known.status !== 'succeeded';
  const givenUp = stripe.status === 'failed' && known.status === 'canceled';
  return triedAgain || givenUp ? null : compared('payment', id, stripe, { status: known.status, ...known.money });
}

/** What went back of a charge so far, and what was paid with; null where the ledger does not know the payment. */
export function compareCharge({ refunded, method }: Charge, state: PaymentState): Difference | null {
  const { payment, attempt, invoiceId } = state;
  if (payment === null && attempt === null && invoiceId === null) return null;
  const back = claimsOf(state.moneyBack).filter(({ cause }) => cause.kind === 'refund');
  const known = { refunded: back.reduce((sum, { amount }) => sum + amount, 0) };
  // Of several charges the ledger keeps the method of the newest.
  const older = state.method !== null && state.method.chargeId !== refunded.chargeId;
  const stripe = { refunded: refunded.amount, method: method?.type ?? null, last4: method?.last4 ?? null };
  const ledger = older ? known : { ...known, method: state.method?.type ?? null, last4: state.method?.last4 ?? null };
  return compared('charge', refunded.chargeId, stripe, ledger);
}

/** Of the payment: what goes back of it in another currency is a difference that somebody has to look at. */
function currencyIn(state: PaymentState): { readonly currency?: string } {
  const currency = currencyOf(state);
  return currency === null ? {} : { currency };
}

export function compareRefund(refund: RefundFact, currency: string, state: PaymentState): Difference | null {
  const { refundId: id, amount, status } = refund;
  const fact = state.moneyBack.refunds.find(({ refundId }) => refundId === id);
  const ledger = fact === undefined ? null : { amount: fact.amount, status: fact.status, ...currencyIn(state) };
  return compared('refund', id, { amount, status, currency }, ledger);
}

/** @param dispute null for one in a status that has no word here: then only this is certain, that the ledger must know it. */
export function compareDispute(
  object: { readonly id: string; readonly amount: number; readonly currency: string; readonly status: string },
  dispute: DisputeFact | null,
  state: PaymentState,
): Difference | null {
  const fact = state.moneyBack.disputes.find(({ disputeId }) => disputeId === object.id);
  if (fact !== undefined && dispute === null) return null;
  const ledger = fact === undefined ? null : { amount: fact.amount, status: fact.status, ...currencyIn(state) };
  const { amount, currency } = object;
  return compared('dispute', object.id, { amount, status: dispute?.status ?? object.status, currency }, ledger);
}

export function compareCreditNote(note: CreditNoteFact, state: PaymentState): Difference | null {
  const { creditNoteId: id, amount, status, currency } = note;
  const stripe = { amount, status, ...(currency === undefined ? {} : { currency }) };
  const fact = state.moneyBack.creditNotes.find(({ creditNoteId }) => creditNoteId === id);
  if (fact === undefined) return compared('credit_note', id, stripe, null);
  // One that was reported in an old shape holds what its refund gives back, too.
  const ledger = { status: fact.status, ...(fact.refundId === undefined ? { amount: fact.amount } : {}) };
  return compared('credit_note', id, stripe, currency === undefined ? ledger : { ...ledger, ...currencyIn(state) });
}

export function compareSubscription(
  subscription: Subscription,
  { standing }: SubscriptionState,
  catalog: CatalogState,
): Difference | null {
  const { id, items, cancelAt, cancelAtPeriodEnd, status, trialEnd, paused } = subscription;
  const [main] = planItemsOf(items, catalog);
  const item = main?.item ?? items[0];
  const stripe = {
    status,
    plan: main?.known.plan.id ?? null,
    interval: main?.known.interval ?? null,
    price: item?.priceId ?? null,
    quantity: item?.quantity ?? null,
    periodStart: item?.periodStart ?? null,
    periodEnd: item?.periodEnd ?? null,
    trialEnd,
    cancelAt: cancelAt ?? (cancelAtPeriodEnd ? (item?.periodEnd ?? null) : null),
    paused,
  };
  if (standing === null) return compared('subscription', id, stripe, null);
  return compared('subscription', id, stripe, {
    status: standing.status,
    plan: standing.planId,
    interval: standing.interval,
    quantity: standing.quantity,
    periodStart: standing.periodStart,
    periodEnd: standing.periodEnd,
    trialEnd: standing.trialEnd,
    cancelAt: standing.cancelAt,
    paused: standing.paused,
  });
}

/** @param isOurs whether a customer of ours is known for it: without one only a subscription's invoice is looked for. */
export function compareInvoice({ snapshot }: InvoiceState, state: KnownInvoice, isOurs: boolean): Difference | null {
  const {
    invoiceId: id,
    status,
    currency,
    total,
    amountDue,
    amountPaid,
    amountRemaining,
    periodStart,
    periodEnd,
  } = snapshot;
  const { attemptCount } = snapshot;
  const money = { currency, total, amountDue, amountPaid, amountRemaining };
  const stripe = { status, ...money, periodStart, periodEnd, attemptCount };
  const known = state.snapshot;
  if (known === null) return isOurs || snapshot.subscriptionId !== null ? compared('invoice', id, stripe, null) : null;
  // A draft still changes, and nobody is told.
  if (status === 'draft') return null;
  const ledger = {
    status: status === 'paid' && state.paid === null ? 'not_paid' : known.status,
    currency: known.currency,
    total: known.total,
    amountDue: known.amountDue,
    amountPaid: state.paid?.paid.amount ?? known.amountPaid,
    amountRemaining: known.amountRemaining,
    periodStart: known.periodStart,
    periodEnd: known.periodEnd,
    ...(status === 'open' ? { attemptCount: known.attemptCount } : {}),
  };
  return compared('invoice', id, stripe, ledger);
}
