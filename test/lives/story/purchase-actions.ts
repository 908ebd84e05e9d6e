import type { CheckoutSession } from '../../../apps/stripe-sandbox/core/model.js';
import { openLink } from '../../../apps/stripe-sandbox/resources/checkout/links.js';
import type { Actor } from './actor.js';
import { cards, checkOut, discounted, linked } from './parts.js';

export function buyPack(actor: Actor): string {
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

export function payIntent({ stripe, random, currency, customerId, market }: Actor): string {
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

/** Somebody opens a link that the shop has put on a page: it names our customer, and pays as a Stripe customer that is made for it. */
export function payByLink(actor: Actor): string {
  const { stripe, market, random, currency, customerId } = actor;
  const pack = random.pick(market.packs.filter((one) => one.currency === currency));
  const price = stripe.post('prices', {
    currency,
    unit_amount: pack.amount,
    'product_data[name]': pack.id,
  });
  const link = stripe.post('payment_links', {
    'line_items[0][price]': price.id,
    'line_items[0][quantity]': 1,
    'metadata[credit_product]': pack.id,
    'metadata[quantity]': 1,
  });
  let session: CheckoutSession | null = null;
  const opened = stripe.act((tx) => {
    session = openLink(tx, link.id, { reference: customerId, email: null });
  });
  const id = (session as CheckoutSession | null)?.id;
  return `buys ${pack.id} by a link: ${opened && id !== undefined ? checkOut(actor, id) : 'refused'}`;
}
