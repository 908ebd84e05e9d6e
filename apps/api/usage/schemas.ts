import { limitWindows } from '#ledger/usage/limits.js';
import {
  credits,
  customerId,
  dryRun,
  list,
  object,
  ofCustomer,
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
  },
  byRoute: {
    [`POST ${ofCustomer}/usage`]: 'UsageAnswer',
  },
};
