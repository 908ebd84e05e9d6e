import { isAmount, type Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { paymentStream } from '#kernel/stream-name.js';
import { isSupportedCurrency } from '#kernel/currency.js';
import type { CatalogState } from '#ledger/catalog.js';
import { integerAt, objectAt, type Fields } from '../shapes/fields.js';
import { normaliseSession, subjectOf, type Session } from '../shapes/billing.js';
import {
  commands,
  customerOf,
  linkInvoice,
  namedCustomer,
  unknownCustomer,
  park,
  observationKey,
  type FactCommand,
  type Translate,
  type Translation,
} from './translation.js';
import { oneOf, unreadable } from '../shapes/unreadable.js';
import { naming } from './naming.js';
import { packPriceId, type Charged } from './pack-price.js';
import { grantOfSale } from './sale.js';

/**
 * `checkout.session.completed` and `.async_payment_succeeded`: one fact, whichever comes first. Grants the credits of a paid
 * session in payment mode. A subscription's session only links the customer: its credits come with `invoice.paid`.
 */
export const translateSession: Translate = (event, lookups) => {
  const subject = subjectOf(event.payload);
  const read = normaliseSession(subject);
  if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
  const session = read.ok;
  const named = namedCustomer(session.clientReferenceId, session.metadata[lookups.customerKey]);
  const links = naming(event, 'session', { stripeCustomerId: session.stripeCustomerId, customerId: named });
  if (session.mode !== 'payment' || session.paymentStatus === 'unpaid') return commands(...links);
  if (session.paymentStatus !== 'paid' && session.paymentStatus !== 'no_payment_required') {
    return park('unknown_shape', session.id, unreadable(subject, 'payment_status', oneOf(paymentStatuses)).unreadable);
  }
  const customerId = named ?? customerOf(lookups, session.stripeCustomerId);
  if (customerId === null) {
    return unknownCustomer(session.stripeCustomerId, {
      client_reference_id: session.clientReferenceId,
      [`metadata.${lookups.customerKey}`]: session.metadata[lookups.customerKey],
    });
  }
  const paid = moneyOf(session, subject);
  if ('kind' in paid) return paid;
  const { net, total } = paid;
  // The page may have been made days before it was paid for.
  const paidAt = session.chargedAt ?? event.created;
  const { id, metadata, paymentIntentId: intent, invoiceId: invoice } = session;
  const grant = grantOfSale(
    {
      id,
      customerId,
      metadata,
      soldAt: paidAt,
      cost: net.amount === 0 ? null : net,
      sale: { session: id, intent, invoice, paid: total.amount === 0 ? null : total },
      charged: chargedIn(session, lookups.catalog),
      by: intent === null ? 'session' : 'intent',
    },
    lookups,
  );
  if ('kind' in grant) return grant;
  return commands(
    grant,
    ...paymentOf(session, customerId, total, paidAt),
    ...linkInvoice(intent, invoice, net.currency),
    ...links,
  );
};

/**
 * `checkout.session.async_payment_failed` and `.expired`: links the customer, and records what became of the payment where there
 * is one. Nothing was granted before.
 */
const translateUnpaid =
  (status: 'failed' | 'canceled'): Translate =>
  (event, lookups) => {
    const subject = subjectOf(event.payload);
    const read = normaliseSession(subject);
    if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
    const session = read.ok;
    const named = namedCustomer(session.clientReferenceId, session.metadata[lookups.customerKey]);
    const links = naming(event, 'session', { stripeCustomerId: session.stripeCustomerId, customerId: named });
    const customerId = named ?? customerOf(lookups, session.stripeCustomerId);
    const { amount, paymentIntentId } = session;
    if (customerId === null || amount === null || paymentIntentId === null) return commands(...links);
    const paid = moneyOf(session, subject);
    if ('kind' in paid) return paid;
    const attempt = { status, customerId, money: paid.total, failureReason: null, at: event.created };
    return commands(...links, {
      to: 'payment',
      stream: paymentStream(paymentIntentId),
      key: observationKey(event),
      command: { type: 'RecordAttempt', paymentId: paymentIntentId, attempt },
    });
  };

export const translateSessionFailed = translateUnpaid('failed');
export const translateSessionExpired = translateUnpaid('canceled');

const paymentStatuses = ['paid', 'unpaid', 'no_payment_required'];

const keyOf = (session: Session): string => `session:${session.id}`;

/**
 * Stripe's subtotal is without discounts and taxes; tax that is included in a price may be in it or not. Where the session holds its lines,
 * those of the pack's own price count.
 */
function chargedIn({ amount, lines, metadata }: Session, catalog: CatalogState): Charged | null {
  if (amount === null) return null;
  const { currency, subtotal, tax, converted } = amount;
  if (converted !== null) {
    const { currency: ofPrice, subtotal: before, total: after } = converted;
    return { currency: ofPrice, amounts: tax === 0 ? [before] : [before, after] };
  }
  const price = packPriceId(metadata, catalog);
  const own = lines.filter(({ priceId }) => price !== null && priceId === price);
  if (own.length > 0) return { currency, amounts: [own.reduce((sum, line) => sum + line.subtotal, 0)] };
  return subtotal === null ? null : { currency, amounts: [subtotal, subtotal + tax] };
}

/** What was paid with tax, and what the credits cost without it. */
function moneyOf(
  session: Session,
  subject: Fields | null,
): { readonly total: Money; readonly net: Money } | Translation {
  const { amount } = session;
  if (amount === null || !isAmount(amount.total)) {
    const field = amount === null && integerAt(subject, 'amount_total') !== null ? 'currency' : 'amount_total';
    const expected = field === 'currency' ? 'a currency' : 'a whole number that is not negative';
    return park('unknown_shape', session.id, unreadable(subject, field, expected).unreadable);
  }
  if (!isAmount(amount.tax) || amount.tax > amount.total) {
    const details = objectAt(subject, 'total_details');
    return park('unknown_shape', session.id, unreadable(details, 'amount_tax', 'at most amount_total').unreadable);
  }
  const { total, tax, currency } = amount;
  if (!isSupportedCurrency(currency))
    return park('unsupported_currency', currency.slice(0, 16), 'the ledger cannot keep this currency');
  return { total: { amount: total, currency }, net: { amount: total - tax, currency } };
}

function paymentOf(session: Session, customerId: string, money: Money, paidAt: Instant): readonly FactCommand[] {
  if (money.amount === 0) return [];
  const paymentId = session.paymentIntentId ?? session.id;
  return [
    {
      to: 'payment',
      stream: paymentStream(paymentId),
      key: keyOf(session),
      command: {
        type: 'RecordPayment',
        paymentId,
        customerId,
        kind: 'top_up',
        money,
        total: money.amount,
        paidAt,
        paymentIntentId: session.paymentIntentId,
        invoiceId: session.invoiceId,
        sessionId: session.id,
      },
    },
  ];
}
