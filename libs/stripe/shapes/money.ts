import { proportion } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type {
  BoughtLine,
  ChargeRefunds,
  CreditNoteFact,
  DisputeFact,
  NoteContent,
  RefundFact,
} from '#ledger/payment/claims.js';
import type { Attempt, Method } from '#ledger/payment/state.js';
import { at, idAt, integerAt, listAt, objectAt, objectIn, textAt, timeAt, type Fields } from './fields.js';
import { metadataAt, type Metadata } from './billing.js';
import { oneOf, oddField, unreadable, type Normalised } from './unreadable.js';

/** The payment that money belongs to: its intent, else the charge of times before intents. */
const moneyIdOf = (object: Fields | null): string | null => idAt(object, 'payment_intent') ?? idAt(object, 'charge');

const amountAt = (fields: Fields | null, key: string): number | null => {
  const amount = integerAt(fields, key);
  return amount === null || amount < 0 ? null : amount;
};

const currencyIn = (fields: Fields | null): { readonly currency?: string } => {
  const currency = textAt(fields, 'currency');
  return currency === null ? {} : { currency };
};

const refundStatus: { readonly [status: string]: RefundFact['status'] } = {
  pending: 'pending',
  requires_action: 'pending',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'failed',
};

export function normaliseRefund(
  refund: Fields | null,
  eventCreated: Instant,
): Normalised<{ readonly paymentId: string; readonly refund: RefundFact }> {
  const refundId = idAt(refund, 'id');
  const paymentId = moneyIdOf(refund);
  const amount = amountAt(refund, 'amount');
  const status = known(refundStatus, textAt(refund, 'status'));
  if (refundId === null) return unreadable(refund, 'id');
  if (paymentId === null) return unreadable(refund, 'payment_intent', 'an id there or in charge');
  if (amount === null) return unreadable(refund, 'amount');
  if (status === null) return unreadable(refund, 'status', oneOf(Object.keys(refundStatus)));
  const createdAt = timeAt(refund, 'created') ?? eventCreated;
  return { ok: { paymentId, refund: { refundId, ...currencyIn(refund), amount, status, createdAt } } };
}

const disputeStatus: { readonly [status: string]: DisputeFact['status'] } = {
  warning_needs_response: 'inquiry',
  warning_under_review: 'inquiry',
  warning_closed: 'won',
  needs_response: 'open',
  under_review: 'open',
  charge_refunded: 'won',
  won: 'won',
  prevented: 'won',
  lost: 'lost',
  // The bank has decided against us and keeps the money while the appeal goes on.
  appeal_needs_response: 'lost',
  appeal_under_review: 'lost',
};

/** @param reinstated true when the event says that the bank gave money back. */
export function normaliseDispute(
  dispute: Fields | null,
  eventCreated: Instant,
  reinstated: boolean,
): Normalised<{ readonly paymentId: string; readonly dispute: DisputeFact }> {
  const disputeId = idAt(dispute, 'id');
  const paymentId = moneyIdOf(dispute);
  const amount = amountAt(dispute, 'amount');
  const status = known(disputeStatus, textAt(dispute, 'status'));
  if (disputeId === null) return unreadable(dispute, 'id');
  if (paymentId === null) return unreadable(dispute, 'payment_intent', 'an id there or in charge');
  if (amount === null) return unreadable(dispute, 'amount');
  if (status === null) return unreadable(dispute, 'status', oneOf(Object.keys(disputeStatus)));
  const createdAt = timeAt(dispute, 'created') ?? eventCreated;
  const back = reinstated ? Math.min(amount, reinstatedOf(dispute, amount)) : 0;
  return {
    ok: { paymentId, dispute: { disputeId, ...currencyIn(dispute), amount, status, reinstated: back, createdAt } },
  };
}

/**
 * What came back of `disputed` minor units, by the dispute's own movements of money; all of it where it shows none. Movements in
 * another currency, in which Stripe settles, say what share of what was taken came back.
 */
function reinstatedOf(dispute: Fields | null, disputed: number): number {
  const rows = (listAt(dispute, 'balance_transactions') ?? []).map(objectIn);
  const sumOf = (sign: 1 | -1): number =>
    rows.reduce((sum, row) => sum + Math.max(0, sign * (integerAt(row, 'amount') ?? 0)), 0);
  const [back, taken] = [sumOf(1), sumOf(-1)];
  if (back === 0) return disputed;
  const own = textAt(dispute, 'currency');
  if (rows.every((row) => (textAt(row, 'currency') ?? own) === own)) return back;
  return taken === 0 ? disputed : proportion(disputed, Math.min(back, taken), taken);
}

/** A credit note; `hasMoreLines` when Stripe holds more lines than it sent. */
export type CreditNote = {
  readonly invoiceId: string;
  readonly creditNote: CreditNoteFact;
  readonly hasMoreLines: boolean;
};

/** Only what it gives back of paid money, and only what the refunds that it names do not give back already. */
export function normaliseCreditNote(note: Fields | null, eventCreated: Instant): Normalised<CreditNote> {
  const creditNoteId = idAt(note, 'id');
  const invoiceId = idAt(note, 'invoice');
  const total = amountAt(note, 'amount');
  const status = textAt(note, 'status');
  if (creditNoteId === null) return unreadable(note, 'id');
  if (invoiceId === null) return unreadable(note, 'invoice');
  if (total === null) return unreadable(note, 'amount');
  if (status !== 'issued' && status !== 'void') return unreadable(note, 'status', oneOf(['issued', 'void']));
  const content = contentOf(note, total);
  if (content !== null && 'unreadable' in content) return content;
  const postPayment = postPaymentOf(note, total);
  const fact = {
    creditNoteId,
    ...currencyIn(note),
    status,
    createdAt: timeAt(note, 'created') ?? eventCreated,
    ...(content === null ? {} : { content: content.ok }),
  } as const;
  const hasMoreLines = at(objectAt(note, 'lines'), 'has_more') === true;
  const answer = (creditNote: CreditNoteFact): Normalised<CreditNote> => ({
    ok: { invoiceId, creditNote, hasMoreLines },
  });
  const rows = listAt(note, 'refunds');
  // Before 2025-03 (basil) a note named one refund without its amount; that one is known with it.
  const refundId = rows === null ? idAt(note, 'refund') : null;
  if (refundId !== null) return answer({ ...fact, amount: postPayment, refundId });
  const refunds = (rows ?? []).map(objectIn).flatMap((row) => {
    const [id, amount] = [idAt(row, 'refund'), amountAt(row, 'amount_refunded') ?? 0];
    return id === null ? [] : [{ id, amount }];
  });
  const refunded = (rows ?? []).reduce<number>(
    (sum, row) => sum + (amountAt(objectIn(row), 'amount_refunded') ?? 0),
    0,
  );
  const named = refunds.length === 0 ? {} : { refunds };
  return answer({ ...fact, amount: Math.max(0, postPayment - refunded), ...named });
}

const postPaymentOf = (note: Fields | null, total: number): number =>
  amountAt(note, 'post_payment_amount') ?? (textAt(note, 'type') === 'pre_payment' ? 0 : total);

/** What the note's lines say it is for; null for a note without lines, which is a share of all. */
function contentOf(note: Fields | null, total: number): Normalised<NoteContent> | null {
  const rows = listAt(objectAt(note, 'lines'), 'data') ?? [];
  if (rows.length === 0) return null;
  const lines: BoughtLine[] = [];
  let other = 0;
  for (const row of rows.map(objectIn)) {
    const amount = amountAt(row, 'amount');
    if (amount === null) return unreadable(row, 'amount');
    const id = idAt(row, 'invoice_line_item');
    if (id === null) other += amount;
    else lines.push({ id, amount });
  }
  // What was shipped is no line of the invoice, and bought no credits.
  const shipping = amountAt(note, 'amount_shipping') ?? 0;
  if (shipping > 0) lines.push({ id: 'shipping', amount: shipping });
  return { ok: { total, before: total - Math.min(total, postPaymentOf(note, total)), lines, other } };
}

/** A charge: what it belongs to, what was paid with, and what of it went back so far. */
export type Charge = {
  readonly paymentId: string;
  readonly invoiceId: string | null;
  readonly refunded: ChargeRefunds;
  /** The refunds themselves, where the charge holds them. */
  readonly refunds: readonly RefundFact[];
  readonly method: Method | null;
};

export function normaliseCharge(charge: Fields | null, eventCreated: Instant): Normalised<Charge> {
  const chargeId = idAt(charge, 'id');
  const amount = amountAt(charge, 'amount_refunded') ?? 0;
  if (chargeId === null) return unreadable(charge, 'id');
  const createdAt = timeAt(charge, 'created') ?? eventCreated;
  const refunds: RefundFact[] = [];
  for (const row of listAt(objectAt(charge, 'refunds'), 'data') ?? []) {
    const read = normaliseRefund({ charge: chargeId, ...objectIn(row) }, createdAt);
    if ('unreadable' in read) return { unreadable: `refunds: ${read.unreadable}` };
    refunds.push(read.ok.refund);
  }
  const details = objectAt(charge, 'payment_method_details');
  const type = textAt(details, 'type');
  const kind = type === null ? null : objectAt(details, type);
  return {
    ok: {
      paymentId: idAt(charge, 'payment_intent') ?? chargeId,
      invoiceId: idAt(charge, 'invoice'),
      // When it went back, as far as a sum can say so: the charge itself is older.
      refunded: { chargeId, ...currencyIn(charge), amount, createdAt: eventCreated },
      refunds,
      method: type === null ? null : { chargeId, type, brand: textAt(kind, 'brand'), last4: textAt(kind, 'last4') },
    },
  };
}

export type PaymentIntent = {
  readonly id: string;
  readonly stripeCustomerId: string | null;
  readonly metadata: Metadata;
  readonly invoiceId: string | null;
  readonly sessionId: string | null;
  /** What is in the amount beside the price, as the intent's details say: tax less discounts. */
  readonly besidePrice: number;
  readonly attempt: Omit<Attempt, 'customerId'>;
};

/** What an intent is for: Stripe writes there the id of the invoice or session that made it, since 2025; others may write anything. */
function orderOf(intent: Fields | null, prefix: 'in_' | 'cs_'): string | null {
  const order = idAt(objectAt(intent, 'payment_details'), 'order_reference');
  return order?.startsWith(prefix) === true ? order : null;
}

function besidePriceIn(details: Fields | null): number {
  const lines = (listAt(objectAt(details, 'line_items'), 'data') ?? []).map(objectIn);
  const ofLines = (amount: (line: Fields | null) => number | null): number =>
    lines.reduce((sum, line) => sum + (amount(line) ?? 0), 0);
  const taxOf = (fields: Fields | null): number | null => integerAt(objectAt(fields, 'tax'), 'total_tax_amount');
  const discountOf = (fields: Fields | null): number | null => integerAt(fields, 'discount_amount');
  return (taxOf(details) ?? ofLines(taxOf)) - (discountOf(details) ?? ofLines(discountOf));
}

/** @param status what the event says of the intent: its own status does not tell a failed attempt from none. */
export function normalisePaymentIntent(
  intent: Fields | null,
  status: Attempt['status'],
  eventCreated: Instant,
): Normalised<PaymentIntent> {
  const id = idAt(intent, 'id');
  const amount = amountAt(intent, status === 'succeeded' ? 'amount_received' : 'amount') ?? amountAt(intent, 'amount');
  const currency = textAt(intent, 'currency');
  if (id === null) return unreadable(intent, 'id');
  if (amount === null) return unreadable(intent, 'amount');
  if (currency === null) return unreadable(intent, 'currency');
  const error = objectAt(intent, 'last_payment_error');
  const failureReason = textAt(error, 'decline_code') ?? textAt(error, 'code');
  return {
    ok: {
      id,
      stripeCustomerId: idAt(intent, 'customer'),
      metadata: metadataAt(intent, 'metadata'),
      invoiceId: idAt(intent, 'invoice') ?? orderOf(intent, 'in_'),
      sessionId: orderOf(intent, 'cs_'),
      besidePrice: besidePriceIn(objectAt(intent, 'amount_details')),
      attempt: {
        status,
        money: { amount, currency },
        failureReason: status === 'failed' ? failureReason : null,
        at: eventCreated,
      },
    },
  };
}

/** The payment of an invoice: which money paid it. Null ids where it was paid outside of Stripe. */
export function normaliseInvoicePayment(
  payment: Fields | null,
): Normalised<{ readonly invoiceId: string; readonly paymentId: string | null; readonly currency?: string }> {
  const invoiceId = idAt(payment, 'invoice');
  if (invoiceId === null) return unreadable(payment, 'invoice');
  const money = objectAt(payment, 'payment');
  if (money === null && at(payment, 'payment') != null) return unreadable(payment, 'payment', 'an object');
  const odd = oddField(money, { ids: ['payment_intent', 'charge'] });
  if (odd !== null) return odd;
  return { ok: { invoiceId, paymentId: moneyIdOf(money), ...currencyIn(payment) } };
}

const known = <Value>(table: { readonly [key: string]: Value }, key: string | null): Value | null =>
  key !== null && Object.hasOwn(table, key) ? (table[key] ?? null) : null;
