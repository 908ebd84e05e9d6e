import type { Money } from '#kernel/amount.js';
import { snapshotIn, type InvoiceEvent, type InvoiceSnapshot } from '#ledger/invoice.js';
import { pageOf, type Cursor, type Page } from '#read-store/cursor.js';
import { queryBuilder, type Reader } from '#read-store/read-database.js';
import { document, type RowOf, type StoredRow, type Table } from '#read-store/tables.js';
import { latestProjection } from './latest.js';
import type { Projected } from './ledger-projection.js';
import { newestFirst, newestFirstCursor, newestFirstKey } from './newest-first.js';

/** One row per invoice. */
const invoices = {
  name: 'invoices',
  visibleTo: 'own-rows',
  key: ['id'],
  changing: true,
  columns: { id: 'text', customer_id: 'text', status: 'text', created_at: 'text', snapshot: 'text' },
  indexes: ['(customer_id, created_at, id)'],
} as const satisfies Table;

function rowOf({ event }: Projected): RowOf<typeof invoices> {
  const snapshot = snapshotIn(event as InvoiceEvent);
  return {
    id: snapshot.invoiceId,
    customer_id: snapshot.customerId,
    status: snapshot.status,
    created_at: snapshot.createdAt,
    snapshot: document(snapshot),
  };
}

const handlers: { readonly [Type in InvoiceEvent['type']]: 'latest' } = {
  InvoicePaid: 'latest',
  InvoiceCreated: 'latest',
  InvoiceFinalized: 'latest',
  InvoicePaymentFailed: 'latest',
  InvoiceActionRequired: 'latest',
  InvoiceVoided: 'latest',
  InvoiceMarkedUncollectible: 'latest',
};

/** Every invoice as it stands: an event is recorded only when it comes further than those before. */
export const invoicesProjection = latestProjection({
  name: 'invoices',
  version: 1,
  category: 'invoice',
  table: invoices,
  handlers,
  rowOf,
});

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

/** A customer's invoices, newest first. `cursor`: decoded, of two fields. */
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
