import type { Subscription } from '../../../apps/stripe-sandbox/core/model.js';
import type { Tx } from '../../../apps/stripe-sandbox/core/tx.js';
import { completeSession } from '../../../apps/stripe-sandbox/resources/checkout-completion.js';
import { accountFromEntry, methodOf } from '../../../apps/stripe-sandbox/resources/payment-methods.js';
import { portalCancel, portalChange, portalResume } from '../../../apps/stripe-sandbox/resources/portal.js';
import type { Action, Actor } from './actor.js';
import type { Offer } from './market.js';
import { creditNote, dispute, endRefund, moveOn, refund } from './money-back-actions.js';
import type { StripeAccount } from './stripe-account.js';

const DAY = 86_400;

const cards = ['visa', 'visa', 'visa', 'mastercard', 'createDispute', 'createDisputeInquiry', 'refundFail'] as const;
const moreCards = ['pendingRefund', 'chargeCustomerFail', 'threeDSecure2Required'] as const;
const goodIban = 'DE89370400440532013000';
const badIban = 'AT861904300235473202';
const disputedIban = 'AT591904300235473203';

const buyer = { email: 'someone@example.com', name: 'Some One' };

const running = (stripe: StripeAccount): Subscription | null =>
  stripe.all('subscription').find(({ status }) => !['canceled', 'incomplete_expired'].includes(status)) ?? null;

const offersIn = ({ market, currency }: Actor): readonly Offer[] =>
  market.offers.filter((offer) => offer.currency === currency);

const itemOf = (subscription: Subscription): string => subscription.items.data[0]?.id ?? '';

function paysWith(actor: Actor, card: string): boolean {
  const { stripe } = actor;
  const attached = stripe.post(`payment_methods/pm_card_${card}/attach`, { customer: stripe.customer.id });
  if (!attached.ok) return false;
  return stripe.post(`customers/${stripe.customer.id}`, { 'invoice_settings[default_payment_method]': attached.id }).ok;
}

/** The page of a Checkout session, filled in: by card, by debit, with a card that is declined, or left alone. */
function checkOut({ stripe, random }: Actor, id: string): string {
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

const linked = ({ stripe, customerId, random }: Actor) => ({
  'metadata[customer_id]': customerId,
  ...(random.chance(0.8) ? { customer: stripe.customer.id } : {}),
  ...(random.chance(0.5) ? { client_reference_id: customerId } : {}),
});

/** A coupon, for some. */
const discounted = ({ random, market }: Actor, chance: number) =>
  random.chance(chance) ? { 'discounts[0][coupon]': random.pick(market.coupons) } : {};

function buyPack(actor: Actor): string {
  const { stripe, market, random, currency } = actor;
  const pack = random.pick(market.packs.filter((one) => one.currency === currency));
  const quantity = random.between(1, 3);
  const byNumber = random.chance(0.2);
  const sold = byNumber
    ? { 'metadata[credits]': pack.credits * quantity }
    : { 'metadata[credit_product]': pack.id, 'metadata[quantity]': quantity };
  const session = stripe.post('checkout/sessions', {
    mode: 'payment',
    success_url: 'http://shop.example/done',
    'line_items[0][price_data][currency]': currency,
    'line_items[0][price_data][unit_amount]': pack.amount,
    'line_items[0][price_data][product_data][name]': pack.id,
    'line_items[0][quantity]': quantity,
    ...(random.chance(0.2) ? { 'line_items[0][tax_rates][0]': random.pick(market.taxRates) } : {}),
    ...discounted(actor, 0.15),
    ...sold,
    ...linked(actor),
    ...(random.chance(0.2) ? { 'invoice_creation[enabled]': true, customer: stripe.customer.id } : {}),
  });
  return `buys ${String(quantity)} × ${pack.id}: ${session.ok ? checkOut(actor, session.id) : 'refused'}`;
}

function payIntent({ stripe, random, currency, customerId, market }: Actor): string {
  const pack = market.packs.find((one) => one.currency === currency)!;
  const { ok } = stripe.post('payment_intents', {
    amount: pack.amount,
    currency,
    customer: stripe.customer.id,
    payment_method: `pm_card_${random.pick(cards)}`,
    confirm: true,
    off_session: true,
    'metadata[customer_id]': customerId,
    'metadata[top_up]': true,
    'metadata[credits]': random.between(1, 999),
  });
  return `pays an intent: ${String(ok)}`;
}

function subscribe(actor: Actor): string | null {
  const { stripe, random, market, customerId } = actor;
  if (running(stripe) !== null) return null;
  const offer = random.pick(offersIn(actor));
  const quantity = random.chance(0.7) ? 1 : random.between(2, 4);
  const trial = random.chance(0.3) ? random.between(1, 21) : 0;
  const what = `${String(quantity)} × ${offer.planId} ${offer.interval}, trial ${String(trial)}`;
  const taxRate = random.pick(market.taxRates);
  const taxed = random.chance(0.1);
  if (random.chance(0.5)) {
    const session = stripe.post('checkout/sessions', {
      mode: 'subscription',
      success_url: 'http://shop.example/done',
      'line_items[0][price]': offer.priceId,
      'line_items[0][quantity]': quantity,
      'subscription_data[metadata][customer_id]': customerId,
      ...(trial > 0 ? { 'subscription_data[trial_period_days]': trial } : {}),
      ...(taxed ? { 'subscription_data[default_tax_rates][0]': taxRate } : {}),
      ...discounted(actor, 0.25),
      ...linked(actor),
      customer: stripe.customer.id,
    });
    return `subscribes by Checkout to ${what}: ${session.ok ? checkOut(actor, session.id) : 'refused'}`;
  }
  const { ok } = stripe.post('subscriptions', {
    customer: stripe.customer.id,
    'items[0][price]': offer.priceId,
    'items[0][quantity]': quantity,
    ...(trial > 0 ? { trial_period_days: trial } : {}),
    ...(trial > 0 ? { 'trial_settings[end_behavior][missing_payment_method]': random.pick(['pause', 'cancel']) } : {}),
    ...(taxed ? { 'default_tax_rates[0]': taxRate } : {}),
    ...discounted(actor, 0.25),
    ...(random.chance(0.3) ? { 'metadata[customer_id]': customerId } : {}),
  });
  return `subscribes to ${what}: ${String(ok)}`;
}

const prorations = ['always_invoice', 'always_invoice', 'create_prorations', 'none'] as const;

function changePlan(actor: Actor): string | null {
  const { stripe, random } = actor;
  const subscription = running(stripe);
  if (subscription === null) return null;
  const changesPrice = random.chance(0.7);
  const offer = random.pick(offersIn(actor));
  const quantity = random.between(1, 4);
  const proration = random.pick(prorations);
  const { ok } = stripe.post(`subscriptions/${subscription.id}`, {
    'items[0][id]': itemOf(subscription),
    ...(changesPrice ? { 'items[0][price]': offer.priceId } : {}),
    ...(changesPrice && random.chance(0.7) ? {} : { 'items[0][quantity]': quantity }),
    proration_behavior: proration,
    ...(random.chance(0.2) ? { payment_behavior: 'pending_if_incomplete' } : {}),
    ...discounted(actor, 0.1),
  });
  return `changes to ${changesPrice ? `${offer.planId} ${offer.interval}` : `${String(quantity)} seats`}, ${proration}: ${String(ok)}`;
}

function changeAtPeriodEnd(actor: Actor): string | null {
  const { stripe, random } = actor;
  const subscription = running(stripe);
  if (subscription?.schedule != null || subscription?.status !== 'active') return null;
  const made = stripe.post('subscription_schedules', { from_subscription: subscription.id });
  const item = subscription.items.data[0];
  if (!made.ok || item === undefined) return null;
  const offer = random.pick(offersIn(actor).filter(({ interval }) => interval === item.price.recurring?.interval));
  const { ok } = stripe.post(`subscription_schedules/${made.id}`, {
    'phases[0][items][0][price]': item.price.id,
    'phases[0][items][0][quantity]': item.quantity ?? 1,
    'phases[0][start_date]': item.current_period_start,
    'phases[0][end_date]': item.current_period_end,
    'phases[1][items][0][price]': offer.priceId,
    'phases[1][items][0][quantity]': 1,
    'phases[1][duration][interval]': offer.interval,
    'phases[1][duration][interval_count]': 1,
  });
  return `plans ${offer.planId} for the next period: ${String(ok)}`;
}

function cancelLater({ stripe, random }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription === null) return null;
  const way = random.between(1, 4);
  const path = `subscriptions/${subscription.id}`;
  if (way === 1) return `cancels at the period's end: ${String(stripe.post(path, { cancel_at_period_end: true }).ok)}`;
  if (way === 2) {
    const at = stripe.now + random.between(1, 45) * DAY;
    return `cancels at ${String(at)}: ${String(stripe.post(path, { cancel_at: at }).ok)}`;
  }
  const session = stripe.post('billing_portal/sessions', { customer: stripe.customer.id });
  const done = stripe.act((tx) =>
    (way === 3 ? portalCancel : portalResume)(tx, tx.need('billing_portal.session', session.id), subscription.id),
  );
  return `${way === 3 ? 'cancels' : 'goes on'} in the portal: ${String(done)}`;
}

function goOn({ stripe }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription?.cancel_at == null) return null;
  const undo = subscription.cancel_at_period_end ? { cancel_at_period_end: false } : { cancel_at: '' };
  return `does not cancel: ${String(stripe.post(`subscriptions/${subscription.id}`, undo).ok)}`;
}

function cancelNow({ stripe, random }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription === null) return null;
  const form = { prorate: random.chance(0.4), invoice_now: random.chance(0.5) };
  const { ok } = stripe.post(`subscriptions/${subscription.id}`, form, 'DELETE');
  return `cancels now: ${String(ok)}`;
}

function changeInPortal(actor: Actor): string | null {
  const { stripe, random } = actor;
  const subscription = running(stripe);
  if (subscription === null) return null;
  const session = stripe.post('billing_portal/sessions', { customer: stripe.customer.id });
  const offer = random.pick(offersIn(actor));
  const done = stripe.act((tx) =>
    portalChange(tx, tx.need('billing_portal.session', session.id), subscription.id, offer.priceId),
  );
  return `changes to ${offer.planId} ${offer.interval} in the portal: ${String(done)}`;
}

function pauseOrResume({ stripe, random }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription === null) return null;
  const path = `subscriptions/${subscription.id}`;
  if (subscription.status === 'paused') return `resumes: ${String(stripe.post(`${path}/resume`).ok)}`;
  if (subscription.pause_collection !== null) {
    return `pays again: ${String(stripe.post(path, { pause_collection: '' }).ok)}`;
  }
  if (random.chance(0.4)) return `pauses: ${String(stripe.post(`${path}/pause`).ok)}`;
  const behavior = random.pick(['void', 'keep_as_draft', 'mark_uncollectible'] as const);
  const { ok } = stripe.post(path, {
    'pause_collection[behavior]': behavior,
    ...(random.chance(0.5) ? { 'pause_collection[resumes_at]': stripe.now + random.between(5, 60) * DAY } : {}),
  });
  return `need not pay for now (${behavior}): ${String(ok)}`;
}

function changeDiscount({ stripe, random, market }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription === null) return null;
  const coupon = random.pick(market.coupons);
  const none = random.chance(0.3);
  const form = none ? { discounts: '' } : { 'discounts[0][coupon]': coupon };
  return `${none ? 'gives up discounts' : `gets ${coupon}`}: ${String(stripe.post(`subscriptions/${subscription.id}`, form).ok)}`;
}

function changeCustomerCoupon({ stripe, random, market }: Actor): string {
  const coupon = random.chance(0.4) ? '' : random.pick(market.coupons);
  const { ok } = stripe.post(`customers/${stripe.customer.id}`, { coupon });
  return `has ${coupon === '' ? 'no coupon' : coupon} of its own: ${String(ok)}`;
}

function endTrial({ stripe }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription?.status !== 'trialing') return null;
  return `ends the trial: ${String(stripe.post(`subscriptions/${subscription.id}`, { trial_end: 'now' }).ok)}`;
}

function changeCard(actor: Actor): string {
  const card = actor.random.pick([...cards, ...moreCards, 'chargeCustomerFail', 'visa', 'visa'] as const);
  return `pays with ${card}: ${String(paysWith(actor, card))}`;
}

function settleOpenInvoice(actor: Actor): string | null {
  const { stripe, random } = actor;
  const open = stripe.all('invoice').filter(({ status }) => status === 'open');
  const invoice = open.length === 0 ? null : random.pick(open);
  if (invoice === null) return null;
  const path = `invoices/${invoice.id}`;
  const way = random.between(1, 8);
  if (way === 1) return `writes ${invoice.id} off: ${String(stripe.post(`${path}/mark_uncollectible`).ok)}`;
  if (way === 2) return `voids ${invoice.id}: ${String(stripe.post(`${path}/void`).ok)}`;
  if (way === 3) return `is paid outside: ${String(stripe.post(`${path}/pay`, { paid_out_of_band: true }).ok)}`;
  return `pays ${invoice.id}: ${String(paysWith(actor, 'visa') && stripe.post(`${path}/pay`).ok)}`;
}

/** What can happen, and how often it does. */
export const actions: readonly (readonly [number, Action])[] = [
  [14, buyPack],
  [3, payIntent],
  [14, subscribe],
  [8, changePlan],
  [4, changeInPortal],
  [4, changeAtPeriodEnd],
  [5, cancelLater],
  [4, goOn],
  [3, cancelNow],
  [4, pauseOrResume],
  [2, endTrial],
  [3, changeDiscount],
  [2, changeCustomerCoupon],
  [5, changeCard],
  [6, settleOpenInvoice],
  [6, refund],
  [3, endRefund],
  [4, dispute],
  [6, moveOn],
  [4, creditNote],
];

/** How a life begins: the customer, linked or not yet, and usually a card. */
export function begin(actor: Actor): string {
  const { stripe, random, customerId } = actor;
  const linkedNow = random.chance(0.9);
  stripe.post('customers', linkedNow ? { 'metadata[customer_id]': customerId } : {});
  if (random.chance(0.85)) paysWith(actor, random.pick(cards));
  return linkedNow ? 'begins' : 'begins, not linked';
}

/** Links whom nothing has linked so far, as the shop's own start-up would. */
export function link({ stripe, customerId }: Actor): void {
  if (stripe.customer.metadata['customer_id'] === undefined) {
    stripe.post(`customers/${stripe.customer.id}`, { 'metadata[customer_id]': customerId });
  }
}
