import type { Json } from '#kernel/json.js';
import type { StripeIntent } from '#ledger/stripe/intent.js';
import { archivedLook, priceLook, productLook } from './catalog.js';
import { subscriptionLook, type SubscriptionWish } from './subscription.js';
import { customerLook, noLook, paymentIntentLook, sessionLook, type Look } from './operation.js';

/** What may be known besides an intent's subject, which holds no personal data. */
export type Known = {
  /** All that the customer has or had. */
  readonly stripeCustomerIds: readonly string[];
};

/**
 * How to see at Stripe whether an intent has led to something: by the intent's id in what was made with it, by the lookup key, or
 * by the state of what was to be changed. A portal session leaves no trace, and needs none; a contact is written again.
 */
export function lookOf(intent: StripeIntent, { stripeCustomerIds }: Known): Look<{ readonly id: string }> {
  const { intentId, operation, subject } = intent;
  switch (operation) {
    case 'create_customer':
      return customerLook(intentId);
    case 'create_checkout_session':
      return anyLook(
        'checkout.session',
        stripeCustomerIds.map((id) => sessionLook(id, intentId)),
      );
    case 'create_payment_intent':
      return anyLook(
        'payment_intent',
        stripeCustomerIds.map((id) => paymentIntentLook(id, intentId)),
      );
    case 'create_portal_session':
    case 'update_customer':
      return noLook;
    case 'cancel_subscription':
    case 'resume_subscription':
    case 'change_subscription': {
      const wish = wishOf(subject);
      return wish === null ? noLook : subscriptionLook(textOf(subject['subscriptionId']), wish);
    }
    case 'create_product':
    case 'update_product':
      return productLook(textOf(subject['productId']), textOf(subject['name']));
    case 'create_price': {
      const { amount, currency, interval } = subject;
      const money = { amount: typeof amount === 'number' ? amount : 0, currency: textOf(currency) };
      return priceLook(textOf(subject['lookupKey']), money, intervalOf(interval));
    }
    case 'archive_price':
      return archivedLook(textOf(subject['priceId']));
  }
}

/** The first that any of them finds; one that asks about what Stripe does not have any more finds nothing. */
const anyLook = (
  objectType: string,
  looks: readonly Look<{ readonly id: string }>[],
): Look<{ readonly id: string }> => ({
  objectType,
  find: async (client, intendedAt) => {
    for (const look of looks) {
      const found = await look.find(client, intendedAt);
      const isGone = found.kind === 'refused' && found.code === 'resource_missing';
      if (!isGone && (found.kind !== 'answered' || found.value !== null)) return found;
    }
    return { kind: 'answered', value: null };
  },
});

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const intervalOf = (value: Json | undefined) => (value === 'month' || value === 'year' ? value : null);

function wishOf(subject: StripeIntent['subject']): SubscriptionWish | null {
  const { kind, atPeriodEnd, priceId, when } = subject;
  if (kind === 'cancel') return { kind, atPeriodEnd: atPeriodEnd === true };
  if (kind === 'resume') return { kind };
  if (kind !== 'change' || typeof priceId !== 'string') return null;
  return { kind, priceId, when: when === 'period_end' ? when : 'now' };
}
