import type { InvoiceEvent, InvoiceSnapshot } from '#ledger/invoice.js';
import { document } from '#database/values.js';
import { perStream } from '../per-stream.js';

/** The order in which an invoice comes further. */
const statuses = ['draft', 'open', 'uncollectible', 'void', 'paid'];

/** Takes the snapshot that came furthest, not the newest. */
export const invoicesOracle = perStream<{ readonly furthest: InvoiceSnapshot | null }>({
  table: 'invoices',
  initial: { furthest: null },
  after: ({ furthest }, { event }) => {
    const shown = shownBy(event as InvoiceEvent);
    return { furthest: furthest !== null && isBefore(shown, furthest) ? furthest : shown };
  },
  row: ({ furthest }, stream) =>
    furthest === null
      ? null
      : {
          id: stream.slice('invoice-'.length),
          customer_id: furthest.customerId,
          status: furthest.status,
          created_at: furthest.createdAt,
          snapshot: document(furthest),
        },
});

function isBefore(a: InvoiceSnapshot, b: InvoiceSnapshot): boolean {
  if (a.status !== b.status) return statuses.indexOf(a.status) < statuses.indexOf(b.status);
  if (a.attemptCount !== b.attemptCount) return a.attemptCount < b.attemptCount;
  return a.seenAt < b.seenAt;
}

function shownBy(event: InvoiceEvent): InvoiceSnapshot {
  if (event.type !== 'InvoicePaid') return event.snapshot;
  if (event.details !== undefined) return event.details;
  // Nothing but the payment is known of it.
  const { invoiceId, customerId, subscriptionId, paid, total, paidAt } = event;
  const { periodStart, periodEnd, hostedInvoiceUrl } = event;
  const { amount, currency } = total;
  return {
    ...{ invoiceId, customerId, subscriptionId, periodStart, periodEnd, hostedInvoiceUrl, paidAt, currency },
    ...{ status: 'paid', number: null, billingReason: null, nextPaymentAttempt: null, invoicePdf: null },
    ...{ subtotal: amount, total: amount, amountDue: amount, amountPaid: paid.amount, amountRemaining: 0 },
    ...{ attemptCount: 0, createdAt: paidAt, seenAt: paidAt },
  };
}
