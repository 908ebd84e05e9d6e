import type Stripe from 'stripe';
import type { InvoiceItem, InvoiceLine, Price, Subscription, SubscriptionItem, TaxRate } from '../../core/model.js';
import { share } from '../../core/money.js';
import type { Tx } from '../../core/tx.js';
import { discountOf } from '../catalog/discounts.js';

export type Span = { readonly start: number; readonly end: number };

const pricingOf = (price: Price): InvoiceLine['pricing'] => ({
  type: 'price_details',
  price_details: { price: price.id, product: price.product },
  unit_amount_decimal: price.unit_amount_decimal,
});

type LineFacts = Pick<
  InvoiceLine,
  'amount' | 'currency' | 'description' | 'metadata' | 'parent' | 'quantity' | 'subscription'
> & {
  readonly period: Span;
  readonly price: Price | null;
  readonly discountable?: boolean;
  readonly pricing: InvoiceLine['pricing'];
};

function newLine(tx: Tx, invoice: string, facts: LineFacts): InvoiceLine {
  const { price, period, ...rest } = facts;
  return {
    id: tx.idWith('il'),
    object: 'line_item',
    ...rest,
    discount_amounts: [],
    discountable: facts.discountable ?? true,
    discounts: [],
    invoice,
    livemode: false,
    period: { start: period.start, end: period.end },
    pretax_credit_amounts: [],
    quantity_decimal: facts.quantity === null ? null : String(facts.quantity),
    subtotal: facts.amount,
    taxes: [],
    sandbox: { price },
  };
}

const productName = (tx: Tx, price: Price): string => tx.get('product', price.product)?.name ?? price.product;

type ItemLine = {
  readonly amount: number;
  readonly quantity: number;
  readonly period: Span;
  readonly description?: string;
};

/** A line for one subscription item over one period. */
export function subscriptionLine(
  tx: Tx,
  invoice: string,
  subscription: Subscription,
  item: SubscriptionItem,
  of: ItemLine,
): InvoiceLine {
  return newLine(tx, invoice, {
    amount: of.amount,
    currency: subscription.currency,
    description: of.description ?? `${of.quantity} × ${productName(tx, item.price)}`,
    metadata: { ...subscription.metadata, ...item.metadata },
    parent: {
      type: 'subscription_item_details',
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: { credited_items: null },
        subscription: subscription.id,
        subscription_item: item.id,
      },
    },
    period: of.period,
    price: item.price,
    pricing: pricingOf(item.price),
    quantity: of.quantity,
    subscription: subscription.id,
  });
}

/** A line for an invoice item, proration or not. */
export function itemLine(tx: Tx, invoice: string, item: InvoiceItem): InvoiceLine {
  const subscription = item.parent?.subscription_details?.subscription ?? null;
  return newLine(tx, invoice, {
    amount: item.amount,
    currency: item.currency,
    description: item.description,
    discountable: item.discountable,
    metadata: item.metadata,
    parent: {
      type: 'invoice_item_details',
      subscription_item_details: null,
      invoice_item_details: {
        invoice_item: item.id,
        proration: item.proration,
        proration_details: { credited_items: item.sandbox.credited ?? null },
        subscription,
      },
    },
    period: item.period,
    price: item.sandbox.price,
    pricing: item.pricing,
    quantity: item.quantity,
    subscription,
  });
}

export type NewItem = {
  readonly customer: string;
  readonly amount: number;
  readonly currency: string;
  readonly description: string | null;
  readonly period: Span;
  readonly quantity: number;
  readonly price: Price | null;
  readonly metadata?: Record<string, string>;
  readonly subscription?: string | null;
  readonly subscriptionItem?: string | null;
  readonly proration?: boolean;
  readonly invoice?: string | null;
  readonly credited?: InvoiceItem['sandbox']['credited'];
};

/** A new invoice item with its event; it waits for the customer's next invoice unless it names one. */
export function newInvoiceItem(tx: Tx, given: NewItem): InvoiceItem {
  const subscription = given.subscription ?? null;
  const item: InvoiceItem = {
    id: tx.newId('invoiceitem'),
    object: 'invoiceitem',
    amount: given.amount,
    currency: given.currency,
    customer: given.customer,
    customer_account: null,
    date: tx.now,
    description: given.description,
    discountable: given.proration !== true,
    discounts: [],
    invoice: given.invoice ?? null,
    livemode: false,
    metadata: given.metadata ?? {},
    net_amount: given.amount,
    parent:
      subscription === null
        ? null
        : {
            type: 'subscription_details',
            subscription_details: {
              subscription,
              ...(given.subscriptionItem == null ? {} : { subscription_item: given.subscriptionItem }),
            },
          },
    period: { start: given.period.start, end: given.period.end },
    pricing: given.price === null ? null : pricingOf(given.price),
    proration: given.proration ?? false,
    quantity: given.quantity,
    quantity_decimal: String(given.quantity),
    tax_rates: [],
    test_clock: tx.testClock,
    sandbox: {
      price: given.price,
      subscriptionItem: given.subscriptionItem ?? null,
      credited: given.credited ?? null,
    },
  };
  return tx.create('invoiceitem', item, 'invoiceitem.created');
}

/** The tax of a rate on an amount. */
export function taxOf(rate: TaxRate, amount: number): Stripe.InvoiceLineItem.Tax {
  const basis = Math.round(rate.percentage * 10_000);
  const tax = rate.inclusive ? share(amount, basis, 1_000_000 + basis) : share(amount, basis, 1_000_000);
  return {
    amount: tax,
    tax_behavior: rate.inclusive ? 'inclusive' : 'exclusive',
    tax_rate_details: { tax_rate: rate.id },
    taxability_reason: 'standard_rated',
    taxable_amount: rate.inclusive ? amount - tax : amount,
    type: 'tax_rate_details',
  };
}

/** The line with the taxes of these rates on what its discounts leave. */
export const withTaxes = (line: InvoiceLine, rates: readonly TaxRate[]): InvoiceLine => ({
  ...line,
  taxes: rates.map((rate) => taxOf(rate, line.amount - discountOf(line))),
});

/** The taxes of all lines, one entry per rate. */
export function sumTaxes(lines: readonly InvoiceLine[]): Stripe.Invoice.TotalTax[] {
  const sums = new Map<string, Stripe.Invoice.TotalTax>();
  for (const tax of lines.flatMap((line) => line.taxes ?? [])) {
    const key = tax.tax_rate_details?.tax_rate ?? '';
    const sum = sums.get(key);
    sums.set(key, {
      amount: (sum?.amount ?? 0) + tax.amount,
      tax_behavior: tax.tax_behavior,
      tax_rate_details: tax.tax_rate_details,
      taxability_reason: 'standard_rated',
      taxable_amount: (sum?.taxable_amount ?? 0) + (tax.taxable_amount ?? 0),
      type: 'tax_rate_details',
    });
  }
  return [...sums.values()];
}
