import type Stripe from 'stripe';
import type { Customer, Discount, Invoice, InvoiceItem, InvoiceLine, Subscription } from '../../core/model.js';
import { DAY } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';
import { discountOf, discounted, discountsAt, endDiscount, withDiscounts } from '../catalog/discounts.js';
import { itemLine, sumTaxes, withTaxes } from './lines.js';

type Draft = {
  readonly customer: Customer;
  readonly currency: string;
  readonly reason: NonNullable<Stripe.Invoice['billing_reason']>;
  readonly subscription: Subscription | null;
  readonly prorationDate?: number;
  readonly period?: { readonly start: number; readonly end: number };
  readonly description?: string | null;
  readonly metadata?: Record<string, string>;
  readonly collection?: 'charge_automatically' | 'send_invoice';
  readonly daysUntilDue?: number | null;
  readonly autoAdvance?: boolean;
  readonly defaultMethod?: string | null;
  /** Those of the subscription or the customer unless given. */
  readonly discounts?: readonly Discount[];
};

function parentOf(draft: Draft): Invoice['parent'] {
  if (draft.subscription === null) return null;
  return {
    type: 'subscription_details',
    quote_details: null,
    subscription_details: {
      subscription: draft.subscription.id,
      metadata: draft.subscription.metadata,
      ...(draft.prorationDate === undefined ? {} : { subscription_proration_date: draft.prorationDate }),
    },
  };
}

const withCollection = (tx: Tx, draft: Draft): Pick<Invoice, 'collection_method' | 'due_date' | 'auto_advance'> => {
  const collection =
    draft.collection ??
    (draft.subscription?.collection_method === 'send_invoice' ? 'send_invoice' : 'charge_automatically');
  const days = draft.daysUntilDue ?? draft.subscription?.days_until_due ?? 30;
  return {
    auto_advance: draft.autoAdvance ?? true,
    collection_method: collection,
    due_date: collection === 'send_invoice' ? tx.now + days * DAY : null,
  };
};

const nothingDue = { amount_due: 0, amount_overpaid: 0, amount_paid: 0, amount_remaining: 0, amount_shipping: 0 };

const aboutCustomer = (customer: Customer) =>
  ({
    customer_account: null,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_shipping: null,
    customer_tax_exempt: 'none',
    customer_tax_ids: [],
  }) satisfies Partial<Invoice>;

/** An empty draft, not stored yet. */
export function draftInvoice(tx: Tx, draft: Draft): Invoice {
  const id = tx.newId('invoice');
  const { customer } = draft;
  const period = draft.period ?? { start: tx.now, end: tx.now };
  const discounts = draft.discounts ?? discountsAt(customer, draft.subscription, tx.now);
  return {
    id,
    object: 'invoice',
    account_country: 'US',
    account_name: 'Scrip sandbox',
    account_tax_ids: null,
    ...nothingDue,
    application: null,
    attempt_count: 0,
    attempted: false,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: null,
    billing_reason: draft.reason,
    ...withCollection(tx, draft),
    created: tx.now,
    currency: draft.currency,
    custom_fields: null,
    customer: customer.id,
    ...aboutCustomer(customer),
    default_payment_method: draft.defaultMethod ?? null,
    default_source: null,
    default_tax_rates: [],
    description: draft.description ?? null,
    discounts: discounts.map((discount) => discount.id),
    effective_at: null,
    ending_balance: null,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    lines: { object: 'list', data: [], has_more: false, url: `/v1/invoices/${id}/lines` },
    livemode: false,
    metadata: draft.metadata ?? {},
    next_payment_attempt: null,
    number: null,
    on_behalf_of: null,
    parent: parentOf(draft),
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: period.end,
    period_start: period.start,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: customer.balance,
    statement_descriptor: null,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: 0,
    subtotal_excluding_tax: 0,
    test_clock: tx.testClock,
    total: 0,
    total_discount_amounts: [],
    total_excluding_tax: 0,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
    sandbox: { paymentIntent: null, charge: null, outOfBand: false, discounts },
  };
}

/** The invoice with these lines, discounted and taxed, and their sums. What a customer's balance will take off shows in `amount_due`. */
export function withLines(invoice: Invoice, given: readonly InvoiceLine[], balance: number): Invoice {
  const discounts = invoice.sandbox.discounts ?? [];
  const lines = discounted(given, discounts, invoice.currency).map((line) =>
    withTaxes(line, invoice.default_tax_rates),
  );
  const subtotal = lines.reduce((sum, line) => sum + line.amount, 0);
  const off = lines.reduce((sum, line) => sum + discountOf(line), 0);
  const taxes = sumTaxes(lines);
  const added = taxes.reduce((sum, tax) => sum + (tax.tax_behavior === 'exclusive' ? tax.amount : 0), 0);
  const all = taxes.reduce((sum, tax) => sum + tax.amount, 0);
  const total = subtotal - off + added;
  const due = Math.max(0, total + balance);
  return {
    ...invoice,
    amount_due: due,
    amount_remaining: due,
    lines: { ...invoice.lines, data: [...lines] },
    starting_balance: balance,
    subtotal,
    subtotal_excluding_tax: subtotal + added - all,
    total,
    total_discount_amounts: discounts.map(({ id }) => ({ amount: takenBy(id, lines), discount: id })),
    total_excluding_tax: total - all,
    total_taxes: taxes,
  };
}

const takenBy = (discount: string, lines: readonly InvoiceLine[]): number =>
  lines
    .flatMap((line) => line.discount_amounts ?? [])
    .reduce((sum, taken) => (taken.discount === discount ? sum + taken.amount : sum), 0);

/** The customer's invoice items (of this subscription, or of none) that wait for an invoice in its currency. */
export function pendingItems(tx: Tx, invoice: Invoice, subscription: string | null): readonly InvoiceItem[] {
  return tx
    .ownedBy('invoiceitem', invoice.customer)
    .filter((item) => item.invoice === null && item.currency === invoice.currency)
    .filter((item) => {
      const of = item.parent?.subscription_details?.subscription ?? null;
      return of === null || of === subscription;
    });
}

/** Moves the waiting invoice items onto an invoice as lines. */
export function takePendingItems(tx: Tx, invoice: Invoice, subscription: string | null): readonly InvoiceLine[] {
  return pendingItems(tx, invoice, subscription).map((item) => {
    tx.put('invoiceitem', item.id, { ...item, invoice: invoice.id });
    return itemLine(tx, invoice.id, item);
  });
}

/** Stores a draft with its lines and emits `invoice.created`; it finalises itself after the usual hour when it advances. */
export function createDraft(
  tx: Tx,
  draft: Invoice,
  lines: readonly InvoiceLine[],
  taxRates: readonly string[] = [],
): Invoice {
  const rates = taxRates.map((id) => tx.need('tax_rate', id, 'default_tax_rates'));
  const customer = tx.need('customer', draft.customer);
  const invoice = withLines({ ...draft, default_tax_rates: rates }, lines, customer.balance);
  tx.create('invoice', invoice, 'invoice.created');
  for (const { id, sandbox } of invoice.sandbox.discounts ?? []) {
    if (sandbox.coupon.duration === 'once' && takenBy(id, invoice.lines.data) > 0) endDiscount(tx, id);
  }
  return invoice;
}

/** The subscription as this invoice leaves it: a discount that is good once is used up. */
export function billedBy(tx: Tx, subscription: Subscription, invoice: Invoice): Subscription {
  const used = (id: string): boolean => tx.get('subscription', subscription.id)?.discounts.includes(id) === false;
  const left = (subscription.sandbox.discounts ?? []).filter(({ id }) => !used(id));
  const billed = withDiscounts(subscription, left);
  return {
    ...billed,
    latest_invoice: invoice.id,
    sandbox: { ...billed.sandbox, billedWith: invoice.sandbox.discounts ?? [] },
  };
}

/** Lets a draft wait for its hour. */
export function finalizeLater(tx: Tx, invoice: Invoice): Invoice {
  const at = tx.now + tx.settings.draftSeconds;
  const waiting: Invoice = { ...invoice, automatically_finalizes_at: at };
  tx.put('invoice', invoice.id, waiting);
  tx.schedule(at, { task: 'finalize_invoice', id: invoice.id });
  return waiting;
}
