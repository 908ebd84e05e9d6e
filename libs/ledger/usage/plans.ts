import { assert } from '#kernel/assert.js';
import { earlier, plusMs, type Instant } from '#kernel/instant.js';
import type { Period } from '../account/usage.js';
import {
  newestOf,
  observationOf,
  withObservation,
  type Observation,
  type SubscriptionStep,
} from '../subscription/order.js';
import {
  endOf,
  hasEnded,
  type SubscriptionSnapshot,
  type SubscriptionStanding,
  type SubscriptionStatus,
} from '../subscription/standing.js';
import { periodAt } from './period.js';

/** A free plan that a customer was put on. */
export type FreePlan = { readonly planId: string; readonly since: Instant };

/** What is known of a customer's plans. */
export type PlanFacts = {
  readonly customerId: string;
  /** What Stripe showed of each subscription, in the order that the subscription itself is told by. */
  readonly subscriptions: ReadonlyMap<string, readonly Observation[]>;
  /** The oldest first. */
  readonly freePlans: readonly FreePlan[];
};

/** The plan that counts for a customer. `planId`: null for the catalogue's free plan. `period`: null without a subscription. */
export type PlanInForce = {
  readonly planId: string | null;
  readonly status: SubscriptionStatus;
  readonly period: Period | null;
};

const DAY_MS = 86_400_000;

export const noPlans = (customerId: string): PlanFacts => ({ customerId, subscriptions: new Map(), freePlans: [] });

/** The facts with one more snapshot; the same ones where it was known. */
export function withSnapshot(
  facts: PlanFacts,
  snapshot: SubscriptionSnapshot,
  step: SubscriptionStep | null,
): PlanFacts {
  const known = facts.subscriptions.get(snapshot.subscriptionId) ?? [];
  const observations = withObservation(known, observationOf(snapshot, step));
  if (observations === known) return facts;
  return { ...facts, subscriptions: new Map(facts.subscriptions).set(snapshot.subscriptionId, observations) };
}

/** The facts once the customer was put on a free plan; the same ones where it is on that already. */
export function withFreePlan(facts: PlanFacts, freePlan: FreePlan): PlanFacts {
  if (facts.freePlans.at(-1)?.planId === freePlan.planId) return facts;
  return { ...facts, freePlans: [...facts.freePlans, freePlan] };
}

/**
 * The plan that counts at an instant, by all that is known now: that of the newest subscription that goes on, while it is paid or in the
 * days of grace; the free plan that the customer was put on; else, for who ever subscribed, the catalogue's free plan. Null for
 * who never had a plan.
 */
export function planAt(facts: PlanFacts, at: Instant, graceDays: number): PlanInForce | null {
  const newest = newestStanding(facts, at);
  if (newest.living !== null) {
    const { status, planId } = newest.living;
    if (isPaid(newest.living, at, graceDays)) return { planId, status, period: periodAt(newest.living, at) };
    return { planId: null, status: 'active', period: null };
  }
  const free = facts.freePlans.findLast(({ since }) => since <= at);
  if (free !== undefined) return { planId: free.planId, status: 'active', period: null };
  return newest.any ? { planId: null, status: 'active', period: null } : null;
}

/** `living`: of the subscriptions that go on the one that was shown last. `any`: whether there was one at all by then. */
function newestStanding(
  { customerId, subscriptions }: PlanFacts,
  at: Instant,
): { readonly living: SubscriptionStanding | null; readonly any: boolean } {
  let living: SubscriptionStanding | null = null;
  let any = false;
  for (const observations of subscriptions.values()) {
    const history = historyOf(observations);
    const standing = history.standings.findLast(({ from }) => from <= at)?.standing;
    if (standing?.customerId !== customerId) continue;
    any = true;
    if (isOver(history, standing, at) || standing.status === 'incomplete') continue;
    if (living === null || orderOf(standing) > orderOf(living)) living = standing;
  }
  return { living, any };
}

const orderOf = ({ seenAt, subscriptionId }: SubscriptionStanding): string => `${seenAt} ${subscriptionId}`;

/** What was scheduled to end has ended then, reported or not. */
const isOver = ({ endedAt }: History, { status, cancelAt }: SubscriptionStanding, at: Instant): boolean =>
  hasEnded(status) || (endedAt !== null && endedAt <= at) || (cancelAt !== null && cancelAt <= at);

/** A missed payment is overlooked for the days of grace; what Stripe calls unpaid has had them. */
function isPaid({ status, pastDueSince }: SubscriptionStanding, at: Instant, graceDays: number): boolean {
  if (status === 'past_due') return pastDueSince !== null && at < plusMs(pastDueSince, graceDays * DAY_MS);
  return status === 'active' || status === 'trialing';
}

/** How a subscription stood from which time on, and when it ended, if it did. */
type History = {
  readonly standings: readonly { readonly from: Instant; readonly standing: SubscriptionStanding }[];
  readonly endedAt: Instant | null;
};

/** Lists of observations are replaced, never changed: what was worked out of one is right as long as it is there. */
const known = new WeakMap<readonly Observation[], History>();

function historyOf(observations: readonly Observation[]): History {
  const before = known.get(observations);
  if (before !== undefined) return before;
  const history = historyIn(observations);
  known.set(observations, history);
  return history;
}

function historyIn(observations: readonly Observation[]): History {
  const standings: { from: Instant; standing: SubscriptionStanding }[] = [];
  for (const seenAt of [...new Set(observations.map(({ snapshot }) => snapshot.seenAt))].sort()) {
    const { snapshot, unpaidSince } = newestOf(observations.filter((other) => other.snapshot.seenAt <= seenAt));
    const standing = { ...snapshot, pastDueSince: unpaidSince };
    standings.push({ from: startOf(standing, seenAt, standings.at(-1) ?? null), standing });
  }
  const newest = standings.at(-1)?.standing;
  assert(newest !== undefined, 'a subscription is known of which nothing was seen');
  return { standings, endedAt: hasEnded(newest.status) ? endOf(newest) : null };
}

/** What a new period brings counts from its start, however long after it Stripe showed it. */
function startOf(
  { periodStart }: SubscriptionStanding,
  seenAt: Instant,
  before: History['standings'][number] | null,
): Instant {
  if (periodStart === null || periodStart >= seenAt) return seenAt;
  if (before === null) return periodStart;
  const isNew = periodStart !== before.standing.periodStart && periodStart >= before.from;
  return isNew ? periodStart : seenAt;
}

/** The last start or end of a known period by an instant; null when there is none. */
export function periodBoundBy({ subscriptions }: PlanFacts, at: Instant): Instant | null {
  let bound: Instant | null = null;
  const consider = (instant: Instant | null): void => {
    if (instant !== null && instant <= at && (bound === null || bound < instant)) bound = instant;
  };
  for (const observations of subscriptions.values()) {
    const { standings } = historyOf(observations);
    for (const { standing } of standings) {
      consider(standing.periodStart);
      consider(standing.periodEnd);
    }
    const last = standings.at(-1)?.standing;
    if (last?.periodEnd != null && last.periodEnd <= at) consider(periodAt(last, at)?.start ?? null);
  }
  return bound;
}

/** The earliest start of a period that is known and not over at an instant; the instant itself where there is none. */
export function earliestPeriod({ subscriptions }: PlanFacts, at: Instant): Instant {
  let first = at;
  for (const observations of subscriptions.values()) {
    const { standings } = historyOf(observations);
    for (const { standing } of standings) {
      const { periodStart, periodEnd } = standing;
      if (periodStart !== null && periodEnd !== null && periodEnd > at) first = earlier(first, periodStart);
    }
    const last = standings.at(-1)?.standing;
    if (last !== undefined) first = earlier(first, periodAt(last, at)?.start ?? at);
  }
  return first;
}

/** The facts without what no instant from `since` on can ask for. Who ever subscribed stays known as such. */
export function rememberedSince(facts: PlanFacts, since: Instant): PlanFacts {
  const subscriptions = new Map<string, readonly Observation[]>();
  for (const [id, observations] of facts.subscriptions) {
    const { endedAt } = historyOf(observations);
    if (endedAt !== null && endedAt <= since && facts.freePlans.length > 0) continue;
    const old = observations.filter(({ snapshot }) => snapshot.seenAt < since).slice(0, -1);
    subscriptions.set(id, old.length === 0 ? observations : observations.filter((each) => !old.includes(each)));
  }
  const current = facts.freePlans.findLastIndex(({ since: from }) => from <= since);
  return { ...facts, subscriptions, freePlans: facts.freePlans.slice(Math.max(0, current)) };
}
