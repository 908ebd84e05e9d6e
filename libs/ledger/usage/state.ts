import type { LayeredMap } from '#kernel/layered-map.js';
import type { Counts } from './counts.js';
import type { PlanFacts } from './plans.js';

/** What is known of a customer's plans, and of each feature what was used. */
export type UsageState = {
  readonly plans: PlanFacts;
  readonly features: LayeredMap<string, Counts>;
};
