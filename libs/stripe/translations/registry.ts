import type { ParkReason, ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { at, idAt, objectAt, objectIn, textAt } from '../shapes/fields.js';
import { subjectOf } from '../shapes/billing.js';
import { NOTHING, park, type Lookups, type Translate, type Translation } from './translation.js';
import { translateSession, translateSessionExpired, translateSessionFailed } from './checkout-session.js';
import {
  translateInvoiceActionRequired,
  translateInvoiceCreated,
  translateInvoiceFinalized,
  translateInvoicePaymentFailed,
  translateInvoiceUncollectible,
  translateInvoiceVoided,
} from './invoice/state.js';
import { translateInvoicePaid } from './invoice/paid.js';
import {
  translateInvoicePayment,
  translatePaymentCanceled,
  translatePaymentFailed,
  translatePaymentProcessing,
  translatePaymentSucceeded,
} from './payment-intent.js';
import {
  translateCharge,
  translateChargeRefunded,
  translateCreditNote,
  translateDispute,
  translateRefund,
} from './refund.js';
import { found } from '../shapes/unreadable.js';
import { translateCustomer, translateCustomerDeleted } from './naming.js';
import {
  translateSubscription,
  translateSubscriptionCreated,
  translateSubscriptionDeleted,
  translateSubscriptionTurn,
} from './subscription.js';

/** The types of Stripe's events that the ledger answers for. One that is named here and not below does not compile. */
type StripeType =
  | `checkout.session.${'completed' | 'async_payment_succeeded' | 'async_payment_failed' | 'expired'}`
  | `customer.${'created' | 'updated' | 'deleted'}`
  | `customer.subscription.${'created' | 'updated' | 'deleted' | 'paused' | 'resumed' | 'trial_will_end'}`
  | `customer.subscription.${'pending_update_applied' | 'pending_update_expired'}`
  | `invoice.${'created' | 'finalized' | 'paid' | 'payment_succeeded' | 'payment_failed' | 'voided'}`
  | `invoice.${'marked_uncollectible' | 'upcoming' | 'payment_action_required'}`
  | 'invoice_payment.paid'
  | `payment_intent.${'succeeded' | 'payment_failed' | 'canceled' | 'processing'}`
  | `charge.${'succeeded' | 'refunded' | 'refund.updated'}`
  | `refund.${'created' | 'updated' | 'failed'}`
  | `charge.dispute.${'created' | 'updated' | 'closed' | 'funds_withdrawn' | 'funds_reinstated'}`
  | `credit_note.${'created' | 'voided'}`;

/** What is reported better by another event: the reason stands beside each. */
const nothing: Translate = () => NOTHING;

/** Every type of Stripe event that means something to the ledger, with what it means. */
const translations = {
  'checkout.session.completed': translateSession,
  'checkout.session.async_payment_succeeded': translateSession,
  'checkout.session.async_payment_failed': translateSessionFailed,
  'checkout.session.expired': translateSessionExpired,
  'customer.created': translateCustomer,
  'customer.updated': translateCustomer,
  'customer.deleted': translateCustomerDeleted,
  'customer.subscription.created': translateSubscriptionCreated,
  'customer.subscription.updated': translateSubscription,
  'customer.subscription.deleted': translateSubscriptionDeleted,
  'customer.subscription.paused': translateSubscriptionTurn,
  'customer.subscription.resumed': translateSubscriptionTurn,
  'customer.subscription.trial_will_end': translateSubscription,
  'customer.subscription.pending_update_applied': translateSubscription,
  'customer.subscription.pending_update_expired': translateSubscription,
  'invoice.created': translateInvoiceCreated,
  'invoice.finalized': translateInvoiceFinalized,
  'invoice.paid': translateInvoicePaid,
  'invoice.payment_succeeded': nothing, // invoice.paid comes with it, and also for what was paid outside of Stripe
  'invoice.payment_failed': translateInvoicePaymentFailed,
  'invoice.payment_action_required': translateInvoiceActionRequired,
  'invoice.voided': translateInvoiceVoided,
  'invoice.marked_uncollectible': translateInvoiceUncollectible,
  'invoice.upcoming': nothing, // a preview without an id; the subscription says when the next invoice comes
  'invoice_payment.paid': translateInvoicePayment,
  'payment_intent.succeeded': translatePaymentSucceeded,
  'payment_intent.payment_failed': translatePaymentFailed,
  'payment_intent.canceled': translatePaymentCanceled,
  'payment_intent.processing': translatePaymentProcessing,
  'charge.succeeded': translateCharge,
  'charge.refunded': translateChargeRefunded,
  'charge.refund.updated': translateRefund,
  'refund.created': translateRefund,
  'refund.updated': translateRefund,
  'refund.failed': translateRefund,
  'charge.dispute.created': translateDispute,
  'charge.dispute.updated': translateDispute,
  'charge.dispute.closed': translateDispute,
  'charge.dispute.funds_withdrawn': translateDispute,
  'charge.dispute.funds_reinstated': translateDispute,
  'credit_note.created': translateCreditNote,
  'credit_note.voided': translateCreditNote,
} as const satisfies Record<StripeType, Translate>;

const isTranslated = (type: string): type is StripeType => Object.hasOwn(translations, type);

/** The types that the webhook endpoint must be subscribed to. */
export const translatedTypes: readonly string[] = Object.keys(translations);

/**
 * What a received Stripe event means to the ledger. Pure and total: any payload gives commands, nothing (no commands), or a
 * reason to park it.
 */
export function translate(event: ReceivedStripeEvent, lookups: Lookups): Translation {
  const { stripeType } = event;
  if (!isTranslated(stripeType)) return NOTHING;
  const meant = whatItMeans(stripeType, event, lookups);
  return meant.kind === 'park' ? { kind: 'park', reason: withObject(meant.reason, event) } : meant;
}

function whatItMeans(type: StripeType, event: ReceivedStripeEvent, lookups: Lookups): Translation {
  if (event.livemode !== lookups.livemode) {
    const [theirs, ours] = event.livemode ? ['live', 'test'] : ['test', 'live'];
    return park('wrong_mode', null, `the event is of ${theirs} mode, this installation of ${ours} mode`);
  }
  if (textAt(objectIn(event.payload), 'account') !== null)
    return park('connected_account', null, 'the event is of a connected account, whose money is not kept here');
  const means: Translate = translations[type];
  if (means !== nothing && subjectOf(event.payload) === null) {
    const object = at(objectAt(objectIn(event.payload), 'data'), 'object');
    return park('unknown_shape', null, `data.object: expected an object, found ${found(object)}`);
  }
  return means(event, lookups);
}

/** The reason with what the person who reads it needs first: the object that the event is about, and the API version of its shape. */
export function withObject(reason: ParkReason, { payload, apiVersion }: ReceivedStripeEvent): ParkReason {
  const subject = subjectOf(payload);
  const [type, id] = [idAt(subject, 'object') ?? 'object', idAt(subject, 'id') ?? 'without a readable id'];
  return { ...reason, detail: `${type} ${id}: ${reason.detail} (API version ${apiVersion ?? 'not named'})` };
}

/** The Stripe customer that the event's object is or names: its link, if there is one, must be among the lookups. */
export function stripeCustomerOf(event: ReceivedStripeEvent): string | null {
  const subject = subjectOf(event.payload);
  return idAt(subject, textAt(subject, 'object') === 'customer' ? 'id' : 'customer');
}
