import { assertNever } from '#kernel/assert.js';
import { MAX_AMOUNT, type Amount } from '#kernel/amount.js';
import type { Decider, Moment } from '#kernel/decider.js';
import { makeId } from '#kernel/ids.js';
import { plusMs, type Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import { LayeredMap } from '#kernel/layered-map.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { SubscriptionStep } from '../subscription/order.js';
import type { SubscriptionSnapshot } from '../subscription/standing.js';
import { MAX_AGE_MS, NO_COUNTS, usedWithin, withUse, type Counts } from './counts.js';
import { brokenLimit, limitsAt, type LimitUse, type LimitWindow } from './limits.js';
import { limitsOffered, type FeatureOffer } from './offers.js';
import { noPlans, planAt, rememberedSince, withFreePlan, withSnapshot, type PlanFacts } from './plans.js';
import { decodeUsage, encodeUsage } from './snapshot.js';
import type { UsageState } from './state.js';

export type UsageCommand =
  | {
      readonly type: 'RecordUsage';
      readonly feature: string;
      /** At least 1. */
      readonly quantity: Amount;
      /** When it was used; null: now. */
      readonly usedAt: Instant | null;
      /** Whether it is refused where it would go beyond a limit. */
      readonly limitCheck: boolean;
      /** What the catalogue says of the feature. */
      readonly offer: FeatureOffer;
      /** How long a plan stays in force after a missed payment. */
      readonly graceDays: number;
      readonly description: string | null;
      readonly metadata: Json;
    }
  /** Stripe showed a subscription; snapshots may come in any order and more than once. That of a former owner is of use, too. */
  | { readonly type: 'ObservePlan'; readonly snapshot: SubscriptionSnapshot; readonly step?: SubscriptionStep }
  /** The customer was put on a plan that costs nothing. */
  | { readonly type: 'EnterFreePlan'; readonly planId: string };

type Of = { readonly at: Instant; readonly customerId: string };

export type UsageEvent =
  | (Of & {
      readonly type: 'UsageRecorded';
      readonly usageId: string;
      readonly feature: string;
      readonly quantity: Amount;
      readonly usedAt: Instant;
      /** The plan that counted at that time. */
      readonly planId: string;
      readonly limitCheck: boolean;
      /** The plan's limits with what was used in their windows, this included. */
      readonly limits: readonly LimitUse[];
      readonly description: string | null;
      readonly metadata: Json;
    })
  | (Of & { readonly type: 'PlanObserved'; readonly snapshot: SubscriptionSnapshot; readonly step?: SubscriptionStep })
  | (Of & { readonly type: 'FreePlanEntered'; readonly planId: string });

export type UsageRefusal =
  | { readonly rejected: 'feature_unknown' | 'usage_out_of_range' }
  /** It was used too long ago, or is to be used in the future. */
  | { readonly rejected: 'usage_time_out_of_range' }
  | { readonly rejected: 'feature_not_in_plan'; readonly feature: string }
  | {
      readonly rejected: 'usage_limit_exceeded';
      readonly feature: string;
      readonly limit: Amount;
      readonly used: Amount;
      readonly requested: Amount;
      readonly window: LimitWindow;
      readonly windowEnd: Instant;
    };

type RecordUsage = Extract<UsageCommand, { type: 'RecordUsage' }>;

/** Facts are kept for so long that they reach back beyond every month that a use may be in. */
const FACTS_KEPT_MS = MAX_AGE_MS + 31 * 86_400_000;

function decide(
  { plans, features }: UsageState,
  command: UsageCommand,
  moment: Moment<UsageEvent>,
): readonly UsageEvent[] | UsageRefusal {
  const { at } = moment;
  const { customerId } = plans;
  switch (command.type) {
    case 'RecordUsage':
      return record(plans, features.get(command.feature) ?? NO_COUNTS, command, moment);
    case 'ObservePlan': {
      const { snapshot, step } = command;
      if (withSnapshot(plans, snapshot, step ?? null) === plans) return [];
      return [{ type: 'PlanObserved', at, customerId, snapshot, ...(step === undefined ? {} : { step }) }];
    }
    case 'EnterFreePlan': {
      const { planId } = command;
      if (withFreePlan(plans, { planId, since: at }) === plans) return [];
      return [{ type: 'FreePlanEntered', at, customerId, planId }];
    }
    default:
      return assertNever(command);
  }
}

function record(
  plans: PlanFacts,
  counts: Counts,
  command: RecordUsage,
  { at, revision, commandId }: Moment<UsageEvent>,
): readonly UsageEvent[] | UsageRefusal {
  const { feature, quantity, offer, graceDays, limitCheck, description, metadata } = command;
  const usedAt = command.usedAt ?? at;
  if (usedAt !== at && (usedAt > at || usedAt < plusMs(at, -MAX_AGE_MS)))
    return { rejected: 'usage_time_out_of_range' };
  if (!offer.known) return { rejected: 'feature_unknown' };
  const plan = planAt(plans, usedAt, graceDays);
  const planId = plan === null ? null : (plan.planId ?? offer.freePlanId);
  const offered = planId === null ? null : limitsOffered(offer, planId, usedAt);
  if (plan === null || planId === null || offered === null) return { rejected: 'feature_not_in_plan', feature };
  const before = limitsAt(offered, usedAt, plan.period, (window) => usedWithin(counts, window));
  const broken = limitCheck ? brokenLimit(before, quantity) : null;
  if (broken !== null) {
    const { limit, used, window, windowEnd } = broken;
    return { rejected: 'usage_limit_exceeded', feature, limit, used, requested: quantity, window, windowEnd };
  }
  if (quantity > MAX_AMOUNT - counts.total) return { rejected: 'usage_out_of_range' };
  return [
    {
      type: 'UsageRecorded',
      at,
      customerId: plans.customerId,
      usageId: makeId('use', at, revision, commandId),
      feature,
      quantity,
      usedAt,
      planId,
      limitCheck,
      limits: before.map((limit) => ({ ...limit, used: limit.used + quantity })),
      description,
      metadata,
    },
  ];
}

function evolve(state: UsageState, event: UsageEvent): UsageState {
  switch (event.type) {
    case 'UsageRecorded': {
      const counts = state.features.get(event.feature) ?? NO_COUNTS;
      state.features.set(event.feature, withUse(counts, event, state.plans, event.at));
      return state;
    }
    case 'PlanObserved':
    case 'FreePlanEntered':
      return { ...state, plans: plansAfter(state.plans, event) };
    default:
      return assertNever(event);
  }
}

/** What is known of a customer's plans once an event has been recorded. */
export function plansAfter(plans: PlanFacts, event: Exclude<UsageEvent, { type: 'UsageRecorded' }>): PlanFacts {
  const after =
    event.type === 'PlanObserved'
      ? withSnapshot(plans, event.snapshot, event.step ?? null)
      : withFreePlan(plans, { planId: event.planId, since: event.at });
  return rememberedSince(after, plusMs(event.at, -FACTS_KEPT_MS));
}

const customerIn = (stream: StreamName): string => stream.slice(stream.indexOf('-') + 1);

/** The rules of what a customer may use of the features of plans: see the README of the ledger. */
export const usageDecider: Decider<UsageCommand, UsageEvent, UsageState, UsageRefusal> = {
  category: 'usage',
  initial: (stream) => ({ plans: noPlans(customerIn(stream)), features: LayeredMap.empty() }),
  decide,
  evolve,
  fork: ({ plans, features }) => ({ plans, features: features.fork() }),
  merge: ({ plans, features }) => ({ plans, features: features.merge() }),
  snapshot: {
    version: 1,
    encode: encodeUsage,
    decode: (json, stream) => decodeUsage(json, customerIn(stream)),
  },
};
