import { snapshotIn, type InvoiceEvent } from '#ledger/invoice.js';
import type { RowOf, Table } from '#projecting/tables.js';
import { document } from '#database/values.js';
import { latestProjection } from '../latest.js';
import type { Projected } from '../ledger-projection.js';
import { invoicesOracle } from './oracle.js';

/** One row per invoice. */
export const invoices = {
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
  oracle: invoicesOracle,
});
