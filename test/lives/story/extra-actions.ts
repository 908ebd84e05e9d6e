import type { Actor } from './actor.js';
import { METER_EVENT } from './market.js';
import { extrasFor, planItem, running } from './parts.js';
import { prorations } from './plan-actions.js';

/** An add-on beside the plan, more or less of it, or none any more. */
export function changeExtra(actor: Actor): string | null {
  const { stripe, random, market } = actor;
  const subscription = running(stripe);
  const plan = subscription === null ? null : planItem(subscription, market);
  if (subscription === null || plan === null) return null;
  const extra = random.pick(extrasFor(actor, plan.price.recurring?.interval === 'year' ? 'year' : 'month'));
  const known = subscription.items.data.find(({ price }) => price.id === extra.priceId);
  const remove = known !== undefined && random.chance(0.5);
  const count = extra.sort === 'metered' || remove ? {} : { 'items[0][quantity]': random.between(1, 3) };
  // What gives a plan back and charges a price that the catalogue does not know waits for it: it might be another plan's.
  const proration = extra.sort === 'listed' ? random.pick(prorations) : 'none';
  const { ok } = stripe.post(`subscriptions/${subscription.id}`, {
    ...(known === undefined ? { 'items[0][price]': extra.priceId } : { 'items[0][id]': known.id }),
    ...(remove ? { 'items[0][deleted]': true } : {}),
    ...count,
    proration_behavior: proration,
  });
  return `${remove ? 'gives up' : known === undefined ? 'adds' : 'changes'} an extra (${extra.sort}), ${proration}: ${String(ok)}`;
}

/** Uses what is metered. */
export function meter(actor: Actor): string | null {
  const { stripe, random, market } = actor;
  const subscription = running(stripe);
  const metered = market.extras.filter(({ sort }) => sort === 'metered').map(({ priceId }) => priceId);
  if (subscription?.items.data.some(({ price }) => metered.includes(price.id)) !== true) return null;
  const { ok } = stripe.post('billing/meter_events', {
    event_name: METER_EVENT,
    'payload[stripe_customer_id]': stripe.customer.id,
    'payload[value]': random.between(1, 9),
  });
  return `uses what is metered: ${String(ok)}`;
}

/** A fee or something off, for the next invoice or with an invoice of its own. */
export function oneOff(actor: Actor): string | null {
  const { stripe, random, currency } = actor;
  const subscription = running(stripe);
  const alone = random.chance(0.3);
  if (subscription === null && !alone) return null;
  const sign = !alone && random.chance(0.3) ? -1 : 1;
  const amount = sign * random.between(1, 30) * (currency === 'isk' ? 100 : 10);
  const customer = stripe.customer.id;
  const item = stripe.post('invoiceitems', {
    customer,
    currency,
    amount,
    description: 'Something else',
    ...(subscription !== null && random.chance(0.5) ? { subscription: subscription.id } : {}),
  });
  if (!alone || !item.ok) return `owes ${String(amount)} more: ${String(item.ok)}`;
  const invoice = stripe.post('invoices', { customer, pending_invoice_items_behavior: 'include', currency });
  const paid = stripe.post(`invoices/${invoice.id}/pay`).ok;
  return `is billed ${String(amount)} once: ${String(paid)}`;
}

/** The merchant changes what is on the customer's balance: below zero is credit. */
export function changeBalance({ stripe, random, currency }: Actor): string {
  const unit = currency === 'isk' ? 10_000 : currency === 'usd' ? 100 : 200;
  const balance = random.between(-60, 10) * unit;
  return `has a balance of ${String(balance)}: ${String(stripe.post(`customers/${stripe.customer.id}`, { balance }).ok)}`;
}

/** Bills the next period now. */
export function startOver({ stripe, random }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription?.status !== 'active') return null;
  const proration = random.pick(['create_prorations', 'always_invoice', 'none'] as const);
  const form = { 'billing_cycle_anchor[type]': 'now', proration_behavior: proration };
  return `begins a new period, ${proration}: ${String(stripe.post(`subscriptions/${subscription.id}`, form).ok)}`;
}
