import type { ReceivedStripeEvent } from '#ledger/stripe-event.js';
import { idAt } from './json-fields.js';
import { subjectOf } from './normalise.js';
import { NOTHING, park } from './translation.js';
import type { Lookups, Translate, Translation } from './translation.js';
import { translateSession } from './translations/checkout-session.js';
import { translateInvoicePaid } from './translations/invoice.js';

/** Every type of Stripe event that means something to the ledger. Another type is one more line here and its function. */
const translations: { readonly [stripeType: string]: Translate } = {
  'checkout.session.completed': translateSession,
  'checkout.session.async_payment_succeeded': translateSession,
  'invoice.paid': translateInvoicePaid,
};

/** The types that the webhook endpoint must be subscribed to. */
export const translatedTypes: readonly string[] = Object.keys(translations);

/**
 * What a received Stripe event means to the ledger. Pure and total: any payload gives commands, nothing (no commands), or a
 * reason to park it.
 */
export function translate(event: ReceivedStripeEvent, lookups: Lookups): Translation {
  const translation = Object.hasOwn(translations, event.stripeType) ? translations[event.stripeType] : undefined;
  if (translation === undefined) return NOTHING;
  if (event.livemode !== lookups.livemode) {
    const [theirs, ours] = event.livemode ? ['live', 'test'] : ['test', 'live'];
    return park('wrong_mode', null, `the event is of ${theirs} mode, this installation of ${ours} mode`);
  }
  return translation(event, lookups);
}

/** The Stripe customer that the event's object names: its link, if there is one, must be among the lookups. */
export const stripeCustomerOf = (event: ReceivedStripeEvent): string | null =>
  idAt(subjectOf(event.payload), 'customer');
