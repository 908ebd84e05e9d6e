import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import { at, idAt, integerAt, listAt, objectAt, objectIn, textAt, timeAt, type Fields } from './fields.js';
import { oddField, unreadable, type Normalised } from './unreadable.js';

/** A Checkout session, in the one shape that the translation knows. */
export type Session = {
  readonly id: string;
  readonly mode: string;
  readonly paymentStatus: string;
  /** When its charge was made, where the session holds that: webhooks only name the payment intent. */
  readonly chargedAt: Instant | null;
  readonly stripeCustomerId: string | null;
  readonly clientReferenceId: string | null;
  readonly metadata: Metadata;
  /** Null outside of payments. */
  readonly amount: {
    readonly total: number;
    readonly tax: number;
    /** Before discounts and taxes; null where the session does not say. */
    readonly subtotal: number | null;
    readonly currency: string;
    /** In the currency of the price, where Stripe converted that to the buyer's (sessions of before 2025-03); null elsewhere. */
    readonly converted: { readonly subtotal: number; readonly total: number; readonly currency: string } | null;
  } | null;
  /** What was bought, where the session holds all of it: webhooks do not. */
  readonly lines: readonly { readonly priceId: string | null; readonly subtotal: number }[];
  readonly paymentIntentId: string | null;
  readonly invoiceId: string | null;
};

export type Metadata = { readonly [key: string]: string };

export type InvoiceLine = {
  readonly id: string;
  /** Before discounts; negative for what is given back. */
  readonly amount: number;
  readonly discount: number;
  /** The part of the amount that is tax; tax on top of the amount is not in it. */
  readonly includedTax: number;
  readonly quantity: number;
  readonly periodStart: Instant;
  readonly periodEnd: Instant;
  readonly proration: boolean;
  /** True where it names the lines that it credits: it gives back, whatever its amount. */
  readonly credits: boolean;
  readonly priceId: string | null;
  readonly subscriptionItemId: string | null;
  /** Of which subscription it is; null where the line does not say. */
  readonly subscriptionId: string | null;
  /** True where the price is known to charge once, or by usage: no plan's price does. False where the line does not say. */
  readonly isNoPlans: boolean;
};

/** A line that cannot be read. It only matters where its price is a plan's. */
export type OddLine = {
  readonly priceId: string | null;
  /** What it cost without discounts and without tax; null where even that cannot be read. */
  readonly net: number | null;
  readonly problem: string;
};

/** An invoice, in the one shape that the translation knows, whatever version of Stripe's API wrote it. */
export type Invoice = {
  readonly id: string;
  readonly stripeCustomerId: string | null;
  readonly subscriptionId: string | null;
  readonly billingReason: string | null;
  readonly currency: string;
  readonly amountPaid: number;
  readonly total: number;
  /** What of `amountPaid` is beyond the total: it went to the customer's balance, and bought nothing. */
  readonly overpaid: number;
  /** What Stripe's billing credits paid of it, which the total leaves out. */
  readonly billingCredits: number;
  readonly paidAt: Instant;
  readonly periodStart: Instant | null;
  readonly periodEnd: Instant | null;
  readonly hostedInvoiceUrl: string | null;
  readonly paymentIntentId: string | null;
  /** True where the money did not come by Stripe. */
  readonly paidElsewhere: boolean;
  readonly metadata: Metadata;
  /** The subscription's metadata as it was when the invoice was made. */
  readonly subscriptionMetadata: Metadata;
  readonly lines: readonly InvoiceLine[];
  readonly oddLines: readonly OddLine[];
  /** When it was made; null where it does not say. */
  readonly createdAt: Instant | null;
  /** True when Stripe holds more lines than it sent. */
  readonly hasMoreLines: boolean;
};

/** Stripe's metadata holds text only; a number counts as the text that it is written with. */
export function metadataAt(fields: Fields | null, key: string): Metadata {
  const texts = Object.entries(objectAt(fields, key) ?? {}).flatMap(([name, value]) =>
    typeof value === 'string' || typeof value === 'number' ? [[name, String(value)] as const] : [],
  );
  return Object.fromEntries(texts);
}

/** The object that a Stripe event is about: `data.object` of the stored payload. */
export const subjectOf = (payload: Json): Fields | null => objectAt(objectIn(payload), 'data', 'object');

/**
 * The event's object as it was before the change that the event reports; null where it does not say what changed. Stripe's
 * `previous_attributes` hold what a changed list was as a whole, of a changed object only the changed members.
 */
export function subjectBefore(payload: Json): Fields | null {
  const subject = subjectOf(payload);
  const changed = objectAt(objectIn(payload), 'data', 'previous_attributes');
  return subject === null || changed === null ? null : withMembers(subject, changed);
}

function withMembers(fields: Fields, changed: Fields): Fields {
  const members = Object.entries(changed).map(([key, value]): [string, Json] => {
    const [before, after] = [objectIn(value), objectAt(fields, key)];
    return [key, before === null || after === null ? value : withMembers(after, before)];
  });
  return { ...fields, ...Object.fromEntries(members) };
}

/** The call at Stripe that an event came of; null where Stripe acted by itself, or does not say. */
export const requestOf = (payload: Json): string | null => textAt(objectIn(payload), 'request');

export function normaliseSession(session: Fields | null): Normalised<Session> {
  const id = idAt(session, 'id');
  const mode = textAt(session, 'mode');
  const paymentStatus = textAt(session, 'payment_status');
  if (id === null) return unreadable(session, 'id');
  if (mode === null) return unreadable(session, 'mode');
  if (paymentStatus === null) return unreadable(session, 'payment_status');
  const odd = oddField(session, { ids: ['customer', 'payment_intent', 'invoice'] });
  if (odd !== null) return odd;
  const total = integerAt(session, 'amount_total');
  const currency = textAt(session, 'currency');
  const tax = integerAt(objectAt(session, 'total_details'), 'amount_tax') ?? 0;
  return {
    ok: {
      id,
      mode,
      paymentStatus,
      chargedAt: timeAt(objectAt(session, 'payment_intent', 'latest_charge'), 'created'),
      stripeCustomerId: idAt(session, 'customer'),
      clientReferenceId: textAt(session, 'client_reference_id'),
      metadata: metadataAt(session, 'metadata'),
      amount:
        total === null || currency === null
          ? null
          : { total, tax, subtotal: integerAt(session, 'amount_subtotal'), currency, converted: convertedIn(session) },
      lines: sessionLinesOf(objectAt(session, 'line_items')),
      paymentIntentId: idAt(session, 'payment_intent'),
      invoiceId: idAt(session, 'invoice'),
    },
  };
}

function convertedIn(session: Fields | null): NonNullable<Session['amount']>['converted'] {
  const conversion = objectAt(session, 'currency_conversion');
  const [subtotal, total] = [integerAt(conversion, 'amount_subtotal'), integerAt(conversion, 'amount_total')];
  const currency = textAt(conversion, 'source_currency');
  return subtotal === null || total === null || currency === null ? null : { subtotal, total, currency };
}

function sessionLinesOf(list: Fields | null): Session['lines'] {
  if (at(list, 'has_more') === true) return [];
  return (listAt(list, 'data') ?? []).map(objectIn).flatMap((row) => {
    const subtotal = integerAt(row, 'amount_subtotal');
    return subtotal === null ? [] : [{ priceId: idAt(row, 'price'), subtotal }];
  });
}

/**
 * Reads an invoice by what the object has, never by a version's name: `parent`, `pricing` and `taxes` since 2025-03 (basil),
 * the flat fields before.
 */
export function normaliseInvoice(invoice: Fields | null, eventCreated: Instant): Normalised<Invoice> {
  const id = idAt(invoice, 'id');
  const currency = textAt(invoice, 'currency');
  const amountPaid = integerAt(invoice, 'amount_paid');
  const total = integerAt(invoice, 'total');
  if (id === null) return unreadable(invoice, 'id');
  if (currency === null) return unreadable(invoice, 'currency');
  if (amountPaid === null || amountPaid < 0) return unreadable(invoice, 'amount_paid');
  if (total === null) return unreadable(invoice, 'total');
  const rows = listAt(objectAt(invoice, 'lines'), 'data');
  if (rows === null) return unreadable(invoice, 'lines');
  const read = rows.map(objectIn).map((row) => ({ row, line: normaliseLine(row) }));
  const subscription = objectAt(invoice, 'parent', 'subscription_details');
  return {
    ok: {
      id,
      currency,
      amountPaid,
      total,
      overpaid: Math.max(0, integerAt(invoice, 'amount_overpaid') ?? 0),
      billingCredits: sumOf(
        listAt(invoice, 'total_pretax_credit_amounts'),
        (row) => textAt(row, 'type') === 'credit_balance_transaction',
      ),
      stripeCustomerId: idAt(invoice, 'customer'),
      subscriptionId: idAt(subscription, 'subscription') ?? idAt(invoice, 'subscription'),
      billingReason: textAt(invoice, 'billing_reason'),
      paidAt: timeAt(objectAt(invoice, 'status_transitions'), 'paid_at') ?? eventCreated,
      periodStart: timeAt(invoice, 'period_start'),
      periodEnd: timeAt(invoice, 'period_end'),
      hostedInvoiceUrl: textAt(invoice, 'hosted_invoice_url'),
      paymentIntentId: paymentIntentOf(invoice),
      paidElsewhere:
        at(invoice, 'paid_out_of_band') === true || (integerAt(invoice, 'amount_paid_off_stripe') ?? 0) >= amountPaid,
      metadata: metadataAt(invoice, 'metadata'),
      subscriptionMetadata: metadataAt(subscription ?? objectAt(invoice, 'subscription_details'), 'metadata'),
      lines: read.flatMap(({ line }) => ('ok' in line ? [line.ok] : [])),
      oddLines: read.flatMap(({ row, line }) =>
        'ok' in line ? [] : [{ priceId: priceOf(row), net: netIn(row), problem: `lines: ${line.unreadable}` }],
      ),
      createdAt: timeAt(invoice, 'created'),
      hasMoreLines: at(objectAt(invoice, 'lines'), 'has_more') === true,
    },
  };
}

function paymentIntentOf(invoice: Fields | null): string | null {
  const payments = (listAt(objectAt(invoice, 'payments'), 'data') ?? []).map(objectIn);
  const paid = payments.find((payment) => textAt(payment, 'status') === 'paid') ?? null;
  return idAt(objectAt(paid, 'payment'), 'payment_intent') ?? idAt(invoice, 'payment_intent');
}

function normaliseLine(line: Fields | null): Normalised<InvoiceLine> {
  const id = idAt(line, 'id');
  const amount = integerAt(line, 'amount');
  const period = objectAt(line, 'period');
  const periodStart = timeAt(period, 'start');
  const periodEnd = timeAt(period, 'end');
  if (id === null) return unreadable(line, 'id');
  if (amount === null) return unreadable(line, 'amount');
  if (periodStart === null || periodEnd === null) return unreadable(period, periodStart === null ? 'start' : 'end');
  const details =
    objectAt(line, 'parent', 'subscription_item_details') ?? objectAt(line, 'parent', 'invoice_item_details') ?? line;
  const quantity = at(line, 'quantity') == null ? 1 : integerAt(line, 'quantity');
  if (quantity === null || quantity < 0) return unreadable(line, 'quantity');
  const subscriptionId = idAt(details, 'subscription') ?? idAt(line, 'subscription');
  return {
    ok: {
      id,
      amount,
      quantity,
      periodStart,
      periodEnd,
      discount: discountIn(line),
      includedTax: includedTaxIn(line),
      proration: at(details, 'proration') === true,
      credits: objectAt(details, 'proration_details', 'credited_items') !== null,
      priceId: priceOf(line),
      // Before items had ids, a subscription's own line named only the subscription.
      subscriptionItemId:
        idAt(details, 'subscription_item') ?? (textAt(line, 'type') === 'subscription' ? subscriptionId : null),
      subscriptionId,
      isNoPlans: chargesOtherwise(line),
    },
  };
}

const discountIn = (line: Fields | null): number => sumOf(listAt(line, 'discount_amounts'));

const includedTaxIn = (line: Fields | null): number =>
  sumOf(listAt(line, 'taxes'), (tax) => textAt(tax, 'tax_behavior') === 'inclusive') +
  sumOf(listAt(line, 'tax_amounts'), (tax) => at(tax, 'inclusive') === true);

function netIn(line: Fields | null): number | null {
  const amount = integerAt(line, 'amount');
  return amount === null ? null : amount - discountIn(line) - includedTaxIn(line);
}

const priceOf = (line: Fields | null): string | null =>
  idAt(objectAt(line, 'pricing', 'price_details'), 'price') ?? idAt(line, 'price') ?? idAt(line, 'plan');

/** Older shapes, and those with the price expanded, say how a price charges; others only name it. */
function chargesOtherwise(line: Fields | null): boolean {
  const price = objectAt(line, 'pricing', 'price_details', 'price') ?? objectAt(line, 'price');
  const usage = textAt(objectAt(price, 'recurring'), 'usage_type') ?? textAt(objectAt(line, 'plan'), 'usage_type');
  return textAt(price, 'type') === 'one_time' || usage === 'metered';
}

function sumOf(rows: readonly Json[] | null, counts: (row: Fields) => boolean = () => true): number {
  return (rows ?? [])
    .map(objectIn)
    .filter((row): row is Fields => row !== null && counts(row))
    .reduce((sum, row) => sum + (integerAt(row, 'amount') ?? 0), 0);
}
