import {
  asOf,
  dryRun,
  customerId,
  metadata,
  object,
  ofCustomer,
  orNull,
  page,
  position,
  text,
  time,
  type AnswerSchemas,
} from '../openapi/schema.js';

const customer = {
  id: customerId,
  name: orNull(text),
  email: orNull(text),
  metadata,
  stripeCustomerId: orNull(text),
  createdAt: orNull(time),
  erasedAt: orNull(time),
};

export const customerSchemas: AnswerSchemas = {
  schemas: {
    Customer: object(customer),
    CustomerAnswer: object({ ...customer, 'asOf?': asOf, 'position?': orNull(position), 'dryRun?': dryRun }),
    CustomerList: page('Customer'),
  },
  byRoute: {
    [`PUT ${ofCustomer}`]: 'CustomerAnswer',
    [`GET ${ofCustomer}`]: 'CustomerAnswer',
    'GET /v1/customers': 'CustomerList',
  },
};
