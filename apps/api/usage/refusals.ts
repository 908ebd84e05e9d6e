import type { ProblemCode } from '../http/problems.js';

/** Why the use of a feature may be refused, by single and bulk requests alike. */
export const usageProblems = [
  'usage_limit_exceeded',
  'feature_not_in_plan',
  'feature_unknown',
  'usage_out_of_range',
] as const satisfies readonly ProblemCode[];
