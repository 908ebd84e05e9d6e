import type { Money } from '#kernel/amount.js';
import type { InvoiceSnapshot } from '#ledger/invoice.js';
import { pageOf, type Cursor, type Page } from '#database/page.js';
import type { Reader } from '#database/database.js';
import { queryBuilder } from '#projecting/query-builder.js';
import type { StoredRow } from '#projecting/tables.js';
import { newestFirst, newestFirstCursor, newestFirstKey } from '../newest-first.js';
import type { invoices } from './invoices.js';

export type Invoice = {
  readonly id: string;
  readonly total: Money;
  readonly subtotal: Money;
  readonly amountDue: Money;
  readonly amountPaid: Money;
  readonly amountRemaining: Money;
} & Pick<
  InvoiceSnapshot,
  | 'number'
  | 'status'
  | 'subscriptionId'
  | 'billingReason'
  | 'attemptCount'
  | 'nextPaymentAttempt'
  | 'hostedInvoiceUrl'
  | 'invoicePdf'
  | 'periodStart'
  | 'periodEnd'
  | 'createdAt'
  | 'paidAt'
>;
export const invoicesCursor = newestFirstCursor;

type Stored = StoredRow<typeof invoices>;
const build = queryBuilder<{ invoices: Stored }>();

/** A customer's invoices, newest first. `cursor`: of two fields. */
export async function invoicesOf(
  reader: Reader,
  customerId: string,
  limit: number,
  cursor: Cursor | null,
): Promise<Page<Invoice>> {
  const of = build.selectFrom('invoices').selectAll().where('customer_id', '=', customerId);
  return pageOf(await reader.rows(newestFirst(of, limit, cursor)), limit, invoiceOf, newestFirstKey);
}

function invoiceOf(row: Stored): Invoice {
  const snapshot = JSON.parse(row.snapshot) as InvoiceSnapshot;
  const money = (amount: number): Money => ({ amount, currency: snapshot.currency });
  const { invoiceId: id, number, status, subscriptionId, billingReason, attemptCount, nextPaymentAttempt } = snapshot;
  const { hostedInvoiceUrl, invoicePdf, periodStart, periodEnd, createdAt, paidAt } = snapshot;
  return {
    id,
    number,
    status,
    subscriptionId,
    billingReason,
    total: money(snapshot.total),
    subtotal: money(snapshot.subtotal),
    amountDue: money(snapshot.amountDue),
    amountPaid: money(snapshot.amountPaid),
    amountRemaining: money(snapshot.amountRemaining),
    attemptCount,
    nextPaymentAttempt,
    hostedInvoiceUrl,
    invoicePdf,
    periodStart,
    periodEnd,
    createdAt,
    paidAt,
  };
}
