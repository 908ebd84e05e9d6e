import { invalid } from '../../core/api/errors.js';
import type { InvoiceLine, Price, Subscription, SubscriptionItem } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import type { Cycle, Interval } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';
import { planOf, priceOf } from '../catalog/catalogue.js';
import { subscriptionLine, type Span } from '../invoices/lines.js';
import { usageOf } from '../catalog/meters.js';
import { priceAmount } from '../catalog/tiers.js';

/** What a request wants of one item. */
export type WantedItem = {
  readonly id: string | null;
  readonly price: Price | null;
  readonly quantity: number | null;
  readonly deleted: boolean;
  readonly metadata: Record<string, string> | null;
  /** The name of the parameter that the item came in, for refusals. */
  readonly param?: string;
};

export const isMetered = (price: Price): boolean => price.recurring?.usage_type === 'metered';

/** A metered item has no quantity of its own. */
export function refuseQuantity(item: Params): void {
  if (!item.has('quantity')) return;
  const of = item.name('quantity').replace(/\[?quantity\]?$/, '');
  throw invalid(
    `Quantity should not be specified where usage_type is \`metered\`. Remove quantity from \`${of}\``,
    item.name('quantity'),
  );
}

/** How often a price is billed. */
export function cycleOf(price: Price): Cycle {
  const recurring = price.recurring;
  return { interval: (recurring?.interval ?? 'month') as Interval, interval_count: recurring?.interval_count ?? 1 };
}

/** The one cycle of all items. Items that are billed at different intervals need different subscriptions here. */
export function commonCycle(items: readonly { readonly price: Price }[]): Cycle {
  const first = items[0];
  if (first === undefined) throw invalid('A subscription must have at least one item.', 'items', 'parameter_missing');
  const cycle = cycleOf(first.price);
  for (const { price } of items) {
    const other = cycleOf(price);
    if (other.interval !== cycle.interval || other.interval_count !== cycle.interval_count) {
      throw invalid(
        'Currently, all prices of a subscription in the sandbox must have the same recurring interval.',
        'items',
      );
    }
    if (price.currency !== items[0]?.price.currency) {
      throw invalid('All prices on a subscription must have the same currency.', 'items');
    }
  }
  return cycle;
}

export const sameCycle = (a: Cycle, b: Cycle): boolean =>
  a.interval === b.interval && a.interval_count === b.interval_count;

/** Reads one wanted item; `id` is that of the address, or null to read it from the parameters. */
export function wantedItem(tx: Tx, item: Params, id: string | null): WantedItem {
  item.accept('clear_usage', 'billing_thresholds', 'tax_rates');
  const hasPrice = item.has('price') || item.has('price_data');
  const plan = hasPrice ? undefined : item.text('plan');
  const price = plan !== undefined ? tx.need('price', plan, item.name('plan')) : hasPrice ? priceOf(tx, item) : null;
  if (price !== null && price.recurring === null) {
    throw invalid(
      `The price specified is set to \`type=one_time\` but this field only accepts prices with \`type=recurring\`.`,
      item.name('price'),
    );
  }
  if (price !== null && isMetered(price)) refuseQuantity(item);
  const quantity = item.integer('quantity');
  if (quantity !== undefined && quantity < 0) throw invalid('Invalid non-negative integer', item.name('quantity'));
  return {
    id,
    price,
    quantity: quantity ?? null,
    deleted: false,
    metadata: item.has('metadata') ? item.metadata() : null,
  };
}

/** Reads `items[]`. */
export function wantedItems(tx: Tx, params: Params): readonly WantedItem[] | undefined {
  return params.children('items')?.map((item) => ({
    ...wantedItem(tx, item, item.text('id') ?? null),
    deleted: item.flag('deleted') ?? false,
    param: item.name(item.has('id') ? 'id' : 'price'),
  }));
}

export function newItem(
  tx: Tx,
  subscription: string,
  price: Price,
  quantity: number,
  period: Span,
  metadata: Record<string, string> = {},
): SubscriptionItem {
  return {
    id: tx.idWith('si'),
    object: 'subscription_item',
    billing_thresholds: null,
    created: tx.now,
    current_period_end: period.end,
    current_period_start: period.start,
    current_trial: null,
    discounts: [],
    metadata,
    plan: planOf(price),
    price,
    ...(isMetered(price) ? {} : { quantity }),
    subscription,
    tax_rates: [],
  };
}

/** The items after a change: named items are altered or removed, the rest is added; items not named stay. */
export function changedItems(
  tx: Tx,
  subscription: Subscription,
  wanted: readonly WantedItem[],
  period: Span,
): readonly SubscriptionItem[] {
  const known = new Map(subscription.items.data.map((item) => [item.id, item]));
  for (const want of wanted) {
    if (want.id === null) {
      if (want.price === null)
        throw invalid(`Missing required param: ${want.param ?? 'price'}.`, want.param ?? 'price', 'parameter_missing');
      const added = newItem(tx, subscription.id, want.price, want.quantity ?? 1, period, want.metadata ?? {});
      known.set(added.id, added);
      continue;
    }
    const item = known.get(want.id);
    if (item === undefined)
      throw invalid(`No such subscription_item: '${want.id}'`, want.param ?? 'id', 'resource_missing');
    if (want.deleted) known.delete(want.id);
    else {
      const price = want.price ?? item.price;
      const { quantity: before, ...rest } = item;
      const kept = price.id === item.price.id ? before : undefined; // another price starts at one again
      known.set(want.id, {
        ...rest,
        metadata: want.metadata ?? item.metadata,
        plan: planOf(price),
        price,
        ...(isMetered(price) ? {} : { quantity: want.quantity ?? kept ?? 1 }),
      });
    }
  }
  return [...known.values()];
}

export const withItems = (subscription: Subscription, items: readonly SubscriptionItem[]): Subscription => ({
  ...subscription,
  items: { ...subscription.items, data: [...items] },
});

/** The subscription with all its items in this period. */
export const inPeriod = (subscription: Subscription, period: Span): Subscription =>
  withItems(
    subscription,
    subscription.items.data.map((item) => ({
      ...item,
      current_period_start: period.start,
      current_period_end: period.end,
    })),
  );

/** The current period; items of one subscription share it here. */
export function periodOf(subscription: Subscription): Span {
  const item = subscription.items.data[0];
  return {
    start: item?.current_period_start ?? subscription.start_date,
    end: item?.current_period_end ?? subscription.start_date,
  };
}

/** The lines of one period: licensed items ahead, metered items for `used`, the period that just ended. */
export function periodLines(
  tx: Tx,
  invoice: string,
  subscription: Subscription,
  period: Span,
  used: Span | null,
): readonly InvoiceLine[] {
  return subscription.items.data.flatMap((item): InvoiceLine[] => {
    if (!isMetered(item.price)) {
      const quantity = item.quantity ?? 1;
      return [
        subscriptionLine(tx, invoice, subscription, item, {
          amount: priceAmount(item.price, quantity),
          quantity,
          period,
        }),
      ];
    }
    if (used === null) return [];
    const meter = item.price.recurring?.meter ?? null;
    const quantity = meter === null ? 0 : Math.round(usageOf(tx, meter, subscription.customer, used.start, used.end));
    return [
      subscriptionLine(tx, invoice, subscription, item, {
        amount: priceAmount(item.price, quantity),
        quantity,
        period: used,
      }),
    ];
  });
}

/** The lines of a trial: nothing to pay. */
export function trialLines(tx: Tx, invoice: string, subscription: Subscription, period: Span): readonly InvoiceLine[] {
  return subscription.items.data
    .filter((item) => !isMetered(item.price))
    .map((item) => {
      const name = tx.get('product', item.price.product)?.name ?? item.price.product;
      return subscriptionLine(tx, invoice, subscription, item, {
        amount: 0,
        quantity: item.quantity ?? 1,
        period,
        description: `Trial period for ${name}`,
      });
    });
}
