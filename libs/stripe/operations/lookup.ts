import type { Json } from '#kernel/json.js';
import type { StripeIntent } from '#ledger/stripe/intent.js';
import { archivedLookup, priceLookup, productLookup } from './catalog.js';
import { subscriptionLookup, type SubscriptionChange } from './subscription.js';
import { customerLookup, noLookup, paymentIntentLookup, sessionLookup, type StripeLookup } from './operation.js';

/** What a lookup needs besides the intent's subject. */
export type Known = {
  /** All that the customer has or had. */
  readonly stripeCustomerIds: readonly string[];
};

/**
 * How to find at Stripe what an intent has created or changed: by the intent's id in metadata, by the lookup key, or by the state
 * of the object that it changes. A portal session need not be found, and a contact is written again.
 */
export function lookupOf(intent: StripeIntent, { stripeCustomerIds }: Known): StripeLookup<{ readonly id: string }> {
  const { intentId, operation, subject } = intent;
  switch (operation) {
    case 'create_customer':
      return customerLookup(intentId);
    case 'create_checkout_session':
      return anyLookup(
        'checkout.session',
        stripeCustomerIds.map((id) => sessionLookup(id, intentId)),
      );
    case 'create_payment_intent':
      return anyLookup(
        'payment_intent',
        stripeCustomerIds.map((id) => paymentIntentLookup(id, intentId)),
      );
    case 'create_portal_session':
    case 'update_customer':
      return noLookup;
    case 'cancel_subscription':
    case 'resume_subscription':
    case 'change_subscription': {
      const change = changeOf(subject);
      return change === null ? noLookup : subscriptionLookup(textOf(subject['subscriptionId']), change);
    }
    case 'create_product':
    case 'update_product':
      return productLookup(textOf(subject['productId']), textOf(subject['name']));
    case 'create_price': {
      const { amount, currency, interval } = subject;
      const money = { amount: typeof amount === 'number' ? amount : 0, currency: textOf(currency) };
      return priceLookup(textOf(subject['lookupKey']), money, intervalOf(interval));
    }
    case 'archive_price':
      return archivedLookup(textOf(subject['priceId']));
  }
}

/** The first that any of them finds; one that asks about what Stripe does not have any more finds nothing. */
const anyLookup = (
  objectType: string,
  lookups: readonly StripeLookup<{ readonly id: string }>[],
): StripeLookup<{ readonly id: string }> => ({
  objectType,
  find: async (client, intendedAt) => {
    for (const lookup of lookups) {
      const found = await lookup.find(client, intendedAt);
      const isGone = found.kind === 'refused' && found.code === 'resource_missing';
      if (!isGone && (found.kind !== 'answered' || found.value !== null)) return found;
    }
    return { kind: 'answered', value: null };
  },
});

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const intervalOf = (value: Json | undefined) => (value === 'month' || value === 'year' ? value : null);

function changeOf(subject: StripeIntent['subject']): SubscriptionChange | null {
  const { kind, atPeriodEnd, priceId, when } = subject;
  if (kind === 'cancel') return { kind, atPeriodEnd: atPeriodEnd === true };
  if (kind === 'resume') return { kind };
  if (kind !== 'change' || typeof priceId !== 'string') return null;
  return { kind, priceId, when: when === 'period_end' ? when : 'now' };
}
