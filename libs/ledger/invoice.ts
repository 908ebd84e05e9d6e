import type { Money } from '#kernel/amount.js';
import type { Decider } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';

export type PaidInvoice = {
  readonly invoiceId: string;
  readonly customerId: string;
  readonly subscriptionId: string | null;
  /** What was paid; less than `total` when a customer's balance at Stripe paid the rest. */
  readonly paid: Money;
  readonly total: Money;
  readonly paidAt: Instant;
  readonly periodStart: Instant | null;
  readonly periodEnd: Instant | null;
  readonly hostedInvoiceUrl: string | null;
};

export type InvoiceCommand = { readonly type: 'RecordInvoicePaid' } & PaidInvoice;

export type InvoiceEvent = { readonly type: 'InvoicePaid'; readonly at: Instant } & PaidInvoice;

export type InvoiceState = { readonly paid: PaidInvoice | null };

const initial: InvoiceState = { paid: null };

const evolve = (_state: InvoiceState, event: InvoiceEvent): InvoiceState => ({ paid: event });

function decide(state: InvoiceState, command: InvoiceCommand, at: Instant): readonly InvoiceEvent[] {
  if (state.paid !== null) return [];
  const { invoiceId, customerId, subscriptionId, paid, total, paidAt, periodStart, periodEnd, hostedInvoiceUrl } =
    command;
  return [
    {
      type: 'InvoicePaid',
      at,
      invoiceId,
      customerId,
      subscriptionId,
      paid,
      total,
      paidAt,
      periodStart,
      periodEnd,
      hostedInvoiceUrl,
    },
  ];
}

export const invoiceDecider: Decider<InvoiceCommand, InvoiceEvent, InvoiceState, never> = {
  category: 'invoice',
  initial: () => initial,
  decide: (state, command, moment) => decide(state, command, moment.at),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};
