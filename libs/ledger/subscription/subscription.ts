import { assertNever } from '#kernel/assert.js';
import type { Decider } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import type { PaidPeriod } from './paid-month.js';
import { newestOf, observationOf, withObservation, type Observation, type SubscriptionStep } from './order.js';
import {
  changesBetween,
  type SubscriptionChange,
  type SubscriptionSnapshot,
  type SubscriptionStanding,
} from './standing.js';

type Of = { readonly subscriptionId: string; readonly customerId: string };

export type SubscriptionCommand =
  | (Of & PaidPeriod & { readonly type: 'RecordPaidPeriod'; readonly first: boolean; readonly invoiceId: string })
  /** Puts a customer on a plan that costs nothing. The caller has looked the plan up in the catalogue. */
  | (Of & { readonly type: 'StartFreePlan'; readonly planId: string })
  /** Stripe showed the subscription; snapshots may come in any order and more than once. `step`: where it says what changed. */
  | { readonly type: 'ObserveSubscription'; readonly snapshot: SubscriptionSnapshot; readonly step?: SubscriptionStep };

export type SubscriptionEvent =
  | (Of & PaidPeriod & { readonly type: 'SubscriptionActivated'; readonly at: Instant; readonly invoiceId: string })
  | (Of & PaidPeriod & { readonly type: 'SubscriptionRenewed'; readonly at: Instant; readonly invoiceId: string })
  /** A plan without Stripe and without end: its credits come by the calendar month. */
  | (Of & { readonly type: 'SubscriptionStarted'; readonly at: Instant; readonly planId: string })
  | StandingEvent;

/**
 * `snapshot` is what was seen, `standing` how the subscription stands after it: that of a later snapshot, where one is known. Its
 * customer is whose the subscription is.
 */
type Seen = Of & {
  readonly at: Instant;
  readonly snapshot: SubscriptionSnapshot;
  /** What the snapshot came of; left out where Stripe does not say, and in old events. */
  readonly step?: SubscriptionStep;
  readonly standing: SubscriptionStanding;
};
/** One event for each change of how it stands; `SubscriptionObserved` where nothing but dates changed, or the snapshot came late. */
export type StandingEvent = {
  [Type in SubscriptionChange | 'SubscriptionObserved']: { readonly type: Type } & Seen;
}[SubscriptionChange | 'SubscriptionObserved'];

export type SubscriptionState = {
  readonly customerId: string | null;
  /** The free plan that was started, if any. */
  readonly freePlanId: string | null;
  /** The period that ends last, whatever order they were heard of. */
  readonly current: PaidPeriod | null;
  /** As Stripe showed it last; null while it has not. */
  readonly standing: SubscriptionStanding | null;
  readonly observations: readonly Observation[];
};

const initial: SubscriptionState = {
  customerId: null,
  freePlanId: null,
  current: null,
  standing: null,
  observations: [],
};

/** The stream id of a customer's subscription to a free plan; there is one per customer. */
export const freeSubscriptionId = (customerId: string): string => `free_${customerId}`;

function evolve(state: SubscriptionState, event: SubscriptionEvent): SubscriptionState {
  switch (event.type) {
    case 'SubscriptionStarted':
      return { ...state, customerId: event.customerId, freePlanId: event.planId };
    case 'SubscriptionActivated':
    case 'SubscriptionRenewed': {
      const later = state.current === null || event.periodEnd > state.current.periodEnd;
      return { ...state, customerId: event.customerId, current: later ? event : state.current };
    }
    default: {
      const { customerId, snapshot, step, standing } = event;
      const observations = withObservation(state.observations, observationOf(snapshot, step ?? null));
      return { ...state, customerId, standing, observations };
    }
  }
}

function decide(state: SubscriptionState, command: SubscriptionCommand, at: Instant): readonly SubscriptionEvent[] {
  switch (command.type) {
    case 'ObserveSubscription':
      return observe(state, command.snapshot, command.step, at);
    case 'StartFreePlan': {
      const { subscriptionId, customerId, planId } = command;
      return state.freePlanId === planId
        ? []
        : [{ type: 'SubscriptionStarted', at, subscriptionId, customerId, planId }];
    }
    case 'RecordPaidPeriod': {
      const { subscriptionId, customerId, planId } = command;
      const { interval, periodStart, periodEnd, itemId, creditsPerMonth, cost, invoiceId } = command;
      const { rolloverCap } = command;
      return [
        {
          type: command.first ? 'SubscriptionActivated' : 'SubscriptionRenewed',
          at,
          subscriptionId,
          customerId,
          planId,
          interval,
          periodStart,
          periodEnd,
          itemId,
          creditsPerMonth,
          cost,
          invoiceId,
          ...(rolloverCap === undefined ? {} : { rolloverCap }),
        },
      ];
    }
    default:
      return assertNever(command);
  }
}

function observe(
  state: SubscriptionState,
  snapshot: SubscriptionSnapshot,
  step: SubscriptionStep | undefined,
  at: Instant,
): readonly StandingEvent[] {
  const observations = withObservation(state.observations, observationOf(snapshot, step ?? null));
  if (observations === state.observations) return [];
  // Not always this one or that of before: what comes late may tell which of the others was the last.
  const { snapshot: newest, unpaidSince } = newestOf(observations);
  const standing = { ...newest, pastDueSince: unpaidSince };
  const changes = changesBetween(state.standing, newest);
  const { subscriptionId } = snapshot;
  // What is heard late of a former owner does not take the subscription back.
  const { customerId } = standing;
  const types: readonly StandingEvent['type'][] = changes.length === 0 ? ['SubscriptionObserved'] : changes;
  const seen = { at, subscriptionId, customerId, snapshot, ...(step === undefined ? {} : { step }), standing };
  return types.map((type) => ({ type, ...seen }));
}

export const subscriptionDecider: Decider<SubscriptionCommand, SubscriptionEvent, SubscriptionState, never> = {
  category: 'subscription',
  initial: () => initial,
  decide: (state, command, moment) => decide(state, command, moment.at),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};
