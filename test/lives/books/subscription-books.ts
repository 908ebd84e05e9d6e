import type { DueGrant } from './books.js';
import { DAY } from './calendar.js';
import type { Life, Standing } from '../story/life.js';
import type { Market } from '../story/market.js';

/** How long Scrip may take to do what time asks for, on top of a life's late webhooks. */
const PATIENCE = 8 * DAY;

const changesOf = ({ standings }: Life, id: string): readonly Standing[] =>
  standings.filter(({ subscription }) => subscription.id === id);

const givesNothing = ({ subscription: { status, pause_collection: paused } }: Standing): boolean =>
  ['canceled', 'incomplete_expired', 'paused'].includes(status) || paused !== null;

/** How long after its time a thing may be heard of or done. */
export const slackOf = (life: Life): number => PATIENCE + life.lateness + (life.lost.length > 0 ? life.end : 0);

/** Whether credits that fall due at `due` are given: while the subscription runs, some time later where it was paused. */
export function mayGive(life: Life, subscription: string, due: number): 'surely' | 'perhaps' | 'never' {
  const slack = slackOf(life);
  if (due > life.end + slack) return 'never';
  const changes = changesOf(life, subscription);
  const last = changes.at(-1);
  let [perhaps, surely] = [false, last !== undefined && !givesNothing(last) && due <= life.end];
  for (const [index, change] of changes.entries()) {
    const until = changes[index + 1]?.at ?? life.end;
    if (givesNothing(change)) continue;
    if (until + slack >= due) perhaps = true;
    if (until - Math.max(due, change.at) > slack) surely = true;
  }
  return surely ? 'surely' : perhaps ? 'perhaps' : 'never';
}

/** What trials give: once for each subscription, for the seats that it began with. */
export function trialsOf(life: Life, market: Market): readonly DueGrant[] {
  const first = new Map<string, Standing>();
  for (const change of life.standings) {
    const { id, status } = change.subscription;
    if (status === 'trialing' && !first.has(id)) first.set(id, change);
  }
  return [...first.values()].flatMap(({ subscription }): readonly DueGrant[] => {
    const item = subscription.items.data[0];
    const offer = market.offers.find(({ priceId }) => priceId === item?.price.id);
    const amount = (offer?.policy.trialCredits ?? 0) * (item?.quantity ?? 1);
    if (amount === 0) return [];
    const optional = life.lateness > 0 || life.lost.length > 0;
    const trial = { why: 'trial', source: 'trial', reference: null, cost: null, optional } as const;
    return [{ ...trial, amount, endsAt: subscription.trial_end }];
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
