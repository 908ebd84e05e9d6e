import type { DueGrant } from './books.js';
import { DAY } from './calendar.js';
import type { Life, Standing } from './life.js';
import type { Market } from './market.js';

/** How long Scrip may take to do what time asks for, on top of a life's late webhooks. */
const PATIENCE = 8 * DAY;

const changesOf = ({ standings }: Life, id: string): readonly Standing[] =>
  standings.filter(({ subscription }) => subscription.id === id);

const givesNothing = ({ subscription: { status, pause_collection: paused } }: Standing): boolean =>
  ['canceled', 'incomplete_expired', 'paused'].includes(status) || paused !== null;

/** Whether credits that fall due at `due` are given: while the subscription runs, some time later where it was paused. */
export function mayGive(life: Life, subscription: string, due: number): 'surely' | 'perhaps' | 'never' {
  const slack = PATIENCE + life.lateness + (life.lost.length > 0 ? life.end : 0);
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

/** Since when a customer may be on the free plan: the first subscription that ended. Null: never. */
export function freeSince({ standings }: Life): number | null {
  const ended = standings.find(({ subscription: { status } }) => ['canceled', 'incomplete_expired'].includes(status));
  return ended?.at ?? null;
}
