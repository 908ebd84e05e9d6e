import { sources } from '#ledger/account/events.js';
import {
  asOf,
  credits,
  customerId,
  dryRun,
  list,
  object,
  ofCustomer,
  orNull,
  page,
  position,
  ref,
  text,
  time,
  unit,
  word,
  type AnswerSchemas,
} from '../openapi/schema.js';

const lot = object({
  grantId: { ...text, description: 'The grant of the sender.' },
  source: word(...sources),
  amount: credits,
  cost: orNull(ref('Money')),
  priority: { type: 'integer', format: 'int32', minimum: 0, maximum: 100 },
  effectiveAt: time,
  expiresAt: orNull(time),
  paymentReference: orNull(text),
});
const transfer = {
  id: text,
  fromCustomerId: customerId,
  toCustomerId: customerId,
  unit,
  amount: credits,
  lots: list(lot),
  reason: orNull(text),
  status: word('pending', 'completed', 'returned'),
  returnedBecause: orNull(word('account_closed', 'customer_erased', 'balance_limit_exceeded')),
  createdAt: time,
  endedAt: { ...orNull(time), description: 'When it arrived or came back; null while it is pending.' },
};

export const transferSchemas: AnswerSchemas = {
  schemas: {
    Transfer: object({ ...transfer, position }),
    TransferList: page('Transfer'),
    TransferDetail: object({ ...transfer, position, asOf }),
    TransferAnswer: object({
      ...transfer,
      balance: ref('DecidedBalance'),
      'position?': { ...position, description: 'Where it is in the log. Absent in a dry run.' },
      'dryRun?': dryRun,
    }),
  },
  byRoute: {
    [`POST ${ofCustomer}/transfers`]: 'TransferAnswer',
    [`GET ${ofCustomer}/transfers`]: 'TransferList',
    [`GET ${ofCustomer}/transfers/{transferId}`]: 'TransferDetail',
  },
};
