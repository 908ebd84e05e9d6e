import { invalid } from '../../core/api/errors.js';
import type { PortalSession, Subscription } from '../../core/model.js';
import type { Tx } from '../../core/tx.js';
import { customerOf, withDefaultMethod } from '../customers/customers.js';
import { redemptionOf, replaceDiscounts, type Redemption } from '../catalog/discounts.js';
import { attach, cardFromEntry, type CardEntry } from '../payments/methods.js';
import { configurationOf, portalPrices } from './sessions.js';
import { prorations } from '../subscriptions/schedule-phases.js';
import { arrangeChange, changeItems } from '../subscriptions/change.js';
import { periodOf } from '../subscriptions/items.js';
import { endSubscription } from '../subscriptions/end.js';

function ownSubscription(tx: Tx, session: PortalSession, id: string): Subscription {
  const subscription = tx.need('subscription', id);
  if (subscription.customer !== session.customer)
    throw invalid('No such subscription.', 'subscription', 'resource_missing');
  if (['canceled', 'incomplete_expired'].includes(subscription.status))
    throw invalid('This subscription has ended.', 'subscription');
  return subscription;
}

/**
 * The customer cancels: at once, or at the period's end, as the configuration says. A flexible subscription gets `cancel_at` only, as
 * Stripe's portal does since clover.
 */
export function portalCancel(tx: Tx, session: PortalSession, id: string): Subscription {
  const subscription = ownSubscription(tx, session, id);
  if (configurationOf(tx, session).features.subscription_cancel.mode === 'immediately')
    return endSubscription(tx, subscription, { reason: 'cancellation_requested' });
  const end = periodOf(subscription).end;
  const canceled: Subscription = {
    ...subscription,
    cancel_at: end,
    cancel_at_period_end: subscription.billing_mode.type !== 'flexible',
    canceled_at: tx.now,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: 'cancellation_requested' },
  };
  tx.schedule(end, { task: 'cancel_subscription', id });
  return tx.update('subscription', canceled, 'customer.subscription.updated');
}

/** The customer takes a planned cancellation back. */
export function portalResume(tx: Tx, session: PortalSession, id: string): Subscription {
  const subscription = ownSubscription(tx, session, id);
  const kept: Subscription = {
    ...subscription,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
  };
  return tx.update('subscription', kept, 'customer.subscription.updated');
}

/** What a deep link that asks to confirm a change has off it; undefined leaves the discounts as they are. */
function redemptionsOf(
  tx: Tx,
  session: PortalSession,
  { customer, currency }: Subscription,
): readonly Redemption[] | undefined {
  const discounts = session.flow?.subscription_update_confirm?.discounts ?? null;
  const of = { customer, currency, param: 'discounts' };
  return discounts?.map((one) => redemptionOf(tx, { coupon: one.coupon, promotion: one.promotion_code }, of));
}

/** The customer changes the plan of an item (the first, unless named), invoiced by the configuration's proration behaviour; `confirms`: as a deep link asks. */
export function portalChange(
  tx: Tx,
  session: PortalSession,
  id: string,
  priceId: string,
  of: { readonly item?: string | null; readonly quantity?: number | null; readonly confirms?: boolean } = {},
): Subscription {
  const subscription = ownSubscription(tx, session, id);
  const price = portalPrices(tx, session).find((one) => one.id === priceId);
  const item = subscription.items.data.find((one) => one.id === of.item) ?? subscription.items.data[0];
  if (price === undefined || item === undefined) throw invalid('This price is not offered here.', 'price');
  const behavior = configurationOf(tx, session).features.subscription_update.proration_behavior;
  const proration = prorations.find((one) => one === behavior) ?? 'always_invoice';
  const wanted = [{ id: item.id, price, quantity: of.quantity ?? null, deleted: false, metadata: null }];
  const off = of.confirms === true ? redemptionsOf(tx, session, subscription) : undefined;
  const priced = replaceDiscounts(tx, subscription, off);
  const changed = changeItems(tx, priced, {
    wanted,
    proration,
    prorationDate: tx.now,
    anchorNow: false,
    payment: 'error_if_incomplete',
  });
  tx.put('subscription', id, subscription);
  const done = tx.update('subscription', changed, 'customer.subscription.updated');
  arrangeChange(tx);
  return done;
}

/** The customer leaves another card: it becomes the default of the customer and of every running subscription. */
export function portalCard(tx: Tx, session: PortalSession, entry: CardEntry): void {
  const customer = customerOf(tx, session.customer, 'customer');
  const made = cardFromEntry(tx, entry, { email: customer.email, name: customer.name ?? null });
  tx.put('payment_method', made.id, made);
  const method = attach(tx, made, customer.id);
  tx.update('customer', withDefaultMethod(customer, method.id), 'customer.updated');
  for (const subscription of tx.ownedBy('subscription', customer.id)) {
    if (
      subscription.default_payment_method !== null &&
      !['canceled', 'incomplete_expired'].includes(subscription.status)
    ) {
      tx.update(
        'subscription',
        { ...subscription, default_payment_method: method.id },
        'customer.subscription.updated',
      );
    }
  }
}
