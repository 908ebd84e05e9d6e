import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';

export type InvoiceEvent = {
  readonly type: 'InvoicePaid';
  readonly at: Instant;
  readonly invoiceId: string;
  readonly customerId: string;
  readonly subscriptionId: string | null;
  readonly paid: Money;
  readonly total: Money;
  readonly paidAt: Instant;
  readonly periodStart: Instant | null;
  readonly periodEnd: Instant | null;
  readonly hostedInvoiceUrl: string | null;
};
