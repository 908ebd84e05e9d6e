import { limitWindows } from '#ledger/usage/limits.js';
import { subscriptionStatuses } from '#ledger/subscription/standing.js';
import {
  asOf,
  credits,
  customerId,
  dryRun,
  flag,
  list,
  object,
  ofCustomer,
  orNull,
  position,
  ref,
  text,
  time,
  word,
  type AnswerSchemas,
} from '../openapi/schema.js';

export const usageSchemas: AnswerSchemas = {
  schemas: {
    FeatureLimit: object({
      feature: text,
      window: word(...limitWindows),
      limit: credits,
      used: credits,
      remaining: credits,
      windowStart: time,
      windowEnd: { ...time, description: 'The window ends before it.' },
    }),
    UsageAnswer: object({
      id: text,
      customerId,
      feature: text,
      quantity: credits,
      at: time,
      limits: { ...list(ref('FeatureLimit')), description: 'With this use.' },
      'position?': { ...position, description: 'Where it is in the log. Absent in a dry run.' },
      'dryRun?': dryRun,
    }),
    Entitlements: object({
      customerId,
      plan: {
        ...orNull(object({ id: text, name: text, status: word(...subscriptionStatuses) })),
        description: 'The plan in force; null for who never had one.',
      },
      features: { ...list(text), description: 'All features of the plan, those with limits too.' },
      limits: list(ref('FeatureLimit')),
      asOf,
    }),
    Entitlement: object({
      feature: text,
      allowed: flag,
      reason: orNull(word('feature_not_in_plan', 'usage_limit_exceeded')),
      limits: list(ref('FeatureLimit')),
      asOf,
    }),
    UsageSum: object({ feature: text, start: time, end: time, quantity: credits }),
    UsageList: object({ data: list(ref('UsageSum')), asOf }),
  },
  byRoute: {
    [`GET ${ofCustomer}/entitlements`]: 'Entitlements',
    [`GET ${ofCustomer}/entitlements/{feature}`]: 'Entitlement',
    [`GET ${ofCustomer}/usage`]: 'UsageList',
    [`POST ${ofCustomer}/usage`]: 'UsageAnswer',
  },
};
