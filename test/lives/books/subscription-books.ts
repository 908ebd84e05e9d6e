import type { Subscription } from '../../../apps/stripe-sandbox/core/model.js';
import type { DueTrial } from './books.js';
import { DAY } from './calendar.js';
import type { Life, Standing } from '../story/life.js';
import type { Market, Offer } from '../story/market.js';

const changesOf = ({ standings }: Life, id: string): readonly Standing[] =>
  standings.filter(({ subscription }) => subscription.id === id);

type PlanItem = { readonly id: string; readonly offer: Offer; readonly seats: number };

const planItemsOf = ({ items }: Subscription, { offers }: Market): readonly PlanItem[] =>
  items.data.flatMap(({ id, price, quantity = 1 }) => {
    const offer = offers.find(({ priceId }) => priceId === price.id);
    return offer === undefined || quantity === 0 ? [] : [{ id, offer, seats: quantity }];
  });

/** A subscription's plan: that of the item that gives the most credits a month, then the dearer, then by the item's id. */
export function planOf(subscription: Subscription, market: Market): PlanItem | null {
  const [first] = planItemsOf(subscription, market).toSorted(
    (a, b) =>
      b.offer.creditsPerMonth * b.seats - a.offer.creditsPerMonth * a.seats ||
      b.offer.amount - a.offer.amount ||
      (a.id < b.id ? -1 : 1),
  );
  return first ?? null;
}

/** What trials give: once for each subscription, for the plans and seats that it began with, until the trial or the subscription ends. */
export function trialsOf(life: Life, market: Market): readonly DueTrial[] {
  const optional = life.lateness > 0 || life.lost.length > 0;
  return [...Map.groupBy(life.standings, ({ subscription }) => subscription.id)].flatMap(([id, changes]) => {
    const first = changes.find(({ subscription: { status } }) => status === 'trialing');
    const { trial_end: end = null, ended_at: ended = null } = changes.at(-1)?.subscription ?? {};
    if (first === undefined || end === null) return [];
    const amount = planItemsOf(first.subscription, market).reduce(
      (sum, { offer, seats }) => sum + offer.policy.trialCredits * seats,
      0,
    );
    return amount === 0 ? [] : [{ subscription: id, amount, endsAt: Math.min(end, ended ?? end), optional }];
  });
}

/** Days that a plan stays in force without payment. */
const GRACE = 3 * DAY;

/**
 * Since when a customer may be on the free plan: since a subscription has ended, or has lacked a payment for longer than the days
 * of grace. Webhooks that come late may let it look so earlier. Null: never.
 */
export function freeSince(life: Life): number | null {
  const grace = Math.max(0, GRACE - life.lateness - (life.lost.length > 0 ? GRACE : 0));
  const since = life.standings.flatMap(({ at, subscription: { id, status } }) => {
    if (['canceled', 'incomplete_expired', 'unpaid'].includes(status)) return [at];
    if (status !== 'past_due') return [];
    const next = changesOf(life, id).find((change) => change.at > at && change.subscription.status !== 'past_due');
    return (next?.at ?? life.end) - at >= grace ? [at + grace] : [];
  });
  return since.length === 0 ? null : Math.min(...since);
}
