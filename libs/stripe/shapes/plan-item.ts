import { planOfStripePrice, type CatalogState } from '#ledger/catalog.js';
import type { SubscriptionItem } from './subscription.js';

/** An item of a subscription whose price is a plan's. */
export type PlanItem = {
  readonly item: SubscriptionItem;
  readonly known: NonNullable<ReturnType<typeof planOfStripePrice>>;
};

/**
 * The items of a subscription that have a plan of the catalogue, the one that says which plan the subscription is of first: it gives the
 * most credits a month; of those that give as many it has the higher price, then the lower id. So the order in which Stripe lists the items
 * makes no difference. Empty when none has a plan.
 */
export function planItemsOf(items: readonly SubscriptionItem[], catalog: CatalogState): readonly PlanItem[] {
  return items
    .flatMap((item): readonly PlanItem[] => {
      const known = planOfStripePrice(catalog, item.priceId);
      return known === null ? [] : [{ item, known }];
    })
    .sort((a, b) => creditsOf(b) - creditsOf(a) || priceOf(b) - priceOf(a) || (a.item.id < b.item.id ? -1 : 1));
}

const creditsOf = ({ item, known }: PlanItem): number => known.plan.creditsPerMonth * item.quantity;

const priceOf = ({ known }: PlanItem): number => known.price.money.amount;
