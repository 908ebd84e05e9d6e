import type { Instant } from '#kernel/instant.js';
import { freePlanOf, type CatalogState } from '../catalog.js';
import type { SubscriptionStatus } from '../subscription/standing.js';
import { usedWithin, type Counts } from './counts.js';
import { limitsAt, type LimitUse } from './limits.js';
import { featuresIn, limitsIn } from './offers.js';
import { planAt, type PlanFacts } from './plans.js';

/** What a customer may use at an instant. */
export type Entitlements = {
  /** Null for who never had a plan, or has a free one that the catalogue does not know. */
  readonly plan: { readonly id: string; readonly name: string; readonly status: SubscriptionStatus } | null;
  readonly features: readonly string[];
  readonly limits: readonly (LimitUse & { readonly feature: string })[];
};

export type EntitlementFacts = {
  readonly plans: PlanFacts;
  readonly countsOf: (feature: string) => Counts;
  readonly catalog: CatalogState;
  readonly graceDays: number;
};

const NOTHING: Entitlements = { plan: null, features: [], limits: [] };

/** The same plan, limits and counts that a use at this instant is decided by. */
export function entitlementsAt({ plans, countsOf, catalog, graceDays }: EntitlementFacts, at: Instant): Entitlements {
  const inForce = planAt(plans, at, graceDays);
  const planId = inForce === null ? null : (inForce.planId ?? freePlanOf(catalog)?.id ?? null);
  const plan = planId === null ? undefined : catalog.plans.get(planId)?.item;
  if (inForce === null || plan === undefined) return NOTHING;
  const features = featuresIn(plan);
  const limits = features.flatMap((feature) =>
    limitsAt(limitsIn(plan, feature) ?? {}, at, inForce.period, (window) => usedWithin(countsOf(feature), window)).map(
      (limit) => ({ feature, ...limit }),
    ),
  );
  return { plan: { id: plan.id, name: plan.name, status: inForce.status }, features, limits };
}
