import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { recordAfter, type PaymentEvent } from '#ledger/payment.js';
import type { PaymentRecord, PaymentStatus } from '#ledger/payment-record.js';
import { pageOf, type Cursor, type Page } from '#read-store/cursor.js';
import { queryBuilder, type Reader } from '#read-store/read-database.js';
import { document, type RowOf, type StoredRow, type Table } from '#read-store/tables.js';
import { latestProjection } from './latest.js';
import type { Projected } from './ledger-projection.js';
import { newestFirst, newestFirstCursor, newestFirstKey } from './newest-first.js';

/** One row per payment. `part_of`: its money is accounted for in the payment of that invoice. */
const payments = {
  name: 'payments',
  visibleTo: 'own-rows',
  key: ['id'],
  changing: true,
  columns: {
    id: 'text',
    /** Empty while nobody is known to have paid. */
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
    customer_id: record.customerId ?? '',
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
  version: 1,
  category: 'payment',
  table: payments,
  handlers,
  rowOf,
});

export type Payment = {
  readonly id: string;
  readonly type: PaymentRecord['type'];
  readonly status: PaymentStatus;
  readonly amount: Money | null;
  readonly refunded: Money | null;
  readonly method: PaymentRecord['method'];
  readonly failureReason: string | null;
  readonly paymentIntentId: string | null;
  readonly chargeId: string | null;
  readonly invoiceId: string | null;
  readonly sessionId: string | null;
  readonly createdAt: Instant;
  readonly paidAt: Instant | null;
  readonly refundedAt: Instant | null;
};
export const paymentsCursor = newestFirstCursor;

type Stored = StoredRow<typeof payments>;
const build = queryBuilder<{ payments: Stored }>();

/** At most `limit` ids of payments after `after`, of all customers, in their order. */
export async function paymentIds(reader: Reader, after: string, limit: number): Promise<readonly string[]> {
  const rows = await reader.rows(
    build.selectFrom('payments').select('id').where('id', '>', after).orderBy('id').limit(limit),
  );
  return rows.map(({ id }) => id);
}

/** A customer's payments, newest first. `cursor`: decoded, of two fields. */
export async function paymentsOf(
  reader: Reader,
  customerId: string,
  limit: number,
  cursor: Cursor | null,
): Promise<Page<Payment>> {
  const of = build
    .selectFrom('payments')
    .selectAll()
    .where('customer_id', '=', customerId)
    .where('part_of', 'is', null);
  const rows = await reader.rows(newestFirst(of, limit, cursor));
  const parts = await partsOf(
    reader,
    rows.map(({ id }) => id),
  );
  return pageOf(rows, limit, (row) => paymentOf(row, parts.get(row.id) ?? null), newestFirstKey);
}

/** What is known of the money that paid an invoice: its method and ids. */
async function partsOf(reader: Reader, ids: readonly string[]): Promise<ReadonlyMap<string, PaymentRecord>> {
  if (ids.length === 0) return new Map();
  const rows = await reader.rows(build.selectFrom('payments').selectAll().where('part_of', 'in', ids).orderBy('id'));
  return new Map(rows.map((row) => [row.part_of ?? '', JSON.parse(row.record) as PaymentRecord]));
}

function paymentOf(row: Stored, part: PaymentRecord | null): Payment {
  const record = JSON.parse(row.record) as PaymentRecord;
  const { id, type, status, money, refunded, failureReason, invoiceId, sessionId, paidAt, refundedAt } = record;
  return {
    id,
    type,
    status,
    amount: money,
    refunded: money === null ? null : { amount: refunded, currency: money.currency },
    method: record.method ?? part?.method ?? null,
    failureReason,
    paymentIntentId: record.paymentIntentId ?? part?.paymentIntentId ?? null,
    chargeId: record.chargeId ?? part?.chargeId ?? null,
    invoiceId,
    sessionId,
    createdAt: row.created_at,
    paidAt,
    refundedAt,
  };
}
