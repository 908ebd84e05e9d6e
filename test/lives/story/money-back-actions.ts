import type { Charge, Dispute, Invoice } from '../../../apps/stripe-sandbox/core/model.js';
import { moveDispute, openDispute } from '../../../apps/stripe-sandbox/resources/payments/disputes.js';
import { settleRefund } from '../../../apps/stripe-sandbox/resources/payments/refunds.js';
import type { SeededRandom } from '../../simulation/random.js';
import { DAY } from '../books/calendar.js';
import type { Actor } from './actor.js';
import type { StripeAccount } from './stripe-account.js';

/** Some of an amount, all of it, or a single unit; in steps that every currency takes. */
function someOf(random: SeededRandom, amount: number): number {
  const part = random.pick([amount, Math.floor(amount / 3), random.between(1, Math.max(1, amount))]);
  return Math.max(1, Math.min(amount, part));
}

/** Facts of a subscription are remembered for 400 days after the end of what they are about: cards' money does not move as late. */
const MOVES = 300 * DAY;

const charges = (stripe: StripeAccount): readonly Charge[] =>
  stripe.all('charge').filter(({ status, created }) => status === 'succeeded' && created > stripe.now - MOVES);
const invoices = (stripe: StripeAccount): readonly Invoice[] =>
  stripe
    .all('invoice')
    .filter(({ status, amount_paid: paid, created }) => status === 'paid' && paid > 0 && created > stripe.now - MOVES);
const isOfOne = (of: readonly Charge[], charge: string | { readonly id: string } | null): boolean =>
  of.some(({ id }) => id === (typeof charge === 'string' ? charge : charge?.id));

export function refund({ stripe, random }: Actor): string | null {
  const known = charges(stripe);
  if (known.length === 0) return null;
  const charge = random.pick(random.chance(0.6) ? known.slice(-3) : known);
  const amount = someOf(random, charge.amount - charge.amount_refunded);
  const { ok } = stripe.post('refunds', { charge: charge.id, amount });
  return `gets ${String(amount)} of ${charge.id} back: ${String(ok)}`;
}

export function endRefund({ stripe, random }: Actor): string | null {
  const of = charges(stripe);
  const known = stripe
    .all('refund')
    .filter(({ status, charge }) => (status === 'pending' || status === 'succeeded') && isOfOne(of, charge));
  if (known.length === 0) return null;
  const { id, status } = random.pick(known);
  if (status === 'pending' && random.chance(0.5))
    return `cancels ${id}: ${String(stripe.post(`refunds/${id}/cancel`).ok)}`;
  const succeeds = random.chance(0.5);
  stripe.act((tx) => settleRefund(tx, id, succeeds));
  return `${id} ${succeeds ? 'succeeds' : 'fails'}`;
}

export function dispute({ stripe, random }: Actor): string | null {
  const known = charges(stripe);
  if (known.length === 0) return null;
  const charge = random.pick(random.chance(0.6) ? known.slice(-3) : known);
  const inquiry = random.chance(0.2);
  const request = { charge: charge.id, amount: someOf(random, charge.amount), reason: 'general', inquiry };
  stripe.act((tx) => openDispute(tx, { ...request, outcome: null }));
  return `disputes ${String(request.amount)} of ${charge.id}${inquiry ? ' (inquiry)' : ''}`;
}

const next: Readonly<
  Record<string, readonly ('won' | 'lost' | 'under_review' | 'warning_closed' | 'needs_response')[]>
> = {
  needs_response: ['won', 'lost', 'under_review'],
  under_review: ['won', 'lost'],
  warning_needs_response: ['warning_closed', 'needs_response'],
  warning_under_review: ['warning_closed'],
  lost: ['won'],
};

export function moveOn({ stripe, random }: Actor): string | null {
  const of = charges(stripe);
  const known = stripe.all('dispute').filter(({ status, charge }) => status in next && isOfOne(of, charge));
  const one: Dispute | undefined = known.length === 0 ? undefined : random.pick(known);
  if (one === undefined || (one.status === 'lost' && random.chance(0.8))) return null;
  const status = random.pick(next[one.status] ?? []);
  stripe.act((tx) => moveDispute(tx, one.id, status));
  return `${one.id} is ${status}`;
}

export function creditNote({ stripe, random }: Actor): string | null {
  const known = invoices(stripe);
  if (known.length === 0) return null;
  const invoice: Invoice = random.pick(known.slice(-2));
  const amount = someOf(random, invoice.amount_paid - invoice.post_payment_credit_notes_amount);
  const way = random.pick(['refund_amount', 'credit_amount', 'out_of_band_amount'] as const);
  const { ok } = stripe.post('credit_notes', { invoice: invoice.id, amount, [way]: amount });
  return `is credited ${String(amount)} of ${invoice.id} by ${way}: ${String(ok)}`;
}

/** A note on one of an invoice's lines: a part of it, or all. */
export function creditLine({ stripe, random }: Actor): string | null {
  const known = invoices(stripe);
  if (known.length === 0) return null;
  const invoice = random.pick(random.chance(0.5) ? known.slice(-2) : known);
  const lines = invoice.lines.data.filter(({ amount }) => amount > 0);
  if (lines.length === 0) return null;
  const line = random.pick(lines);
  const amount = someOf(random, line.amount);
  const note = {
    'lines[0][type]': 'invoice_line_item',
    'lines[0][invoice_line_item]': line.id,
    'lines[0][amount]': amount,
  };
  const way = random.pick(['refund_amount', 'credit_amount', 'out_of_band_amount'] as const);
  const { ok } = stripe.post('credit_notes', { invoice: invoice.id, ...note, [way]: amount });
  return `is credited ${String(amount)} of ${line.id} of ${invoice.id} by ${way}: ${String(ok)}`;
}

/** A part of a yearly plan's money goes back, before it is cancelled or after. */
export function refundYear({ stripe, random, market }: Actor): string | null {
  const years = new Set(market.offers.filter(({ interval }) => interval === 'year').map(({ priceId }) => priceId));
  const paid = stripe
    .all('invoice')
    .filter(({ lines }) => lines.data.some(({ pricing }) => years.has(pricing?.price_details?.price ?? '')));
  const charge = random.pick([
    ...charges(stripe).filter(({ sandbox }) => paid.some(({ id }) => id === sandbox.invoice)),
    null,
  ]);
  if (charge === null) return null;
  const amount = someOf(random, charge.amount - charge.amount_refunded);
  const { ok } = stripe.post('refunds', { charge: charge.id, amount });
  return `gets ${String(amount)} of a year (${charge.id}) back: ${String(ok)}`;
}
