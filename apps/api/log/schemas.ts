import {
  anything,
  asOf,
  credits,
  flag,
  list,
  object,
  position,
  ref,
  text,
  type AnswerSchemas,
} from '../openapi/schema.js';

const event = {
  position,
  stream: text,
  revision: credits,
  id: { type: 'string', format: 'uuid' },
  type: text,
  schemaVersion: credits,
  data: anything,
  metadata: anything,
};

export const logSchemas: AnswerSchemas = {
  schemas: {
    Event: object(event),
    EventAsOf: object({ ...event, asOf }),
    EventList: object({ data: list(ref('Event')), hasMore: flag, nextAfter: position, asOf }),
  },
  byRoute: {
    'GET /v1/events': 'EventList',
    'GET /v1/events/{eventId}': 'EventAsOf',
  },
};
