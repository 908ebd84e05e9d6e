import { assertNever } from '#kernel/assert.js';
import type { Money } from '#kernel/amount.js';
import type { Decider } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import { canonicalJson } from '#kernel/json.js';

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

/** An invoice as Stripe showed it at `seenAt`. Amounts are minor units of `currency`. */
export type InvoiceSnapshot = {
  readonly invoiceId: string;
  readonly customerId: string;
  readonly subscriptionId: string | null;
  readonly number: string | null;
  readonly status: 'draft' | 'open' | 'uncollectible' | 'void' | 'paid';
  readonly billingReason: string | null;
  readonly currency: string;
  readonly subtotal: number;
  readonly total: number;
  readonly amountDue: number;
  readonly amountPaid: number;
  readonly amountRemaining: number;
  readonly attemptCount: number;
  readonly nextPaymentAttempt: Instant | null;
  readonly hostedInvoiceUrl: string | null;
  readonly invoicePdf: string | null;
  readonly periodStart: Instant | null;
  readonly periodEnd: Instant | null;
  readonly createdAt: Instant;
  readonly paidAt: Instant | null;
  readonly seenAt: Instant;
};

export type InvoiceCommand =
  | ({ readonly type: 'RecordInvoicePaid' } & PaidInvoice & { readonly details?: InvoiceSnapshot })
  | { readonly type: 'ObserveInvoice'; readonly what: InvoiceNews; readonly snapshot: InvoiceSnapshot };

/** What made Stripe report an invoice. */
export type InvoiceNews = 'created' | 'finalized' | 'payment_failed' | 'action_required' | 'voided' | 'uncollectible';

const eventTypeOf = {
  created: 'InvoiceCreated',
  finalized: 'InvoiceFinalized',
  payment_failed: 'InvoicePaymentFailed',
  action_required: 'InvoiceActionRequired',
  voided: 'InvoiceVoided',
  uncollectible: 'InvoiceMarkedUncollectible',
} as const satisfies Record<InvoiceNews, string>;

type FactBase = { readonly at: Instant; readonly snapshot: InvoiceSnapshot };
export type InvoiceEvent =
  | ({ readonly type: 'InvoicePaid'; readonly at: Instant } & PaidInvoice & { readonly details?: InvoiceSnapshot })
  | (FactBase & { readonly type: 'InvoiceCreated' })
  | (FactBase & { readonly type: 'InvoiceFinalized' })
  | (FactBase & { readonly type: 'InvoicePaymentFailed' })
  | (FactBase & { readonly type: 'InvoiceActionRequired' })
  | (FactBase & { readonly type: 'InvoiceVoided' })
  | (FactBase & { readonly type: 'InvoiceMarkedUncollectible' });

/** `snapshot`: the one that has come furthest, whatever order they were reported in. */
export type InvoiceState = { readonly paid: PaidInvoice | null; readonly snapshot: InvoiceSnapshot | null };

const initial: InvoiceState = { paid: null, snapshot: null };

const rank = { draft: 0, open: 1, uncollectible: 2, void: 3, paid: 4 } as const;

const progressOf = (snapshot: InvoiceSnapshot): string =>
  [
    rank[snapshot.status],
    String(snapshot.attemptCount).padStart(6, '0'),
    snapshot.seenAt,
    canonicalJson(snapshot),
  ].join(' ');

const isFurther = (a: InvoiceSnapshot, b: InvoiceSnapshot | null): boolean =>
  b === null || progressOf(a) > progressOf(b);

/** The snapshot that an event tells; made of the payment where an old event has none. */
export function snapshotIn(event: InvoiceEvent): InvoiceSnapshot {
  if (event.type !== 'InvoicePaid') return event.snapshot;
  const { invoiceId, customerId, subscriptionId, paid, total, paidAt, periodStart, periodEnd, hostedInvoiceUrl } =
    event;
  return (
    event.details ?? {
      invoiceId,
      customerId,
      subscriptionId,
      number: null,
      status: 'paid',
      billingReason: null,
      currency: total.currency,
      subtotal: total.amount,
      total: total.amount,
      amountDue: total.amount,
      amountPaid: paid.amount,
      amountRemaining: 0,
      attemptCount: 0,
      nextPaymentAttempt: null,
      hostedInvoiceUrl,
      invoicePdf: null,
      periodStart,
      periodEnd,
      createdAt: paidAt,
      paidAt,
      seenAt: paidAt,
    }
  );
}

function evolve(state: InvoiceState, event: InvoiceEvent): InvoiceState {
  const observed = snapshotIn(event);
  return {
    paid: event.type === 'InvoicePaid' ? event : state.paid,
    snapshot: isFurther(observed, state.snapshot) ? observed : state.snapshot,
  };
}

function decide(state: InvoiceState, command: InvoiceCommand, at: Instant): readonly InvoiceEvent[] {
  switch (command.type) {
    case 'ObserveInvoice': {
      const { what, snapshot } = command;
      return isFurther(snapshot, state.snapshot) ? [{ type: eventTypeOf[what], at, snapshot }] : [];
    }
    case 'RecordInvoicePaid': {
      if (state.paid !== null) return [];
      const { invoiceId, customerId, subscriptionId, paid, total, paidAt, details } = command;
      const { periodStart, periodEnd, hostedInvoiceUrl } = command;
      const facts = { invoiceId, customerId, subscriptionId, paid, total, paidAt, periodStart, periodEnd };
      const event: InvoiceEvent = { type: 'InvoicePaid', at, ...facts, hostedInvoiceUrl };
      if (details === undefined) return [event];
      // One that was heard of before may have come further: an invoice of nothing is paid when it is finalized.
      const furthest = isFurther(details, state.snapshot) ? details : (state.snapshot ?? details);
      return [{ ...event, details: furthest }];
    }
    default:
      return assertNever(command);
  }
}

export const invoiceDecider: Decider<InvoiceCommand, InvoiceEvent, InvoiceState, never> = {
  category: 'invoice',
  initial: () => initial,
  decide: (state, command, moment) => decide(state, command, moment.at),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};
