import type { Subscription } from '../../../apps/stripe-sandbox/core/model.js';
import { portalChange } from '../../../apps/stripe-sandbox/resources/portal/portal.js';
import type { Actor } from './actor.js';
import type { Offer } from './market.js';
import { discounted, offersIn, planItem, running, shuffled, type Item } from './parts.js';

export const prorations = ['always_invoice', 'always_invoice', 'create_prorations', 'none'] as const;

type Form = Readonly<Record<string, string | number | boolean>>;

/** The extras of a subscription are of its interval: they end with it. */
function withoutExtras({ items }: Subscription, plan: Item, offer: Offer): Form {
  if (plan.price.recurring?.interval === offer.interval) return {};
  const others = items.data.filter(({ id }) => id !== plan.id);
  return Object.fromEntries(
    others.flatMap(({ id }, index) => [
      [`items[${String(index + 1)}][id]`, id],
      [`items[${String(index + 1)}][deleted]`, true],
    ]),
  );
}

export function changePlan(actor: Actor): string | null {
  const { stripe, random, market } = actor;
  const subscription = running(stripe);
  const plan = subscription === null ? null : planItem(subscription, market);
  if (subscription === null || plan === null) return null;
  const changesPrice = random.chance(0.7);
  const offer = random.pick(offersIn(actor));
  const quantity = random.between(1, 4);
  const proration = random.pick(prorations);
  const { ok } = stripe.post(`subscriptions/${subscription.id}`, {
    'items[0][id]': plan.id,
    ...(changesPrice ? { 'items[0][price]': offer.priceId, ...withoutExtras(subscription, plan, offer) } : {}),
    ...(changesPrice && random.chance(0.7) ? {} : { 'items[0][quantity]': quantity }),
    proration_behavior: proration,
    ...(random.chance(0.2) ? { payment_behavior: 'pending_if_incomplete' } : {}),
    ...discounted(actor, 0.1),
  });
  return `changes to ${changesPrice ? `${offer.planId} ${offer.interval}` : `${String(quantity)} seats`}, ${proration}: ${String(ok)}`;
}

/** Up and down between two plans again and again, at once or within minutes, as somebody does who wants credits for nothing. */
export function mint(actor: Actor): string | null {
  const { stripe, random, market } = actor;
  const subscription = running(stripe);
  const plan = subscription === null ? null : planItem(subscription, market);
  if (subscription === null || plan === null) return null;
  const pair = shuffled(
    actor,
    offersIn(actor).filter(({ interval }) => interval === plan.price.recurring?.interval),
  );
  const times = random.between(2, 6);
  const proration = random.pick(prorations);
  const pause = random.pick([0, 1, 60]);
  let done = 0;
  for (let time = 0; time < times; time += 1) {
    const { ok } = stripe.post(`subscriptions/${subscription.id}`, {
      'items[0][id]': plan.id,
      'items[0][price]': pair[time % 2]!.priceId,
      proration_behavior: proration,
    });
    if (ok) done += 1;
    stripe.advanceTo(stripe.now + pause);
  }
  return `changes ${String(done)} times between ${pair[0]!.planId} and ${pair[1]!.planId}, ${proration}`;
}

export function changeAtPeriodEnd(actor: Actor): string | null {
  const { stripe, random, market } = actor;
  const subscription = running(stripe);
  if (subscription?.schedule != null || subscription?.status !== 'active') return null;
  const made = stripe.post('subscription_schedules', { from_subscription: subscription.id });
  const item = planItem(subscription, market);
  if (!made.ok || item === null) return null;
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

export function changeInPortal(actor: Actor): string | null {
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
