import { recordAfter, type PaymentEvent } from '#ledger/payment/payment.js';
import type { RowOf, Table } from '#projecting/tables.js';
import { document } from '#database/values.js';
import { latestProjection } from '../latest.js';
import type { Projected } from '../ledger-projection.js';
import { paymentsOracle } from './oracle.js';

/** One row per payment. `part_of`: its money is accounted for in the payment of that invoice. */
export const payments = {
  name: 'payments',
  visibleTo: 'own-rows',
  key: ['id'],
  changing: true,
  columns: {
    id: 'text',
    /** Empty while nobody is known to have paid, and where nothing came in: a balance paid all. */
    customer_id: 'text',
    part_of: 'text?',
    status: 'text',
    created_at: 'text',
    record: 'text',
  },
  indexes: ['(customer_id, created_at, id)', '(part_of) where part_of is not null'],
} as const satisfies Table;

function rowOf({ event }: Projected): RowOf<typeof payments> {
  const record = recordAfter(event as PaymentEvent);
  return {
    id: record.id,
    customer_id: record.money?.amount === 0 ? '' : (record.customerId ?? ''),
    part_of: record.partOf,
    status: record.status,
    created_at: record.createdAt ?? (event as PaymentEvent).at,
    record: document(record),
  };
}

const handlers: { readonly [Type in PaymentEvent['type']]: 'latest' } = {
  PaymentSucceeded: 'latest',
  PaymentFailed: 'latest',
  PaymentProgressed: 'latest',
  PaymentMethodSeen: 'latest',
  PaymentRefunded: 'latest',
  RefundFailed: 'latest',
  ChargeRefunded: 'latest',
  DisputeOpened: 'latest',
  DisputeWon: 'latest',
  DisputeLost: 'latest',
  PaymentCredited: 'latest',
  PaymentLinked: 'latest',
  ClaimsTakenOver: 'latest',
};

/** Every payment as it stands. */
export const paymentsProjection = latestProjection({
  name: 'payments',
  version: 2,
  category: 'payment',
  table: payments,
  handlers,
  rowOf,
  oracle: paymentsOracle,
});
