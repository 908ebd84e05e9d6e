import { paymentStream } from '#kernel/stream-name.js';
import type { Attempt } from '#ledger/payment/state.js';
import { isSupportedCurrency } from '#kernel/currency.js';
import { normaliseInvoicePayment, normalisePaymentIntent, type PaymentIntent } from '../shapes/money.js';
import { subjectOf } from '../shapes/billing.js';
import {
  commands,
  customerOf,
  linkInvoice,
  namedCustomer,
  unknownCustomer,
  park,
  observationKey,
  type FactCommand,
  type Lookups,
  type Translate,
  type Translation,
} from './translation.js';
import { namingOfSubject } from './naming.js';
import { grantOfSale } from './sale.js';

/**
 * `payment_intent.*`: how far an attempt to pay has come. Grants nothing: sessions and invoices do, which an intent does not know;
 * only one whose metadata says `top_up: true` is a sale of credits itself.
 */
const translateAttempt =
  (status: Attempt['status']): Translate =>
  (event, lookups) => {
    const read = normalisePaymentIntent(subjectOf(event.payload), status, event.created);
    if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
    const intent = read.ok;
    const named = namedCustomer(intent.metadata[lookups.customerKey]);
    // Only money that was paid belongs to an invoice: what failed stays a payment of its own, as newer shapes report it.
    const links = status === 'succeeded' ? linkInvoice(intent.id, intent.invoiceId, intent.attempt.money.currency) : [];
    // What a session or an invoice paid with is recorded with that; it would be reported twice.
    if (status === 'succeeded' && named === null) return commands(...links);
    if (!isSupportedCurrency(intent.attempt.money.currency)) {
      const currency = intent.attempt.money.currency.slice(0, 16);
      return park('unsupported_currency', currency, 'the ledger cannot keep this currency');
    }
    const customerId = named ?? customerOf(lookups, intent.stripeCustomerId);
    if (customerId === null && intent.stripeCustomerId !== null) {
      return unknownCustomer(intent.stripeCustomerId, {
        [`metadata.${lookups.customerKey}`]: intent.metadata[lookups.customerKey],
      });
    }
    const sale = status === 'succeeded' && customerId !== null ? saleOf(intent, customerId, lookups) : commands();
    if (sale.kind === 'park') return sale;
    const record: FactCommand = {
      to: 'payment',
      stream: paymentStream(intent.id),
      key: observationKey(event),
      command: {
        type: 'RecordAttempt',
        paymentId: intent.id,
        attempt: { ...intent.attempt, customerId, ...kindOf(intent) },
      },
    };
    return commands(record, ...links, ...namingOfSubject(event, lookups), ...sale.commands);
  };

export const translatePaymentSucceeded = translateAttempt('succeeded');
export const translatePaymentFailed = translateAttempt('failed');
export const translatePaymentCanceled = translateAttempt('canceled');
export const translatePaymentProcessing = translateAttempt('processing');

/** Intents that we make name the request that they were made for; those of sessions and invoices do not know what they pay for. */
function kindOf({ metadata }: PaymentIntent): Pick<Attempt, 'kind'> {
  if (metadata['top_up'] === 'true') return { kind: 'top_up' };
  return metadata['scrip_intent'] === undefined ? {} : { kind: 'one_time' };
}

/** An intent that names its invoice reported the invoice's sale, under whose id that one's money is kept. */
function saleOf(intent: PaymentIntent, customerId: string, lookups: Lookups): Translation {
  const { id, invoiceId, sessionId, metadata, attempt } = intent;
  if (metadata['top_up'] !== 'true') return commands();
  const { money, at: paidAt } = attempt;
  const paid = money.amount === 0 ? null : money;
  const by = invoiceId === null ? 'intent' : 'invoice';
  const sale = { session: sessionId, intent: id, invoice: invoiceId, paid };
  // The session or the invoice that it was made for knows its price before discount and tax, and is compared itself.
  const ofOrder = invoiceId !== null || sessionId !== null;
  const charged = ofOrder ? null : { currency: money.currency, amounts: [money.amount - intent.besidePrice] };
  const purchase = { id, customerId, metadata, soldAt: paidAt, cost: paid, sale, charged, by } as const;
  const grant = grantOfSale(purchase, lookups);
  if ('kind' in grant) return grant;
  const paymentId = invoiceId ?? id;
  const ids = { paymentIntentId: invoiceId === null ? id : null, invoiceId, sessionId };
  const payment: FactCommand = {
    to: 'payment',
    stream: paymentStream(paymentId),
    // The invoice reports the same payment, and may know of more that was paid.
    key: `intent:${id}`,
    command: {
      type: 'RecordPayment',
      paymentId,
      customerId,
      kind: 'top_up',
      money,
      total: money.amount,
      paidAt,
      ...ids,
    },
  };
  return commands(grant, payment);
}

/** `invoice_payment.paid`: which money paid an invoice; refunds and disputes name only the money. */
export const translateInvoicePayment: Translate = (event) => {
  const read = normaliseInvoicePayment(subjectOf(event.payload));
  if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
  const { paymentId, invoiceId, currency } = read.ok;
  return commands(...linkInvoice(paymentId, invoiceId, currency));
};
