import type { CreditNote, Invoice } from '../../../apps/stripe-sandbox/core/model.js';
import type { Life } from '../story/life.js';
import type { DuePayment } from './books.js';

/** A part of a payment that went back for good (`taken`), or may yet (`reserved`). */
export type Claim = {
  readonly id: string;
  readonly taken: boolean;
  readonly amount: number;
  readonly since: number;
  /** What of it was for which lines of the invoice, in the lines' own money; the rest of the amount is a share of all. */
  readonly byLines: readonly { readonly line: string; readonly amount: number }[];
  readonly beyondLines: number;
};

type Payment = Pick<DuePayment, 'id' | 'currency' | 'amount' | 'type'>;

export function paymentOfInvoice(life: Life, invoice: Invoice): readonly DuePayment[] {
  const { id, currency, amount_paid: amount, billing_reason: reason, total } = invoice;
  const type = reason === 'subscription_update' ? 'upgrade' : 'subscription_payment';
  const payment = paymentOf(life, { id, currency, amount, type }, id);
  // An invoice may also collect what the customer's balance owed: that bought nothing.
  return total > 0 || amount > 0 ? [{ ...payment, paid: Math.max(0, total) }] : [];
}

/** A payment with what refunds, disputes and credit notes (of `invoiceId`) claim of it. */
export function paymentOf(life: Life, payment: Payment, invoiceId: string | null): DuePayment {
  const claims = claimsOf(life, payment, invoiceId);
  const sum = (taken: boolean): number =>
    claims.reduce((total, claim) => (claim.taken === taken ? total + claim.amount : total), 0);
  return {
    ...payment,
    paid: payment.amount,
    claims,
    taken: Math.min(sum(true), payment.amount),
    disputed: life.stripe
      .all('dispute')
      .some(({ payment_intent: intent, status }) => intent === intentOf(life, payment) && isOpen(status)),
  };
}

const isOpen = (status: string): boolean => status === 'needs_response' || status === 'under_review';

const intentOf = ({ stripe }: Life, { id }: Payment): string | null =>
  id.startsWith('pi_')
    ? id
    : (stripe.all('invoice').find((invoice) => invoice.id === id)?.sandbox.paymentIntent ?? null);

/** All that is claimed of a payment, in the order of its times. */
function claimsOf(life: Life, payment: Payment, invoiceId: string | null): readonly Claim[] {
  const { stripe } = life;
  const intent = intentOf(life, payment);
  const notes = stripe.all('credit_note').filter(({ invoice, status }) => invoice === invoiceId && status === 'issued');
  const claims: Claim[] = [];
  for (const refund of stripe.all('refund')) {
    const { id, amount, status, created: since, payment_intent: of } = refund;
    if (intent === null || of !== intent || !['succeeded', 'pending'].includes(status)) continue;
    const note = notes.find(({ refunds }) => refunds.some((one) => one.refund === id));
    claims.push({ id, taken: status === 'succeeded', amount, since, ...partsOf(note, amount) });
  }
  for (const note of notes) {
    const refunded = note.refunds.reduce((sum, { amount_refunded: part }) => sum + part, 0);
    const amount = note.post_payment_amount - refunded;
    if (amount > 0) claims.push({ id: note.id, taken: true, amount, since: note.created, ...partsOf(note, amount) });
  }
  for (const dispute of stripe.all('dispute')) {
    const { id, amount, status, created: since, payment_intent: of } = dispute;
    if (intent === null || of !== intent || !(isOpen(status) || status === 'lost')) continue;
    claims.push({ id, taken: status === 'lost', amount, since, byLines: [], beyondLines: amount });
  }
  return claims.toSorted((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
}

/** What of a claim is for lines: all of it where a note names lines, as each note of these lives gives back in one way only. */
function partsOf(note: CreditNote | undefined, amount: number): Pick<Claim, 'byLines' | 'beyondLines'> {
  const lines = (note?.lines.data ?? []).flatMap(({ invoice_line_item: line, amount: part }) =>
    typeof line === 'string' ? [{ line, amount: part }] : [],
  );
  return { byLines: lines, beyondLines: lines.length > 0 ? 0 : amount };
}
