import type { Actor } from './actor.js';
import { cards, DAY, moreCards, paysWith, running } from './parts.js';
import type { StripeAccount } from './stripe-account.js';

export function changeDiscount({ stripe, random, market }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription === null) return null;
  const coupon = random.pick(market.coupons);
  const none = random.chance(0.3);
  const form = none ? { discounts: '' } : { 'discounts[0][coupon]': coupon };
  return `${none ? 'gives up discounts' : `gets ${coupon}`}: ${String(stripe.post(`subscriptions/${subscription.id}`, form).ok)}`;
}

export function changeCustomerCoupon({ stripe, random, market }: Actor): string {
  const coupon = random.chance(0.4) ? '' : random.pick(market.coupons);
  const { ok } = stripe.post(`customers/${stripe.customer.id}`, { coupon });
  return `has ${coupon === '' ? 'no coupon' : coupon} of its own: ${String(ok)}`;
}

export function changeCard(actor: Actor): string {
  const card = actor.random.pick([...cards, ...moreCards, 'chargeCustomerFail', 'visa', 'visa'] as const);
  return `pays with ${card}: ${String(paysWith(actor, card))}`;
}

export function settleOpenInvoice(actor: Actor): string | null {
  const { stripe, random } = actor;
  // The ledger forgets subscriptions that ended more than 400 days ago: nobody pays what is that old.
  const open = stripe
    .all('invoice')
    .filter(({ status, created }) => status === 'open' && created > stripe.now - 350 * DAY);
  const invoice = open.length === 0 ? null : random.pick(open);
  if (invoice === null) return null;
  const path = `invoices/${invoice.id}`;
  const way = random.between(1, 8);
  if (way === 1) return `writes ${invoice.id} off: ${String(stripe.post(`${path}/mark_uncollectible`).ok)}`;
  if (way === 2) return `voids ${invoice.id}: ${String(stripe.post(`${path}/void`).ok)}`;
  if (way === 3) return `is paid outside: ${String(stripe.post(`${path}/pay`, { paid_out_of_band: true }).ok)}`;
  return `pays ${invoice.id}: ${String(paysWith(actor, 'visa') && stripe.post(`${path}/pay`).ok)}`;
}

/**
 * Stripe's customer is deleted, with its subscription; the shop makes another one for the same customer. One that was not linked is
 * linked first: nothing can be said of a deleted one any more, so it would be nobody's.
 */
export function deleteAndReturn(actor: Actor): string {
  const { stripe, random, customerId } = actor;
  link(actor);
  const old = stripe.customer.id;
  const { ok } = stripe.post(`customers/${old}`, {}, 'DELETE');
  const next = stripe.post('customers', { 'metadata[customer_id]': customerId });
  if (random.chance(0.85)) paysWith(actor, random.pick(cards));
  return `${old} is deleted: ${String(ok)}, comes back as ${next.id}`;
}

/** How a life begins: the customer, linked or not yet, and usually a card. */
export function begin(actor: Actor): string {
  const { stripe, random, customerId } = actor;
  const linkedNow = random.chance(0.9);
  stripe.post('customers', linkedNow ? { 'metadata[customer_id]': customerId } : {});
  if (random.chance(0.85)) paysWith(actor, random.pick(cards));
  return linkedNow ? 'begins' : 'begins, not linked';
}

export const isLinked = ({ customer }: StripeAccount): boolean => customer.metadata['customer_id'] !== undefined;

/** Links whom nothing has linked so far, as the shop's own start-up would. */
export function link({ stripe, customerId }: Actor): void {
  if (!isLinked(stripe)) stripe.post(`customers/${stripe.customer.id}`, { 'metadata[customer_id]': customerId });
}
