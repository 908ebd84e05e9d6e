import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { PaymentRecord, PaymentStatus } from '#ledger/payment/record.js';
import { pageOf, type Cursor, type Page } from '#database/page.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import { newestFirst, newestFirstCursor, newestFirstKey } from '../newest-first.js';
import type { payments } from './payments.js';

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

/** A customer's payments, newest first. `cursor`: of two fields. */
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
