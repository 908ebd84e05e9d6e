import { accountSchemas } from './accounts/schemas.js';
import { adminSchemas } from './admin/schemas.js';
import { billingSchemas } from './billing/schemas.js';
import { catalogueSchemas } from './catalogue/schemas.js';
import { customerSchemas } from './customers/schemas.js';
import { logSchemas } from './log/schemas.js';
import { object, position, time, whole, type AnswerSchemas } from './openapi/schema.js';
import { operationsSchemas } from './operations/schemas.js';
import { transferSchemas } from './transfers/schemas.js';
import { usageSchemas } from './usage/schemas.js';
import { webhookSchemas } from './webhooks/schemas.js';

const shared: AnswerSchemas = {
  schemas: {
    AsOf: object({ position, time }, { description: 'How fresh the answer is.' }),
    Money: object(
      { amount: whole, currency: { type: 'string', pattern: '^[a-z]{3}$' } },
      { description: 'In minor units.' },
    ),
  },
  byRoute: {},
};

const all: readonly AnswerSchemas[] = [
  shared,
  accountSchemas,
  adminSchemas,
  billingSchemas,
  catalogueSchemas,
  customerSchemas,
  logSchemas,
  operationsSchemas,
  transferSchemas,
  usageSchemas,
  webhookSchemas,
];

/** Every shape that the API answers with, and which route answers with which. */
export const answers: AnswerSchemas = {
  schemas: Object.fromEntries(all.flatMap(({ schemas }) => Object.entries(schemas))),
  byRoute: Object.fromEntries(all.flatMap(({ byRoute }) => Object.entries(byRoute))),
};
