import { invalid, missing } from '../../core/api/errors.js';
import { page } from '../../core/api/lists.js';
import type { Subscription, SubscriptionItem } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import type { Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { arrangeChange, changeItems, paymentOf } from './change.js';
import { wantedItem, type WantedItem } from './items.js';

type Found = { readonly subscription: Subscription; readonly item: SubscriptionItem };

function itemOf(tx: Tx, id: string): Found {
  for (const subscription of tx.all('subscription')) {
    const item = subscription.items.data.find((one) => one.id === id);
    if (item !== undefined) return { subscription: tx.need('subscription', subscription.id), item };
  }
  throw missing('subscription_item', id);
}

/** Applies one change of items and reports it as `customer.subscription.updated`, as the subscription's own address does. */
function change(tx: Tx, before: Subscription, wanted: WantedItem, params: Params): Subscription {
  if (['canceled', 'incomplete_expired'].includes(before.status))
    throw invalid('You cannot change the items of a subscription that has ended.', undefined, 'resource_missing');
  params.accept('off_session');
  const changed = changeItems(tx, before, {
    wanted: [wanted],
    ...paymentOf(tx, params),
    anchorNow: false,
  });
  tx.put('subscription', before.id, before);
  tx.update('subscription', changed, 'customer.subscription.updated');
  arrangeChange(tx);
  return changed;
}

function add(tx: Tx, params: Params): SubscriptionItem {
  const before = tx.need('subscription', params.required('subscription'), 'subscription');
  const known = new Set(before.items.data.map(({ id }) => id));
  const changed = change(tx, before, wantedItem(tx, params, null), params);
  const added = changed.items.data.find(({ id }) => !known.has(id));
  return added ?? (changed.pending_update?.subscription_items ?? []).find(({ id }) => !known.has(id)) ?? missingItem();
}

function missingItem(): never {
  throw invalid('Missing required param: price.', 'price', 'parameter_missing');
}

function update(tx: Tx, id: string, params: Params): SubscriptionItem {
  const { subscription, item } = itemOf(tx, id);
  const wanted = wantedItem(tx, params, id);
  const metadata = params.has('metadata') ? params.metadata(item.metadata) : null;
  const changed = change(tx, subscription, { ...wanted, metadata }, params);
  return changed.items.data.find((one) => one.id === id) ?? item;
}

function remove(tx: Tx, id: string, params: Params): unknown {
  const { subscription } = itemOf(tx, id);
  params.accept('clear_usage');
  if (subscription.items.data.length === 1) {
    throw invalid(
      'A subscription must have at least one active plan. If you want to stop the subscription, cancel it instead.',
    );
  }
  change(tx, subscription, { id, price: null, quantity: null, deleted: true, metadata: null }, params);
  return { id, object: 'subscription_item', deleted: true };
}

const path = '/v1/subscription_items';

/** The items of subscriptions by their own addresses. */
export const subscriptionItemRoutes: readonly Route[] = [
  { method: 'POST', path, run: ({ tx, params }) => add(tx, params) },
  { method: 'GET', path: `${path}/:id`, run: ({ tx, id }) => itemOf(tx, id).item },
  { method: 'POST', path: `${path}/:id`, run: ({ tx, id, params }) => update(tx, id, params) },
  { method: 'DELETE', path: `${path}/:id`, run: ({ tx, id, params }) => remove(tx, id, params) },
  {
    method: 'GET',
    path,
    run: ({ tx, params, path: url }) => {
      const subscription = tx.need('subscription', params.required('subscription'), 'subscription');
      return page(params, url, subscription.items.data, (item) => item.id);
    },
  },
];
