import { flag, object, type AnswerSchemas } from '../openapi/schema.js';

export const webhookSchemas: AnswerSchemas = {
  schemas: {
    WebhookAnswer: object({ received: flag, duplicate: flag }),
  },
  byRoute: {
    'POST /v1/webhooks/stripe': 'WebhookAnswer',
  },
};
