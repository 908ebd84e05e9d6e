import type { Instant } from '#kernel/instant.js';
import type { InvoiceSnapshot } from '#ledger/invoice.js';
import { idAt, integerAt, objectAt, textAt, timeAt, type Fields } from './fields.js';
import { metadataAt, type Metadata } from './billing.js';
import { oneOf, unreadable, type Normalised } from './unreadable.js';

/** How an invoice stands, without its lines. */
export type InvoiceState = {
  readonly stripeCustomerId: string | null;
  readonly metadata: Metadata;
  readonly subscriptionMetadata: Metadata;
  readonly snapshot: Omit<InvoiceSnapshot, 'customerId'>;
};

const statuses = ['draft', 'open', 'uncollectible', 'void', 'paid'] as const;

export function normaliseInvoiceState(invoice: Fields | null, seenAt: Instant): Normalised<InvoiceState> {
  const invoiceId = idAt(invoice, 'id');
  const text = textAt(invoice, 'status');
  const status = statuses.find((each) => each === text);
  const currency = textAt(invoice, 'currency');
  const total = integerAt(invoice, 'total');
  if (invoiceId === null) return unreadable(invoice, 'id');
  if (status === undefined) return unreadable(invoice, 'status', oneOf(statuses));
  if (currency === null) return unreadable(invoice, 'currency');
  if (total === null) return unreadable(invoice, 'total');
  const subscription = objectAt(invoice, 'parent', 'subscription_details');
  return {
    ok: {
      stripeCustomerId: idAt(invoice, 'customer'),
      metadata: metadataAt(invoice, 'metadata'),
      subscriptionMetadata: metadataAt(subscription ?? objectAt(invoice, 'subscription_details'), 'metadata'),
      snapshot: {
        invoiceId,
        subscriptionId: idAt(subscription, 'subscription') ?? idAt(invoice, 'subscription'),
        number: textAt(invoice, 'number'),
        status,
        billingReason: textAt(invoice, 'billing_reason'),
        currency,
        subtotal: integerAt(invoice, 'subtotal') ?? total,
        total,
        amountDue: integerAt(invoice, 'amount_due') ?? 0,
        amountPaid: integerAt(invoice, 'amount_paid') ?? 0,
        amountRemaining: integerAt(invoice, 'amount_remaining') ?? 0,
        attemptCount: Math.max(0, integerAt(invoice, 'attempt_count') ?? 0),
        nextPaymentAttempt: timeAt(invoice, 'next_payment_attempt'),
        hostedInvoiceUrl: textAt(invoice, 'hosted_invoice_url'),
        invoicePdf: textAt(invoice, 'invoice_pdf'),
        periodStart: timeAt(invoice, 'period_start'),
        periodEnd: timeAt(invoice, 'period_end'),
        createdAt: timeAt(invoice, 'created') ?? seenAt,
        paidAt: timeAt(objectAt(invoice, 'status_transitions'), 'paid_at'),
        seenAt,
      },
    },
  };
}
