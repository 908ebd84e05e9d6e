import type { Ignorable } from '#ledger/ignore-rule.js';
import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { at, idAt, listAt, objectAt, objectIn, textAt, type Fields } from '../shapes/fields.js';
import { metadataAt, subjectOf } from '../shapes/billing.js';

/** What of a Stripe event the rules look at that set events aside. */
export function ignorableOf({ stripeType: type, payload }: ReceivedStripeEvent): Ignorable {
  const subject = subjectOf(payload);
  const lists = ['items', 'lines', 'line_items'].map((list) => objectAt(subject, list));
  // Of a list that goes on at Stripe, any price may be one of ours: no rule about prices takes the event before all are known.
  const isCut = lists.some((list) => at(list, 'has_more') === true);
  const rows = isCut ? [] : lists.flatMap((list) => listAt(list, 'data') ?? []);
  const subscription = objectAt(subject, 'parent', 'subscription_details') ?? objectAt(subject, 'subscription_details');
  return {
    type,
    prices: rows
      .map((row) => pricedBy(objectIn(row)))
      .filter(({ price, product }) => price !== null || product !== null),
    metadata: [metadataAt(subject, 'metadata'), metadataAt(subscription, 'metadata')],
  };
}

/** The price of an item or a line, in the shapes since 2025-03 (basil) and before. */
function pricedBy(row: Fields | null): Ignorable['prices'][number] {
  const details = objectAt(row, 'pricing', 'price_details');
  const price = objectAt(row, 'price') ?? objectAt(row, 'plan');
  return {
    price: idAt(details, 'price') ?? textAt(price, 'id') ?? idAt(row, 'price'),
    product: idAt(details, 'product') ?? idAt(price, 'product'),
  };
}
