import { accountSchemas } from './accounts/account-schemas.js';
import { adminSchemas } from './admin/admin-schemas.js';
import { billingSchemas } from './billing/billing-schemas.js';
import { catalogueSchemas } from './catalogue/catalogue-schemas.js';
import { customerSchemas } from './customers/customer-schemas.js';
import { logSchemas } from './log/log-schemas.js';
import { object, position, time, whole, type AnswerSchemas } from './openapi/schema.js';
import { operationsSchemas } from './operations/operations-schemas.js';
import { webhookSchemas } from './webhooks/webhook-schemas.js';

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
  webhookSchemas,
];

/** Every shape that the API answers with, and which route answers with which. */
export const answers: AnswerSchemas = {
  schemas: Object.fromEntries(all.flatMap(({ schemas }) => Object.entries(schemas))),
  byRoute: Object.fromEntries(all.flatMap(({ byRoute }) => Object.entries(byRoute))),
};
