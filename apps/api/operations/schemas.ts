import { flag, list, object, orNull, text, word, type AnswerSchemas } from '../openapi/schema.js';

const health = word('ok', 'error', 'timeout');

export const operationsSchemas: AnswerSchemas = {
  schemas: {
    Live: object({ status: text }),
    Ready: object({ ready: flag, store: health, database: health }),
    Health: object({
      status: word('ok', 'degraded', 'error'),
      store: health,
      database: health,
      stripe: word('configured', 'missing', 'error', 'timeout'),
      projections: list(
        object({ name: text, state: text, lagSeconds: { type: 'number' }, haltedPosition: orNull(text) }),
      ),
    }),
  },
  byRoute: {
    'GET /livez': 'Live',
    'GET /readyz': 'Ready',
    'GET /healthz': 'Health',
  },
};
