import type { Actor } from './actor.js';
import { portalCancel, portalResume } from '../../../apps/stripe-sandbox/resources/portal/portal.js';
import type { Offer } from './market.js';
import { checkOut, DAY, discounted, extrasFor, linked, offersIn, running, shuffled } from './parts.js';

type Form = Readonly<Record<string, string | number | boolean>>;

/** A plan, for some with extras or a second plan, in any order. */
function itemsOf(actor: Actor, offer: Offer, quantity: number): readonly Form[] {
  const { random } = actor;
  const plan = { price: offer.priceId, quantity };
  const extras = extrasFor(actor, offer.interval)
    .filter(() => random.chance(0.15))
    .map(({ priceId, sort }): Form => (sort === 'metered' ? { price: priceId } : { price: priceId, quantity: 1 }));
  const second = random.pick(offersIn(actor).filter((one) => one.interval === offer.interval && one !== offer));
  const more = random.chance(0.1) ? [{ price: second.priceId, quantity: 1 }] : [];
  return shuffled(actor, [plan, ...more, ...extras]);
}

const listed = (name: string, items: readonly Form[]): Form =>
  Object.fromEntries(
    items.flatMap((item, index) =>
      Object.entries(item).map(([key, value]) => [`${name}[${String(index)}][${key}]`, value]),
    ),
  );

/** A billing date that is fixed, for some: the first period is shorter than the others. */
function anchored({ stripe, random }: Actor, { interval }: Offer): Form {
  if (!random.chance(0.2)) return {};
  return {
    billing_cycle_anchor: stripe.now + random.between(1, interval === 'month' ? 27 : 300) * DAY,
    ...(random.chance(0.2) ? { proration_behavior: 'none' } : {}),
  };
}

export function subscribe(actor: Actor): string | null {
  const { stripe, random, market, customerId } = actor;
  if (running(stripe) !== null) return null;
  const offer = random.pick(offersIn(actor));
  const quantity = random.chance(0.7) ? 1 : random.between(2, 4);
  const trial = random.chance(0.3) ? random.between(1, 21) : 0;
  const what = `${String(quantity)} × ${offer.planId} ${offer.interval}, trial ${String(trial)}`;
  const taxRate = random.pick(market.taxRates);
  const taxed = random.chance(0.1);
  const items = itemsOf(actor, offer, quantity);
  if (random.chance(0.5)) {
    const session = stripe.post('checkout/sessions', {
      mode: 'subscription',
      success_url: 'http://shop.example/done',
      ...listed('line_items', items),
      'subscription_data[metadata][customer_id]': customerId,
      ...(trial > 0 ? { 'subscription_data[trial_period_days]': trial } : {}),
      ...(taxed ? { 'subscription_data[default_tax_rates][0]': taxRate } : {}),
      ...discounted(actor, 0.25),
      ...linked(actor),
      customer: stripe.customer.id,
    });
    return `subscribes by Checkout to ${what}: ${session.ok ? checkOut(actor, session.id) : 'refused'}`;
  }
  const anchor = trial === 0 ? anchored(actor, offer) : {};
  const sent = random.chance(0.1) ? { collection_method: 'send_invoice', days_until_due: 14 } : {};
  const { ok } = stripe.post('subscriptions', {
    customer: stripe.customer.id,
    ...listed('items', items),
    ...(trial > 0 ? { trial_period_days: trial } : {}),
    ...(trial > 0 ? { 'trial_settings[end_behavior][missing_payment_method]': random.pick(['pause', 'cancel']) } : {}),
    ...anchor,
    ...sent,
    ...(taxed ? { 'default_tax_rates[0]': taxRate } : {}),
    ...discounted(actor, 0.25),
    ...(random.chance(0.3) ? { 'metadata[customer_id]': customerId } : {}),
  });
  const fixed = 'billing_cycle_anchor' in anchor ? `, billed from ${String(anchor['billing_cycle_anchor'])}` : '';
  return `subscribes to ${what}${fixed}: ${String(ok)}`;
}

export function cancelLater({ stripe, random }: Actor): string | null {
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

export function goOn({ stripe }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription?.cancel_at == null) return null;
  const undo = subscription.cancel_at_period_end ? { cancel_at_period_end: false } : { cancel_at: '' };
  return `does not cancel: ${String(stripe.post(`subscriptions/${subscription.id}`, undo).ok)}`;
}

export function cancelNow({ stripe, random }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription === null) return null;
  const form = { prorate: random.chance(0.4), invoice_now: random.chance(0.5) };
  const { ok } = stripe.post(`subscriptions/${subscription.id}`, form, 'DELETE');
  return `cancels now: ${String(ok)}`;
}

export function pauseOrResume({ stripe, random }: Actor): string | null {
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

export function endTrial({ stripe }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription?.status !== 'trialing') return null;
  return `ends the trial: ${String(stripe.post(`subscriptions/${subscription.id}`, { trial_end: 'now' }).ok)}`;
}

/** A trial ends sooner or later than was agreed. */
export function moveTrial({ stripe, random }: Actor): string | null {
  const subscription = running(stripe);
  if (subscription?.status !== 'trialing') return null;
  const end = stripe.now + random.between(1, 30) * DAY;
  const { ok } = stripe.post(`subscriptions/${subscription.id}`, { trial_end: end, proration_behavior: 'none' });
  return `moves the end of the trial to ${String(end)}: ${String(ok)}`;
}
