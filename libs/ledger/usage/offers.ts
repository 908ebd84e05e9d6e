import type { Instant } from '#kernel/instant.js';
import { freePlanOf, type CatalogState, type FeatureLimits, type Plan } from '../catalog.js';

/** What a plan said of a feature until a time, null: until now. `limits`: null where the plan has not the feature. */
type FeatureVersion = { readonly until: Instant | null; readonly limits: FeatureLimits | null };

/** What the catalogue says of one feature. */
export type FeatureOffer = {
  /** Whether any plan has it, or one that is not on sale any more. */
  readonly known: boolean;
  /** The plan of those whose own is not in force. */
  readonly freePlanId: string | null;
  /** By the plan's id, the oldest version first. */
  readonly plans: ReadonlyMap<string, readonly FeatureVersion[]>;
};

/** What a plan says of a feature: its limits, none of them where there is none; null where the plan has not the feature. */
export function limitsIn(
  { features, limits }: Pick<Plan, 'features' | 'limits'>,
  feature: string,
): FeatureLimits | null {
  if (Object.hasOwn(limits, feature)) return limits[feature] ?? null;
  return features.includes(feature) ? {} : null;
}

/** All features of a plan, those with limits too. */
export const featuresIn = ({ features, limits }: Pick<Plan, 'features' | 'limits'>): readonly string[] => [
  ...new Set([...features, ...Object.keys(limits)]),
];

/** What a catalogue says of a feature, now and before. */
export function offerOf(catalog: CatalogState, feature: string): FeatureOffer {
  const plans = new Map<string, readonly FeatureVersion[]>();
  let known = false;
  for (const [id, { item }] of catalog.plans) {
    const former = (catalog.formerPlans.get(id) ?? []).map(({ until, plan }) => ({
      until,
      limits: limitsIn(plan, feature),
    }));
    const versions = [...former, { until: null, limits: limitsIn(item, feature) }];
    known ||= versions.some(({ limits }) => limits !== null);
    plans.set(id, versions);
  }
  return { known, freePlanId: freePlanOf(catalog)?.id ?? null, plans };
}

/** The limits that a plan had at an instant, by what the catalogue said then; of a time before the plan was known, by its first word. */
export const limitsOffered = ({ plans }: FeatureOffer, planId: string, at: Instant): FeatureLimits | null =>
  plans.get(planId)?.find(({ until }) => until === null || at < until)?.limits ?? null;
