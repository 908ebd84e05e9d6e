import type { Subscription } from '../../../apps/stripe-sandbox/core/model.js';
import type { Tx } from '../../../apps/stripe-sandbox/core/tx.js';
import { completeSession } from '../../../apps/stripe-sandbox/resources/checkout/completion.js';
import { accountFromEntry, methodOf } from '../../../apps/stripe-sandbox/resources/payments/methods.js';
import type { Actor } from './actor.js';
import type { Extra, Interval, Market, Offer } from './market.js';
import type { StripeAccount } from './stripe-account.js';

export const DAY = 86_400;

export const cards = [
  'visa',
  'visa',
  'visa',
  'mastercard',
  'createDispute',
  'createDisputeInquiry',
  'refundFail',
] as const;
export const moreCards = ['pendingRefund', 'chargeCustomerFail', 'threeDSecure2Required'] as const;
const goodIban = 'DE89370400440532013000';
const badIban = 'AT861904300235473202';
const disputedIban = 'AT591904300235473203';

const buyer = { email: 'someone@example.com', name: 'Some One' };

/** The subscription that runs, if one does: a life has one at a time. */
export const running = (stripe: StripeAccount): Subscription | null =>
  stripe.all('subscription').find(({ status }) => !['canceled', 'incomplete_expired'].includes(status)) ?? null;

export const offersIn = ({ market, currency }: Actor): readonly Offer[] =>
  market.offers.filter((offer) => offer.currency === currency);

export type Item = Subscription['items']['data'][number];

/** The item of a subscription's plan; whatever else it has are extras. */
export function planItem({ items }: Subscription, { offers }: Market): Item | null {
  return items.data.find(({ price }) => offers.some(({ priceId }) => priceId === price.id)) ?? null;
}

/** The extras of one interval in the customer's currency. */
export const extrasFor = ({ market, currency }: Actor, interval: Interval): readonly Extra[] =>
  market.extras.filter((extra) => extra.currency === currency && extra.interval === interval);

export function paysWith(actor: Actor, card: string): boolean {
  const { stripe } = actor;
  const attached = stripe.post(`payment_methods/pm_card_${card}/attach`, { customer: stripe.customer.id });
  if (!attached.ok) return false;
  return stripe.post(`customers/${stripe.customer.id}`, { 'invoice_settings[default_payment_method]': attached.id }).ok;
}

/** The page of a Checkout session, filled in: by card, by debit, with a card that is declined, or left alone. */
export function checkOut({ stripe, random }: Actor, id: string): string {
  const way = random.between(1, 20);
  if (way === 1) return 'left alone';
  const method = (tx: Tx) => {
    if (way === 2) return accountFromEntry(tx, goodIban, buyer);
    if (way === 3) return accountFromEntry(tx, badIban, buyer);
    if (way === 4) return accountFromEntry(tx, disputedIban, buyer);
    return methodOf(tx, `pm_card_${way === 5 ? 'chargeDeclined' : random.pick([...cards, ...moreCards])}`);
  };
  return stripe.act((tx) => completeSession(tx, id, method(tx), buyer)) ? 'completed' : 'declined';
}

export const linked = ({ stripe, customerId, random }: Actor) => ({
  'metadata[customer_id]': customerId,
  ...(random.chance(0.8) ? { customer: stripe.customer.id } : {}),
  ...(random.chance(0.5) ? { client_reference_id: customerId } : {}),
});

/** A coupon, for some. */
export const discounted = ({ random, market }: Actor, chance: number) =>
  random.chance(chance) ? { 'discounts[0][coupon]': random.pick(market.coupons) } : {};

/** The things in an order of chance. */
export function shuffled<Thing>({ random }: Actor, things: readonly Thing[]): readonly Thing[] {
  return things
    .map((thing) => ({ thing, place: random.next() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ thing }) => thing);
}
