import type Stripe from 'stripe';
import { invalid } from '../../core/api/errors.js';
import { page } from '../../core/api/lists.js';
import type { CreditNote, CreditNoteLine, Invoice } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { creditedLines, summedDiscounts, summedTaxes } from './lines.js';
import { recordMove } from '../customers/balance.js';
import { markPaid } from '../invoices/payment.js';
import { checkRefundable, makeRefund } from '../payments/refunds.js';

type Split = {
  readonly pre: number;
  readonly post: number;
  readonly refund: number;
  readonly credit: number;
  readonly outOfBand: number;
  readonly linked: Stripe.CreditNote['refunds'];
};

/** What was given back of an invoice's charge by refunds that no credit note stands for. */
function refundedBeside(tx: Tx, invoice: Invoice): number {
  const charge = invoice.sandbox.charge === null ? null : tx.get('charge', invoice.sandbox.charge);
  const noted = tx
    .ownedBy('credit_note', invoice.id)
    .filter(({ status }) => status === 'issued')
    .flatMap(({ refunds }) => refunds)
    .reduce((sum, { amount_refunded: amount }) => sum + amount, 0);
  return Math.max(0, (charge?.amount_refunded ?? 0) - noted);
}

/** The refunds that a request links to the note: they exist already and are of this invoice's charge. */
function linkedRefunds(tx: Tx, params: Params, invoice: Invoice): Stripe.CreditNote['refunds'] {
  const single = params.text('refund');
  const given = (params.children('refunds') ?? []).map((one) => {
    one.accept('type');
    return { id: one.required('refund'), amount: one.integer('amount_refunded'), param: one.name('refund') };
  });
  const all = single === undefined ? given : [{ id: single, amount: undefined, param: 'refund' }, ...given];
  return all.map(({ id, amount, param }) => {
    const refund = tx.need('refund', id, param);
    if (refund.charge !== invoice.sandbox.charge)
      throw invalid(`The refund ${id} is not of a payment of this invoice.`, param);
    return {
      amount_refunded: amount ?? refund.amount,
      payment_record_refund: null,
      refund: refund.id,
      type: 'refund' as const,
    };
  });
}

/** First what is still owed shrinks; what was already paid is refunded, credited to the balance, or given back elsewhere. */
function splitOf(tx: Tx, params: Params, invoice: Invoice, total: number): Split {
  const pre = Math.min(total, invoice.status === 'open' ? invoice.amount_remaining : 0);
  const post = total - pre;
  const linked = linkedRefunds(tx, params, invoice);
  const known = linked.reduce((sum, { amount_refunded: amount }) => sum + amount, 0);
  const refund = params.integer('refund_amount') ?? 0;
  const credit = params.integer('credit_amount') ?? 0;
  const outOfBand = params.integer('out_of_band_amount') ?? 0;
  const { pre_payment_credit_notes_amount: before, post_payment_credit_notes_amount: after } = invoice;
  const owed = invoice.status === 'open' ? invoice.amount_remaining : 0;
  const creditable = invoice.total - owed - before - after - Math.max(0, refundedBeside(tx, invoice) - known);
  if (post > creditable)
    throw invalid(
      `The sum of credits (${post}) is more than the creditable amount (${creditable}).`,
      'amount',
      'amount_too_large',
    );
  const sum = refund + known + credit + outOfBand;
  if (sum !== post) {
    throw invalid(
      `The sum of credit amount, refund amount and out of band amount (${sum}) must equal the post payment credit note amount (${post}).`,
      'refund_amount',
    );
  }
  return { pre, post, refund, credit, outOfBand, linked };
}

function refundOf(tx: Tx, invoice: Invoice, amount: number, note: string): Stripe.CreditNote['refunds'] {
  if (amount === 0) return [];
  if (invoice.sandbox.charge === null) throw invalid('This invoice has no charge to refund.', 'refund_amount');
  const charge = tx.need('charge', invoice.sandbox.charge);
  checkRefundable(charge, amount, 'refund_amount');
  const refund = makeRefund(tx, { charge, amount, reason: null, metadata: { credit_note: note } });
  return [{ amount_refunded: amount, payment_record_refund: null, refund: refund.id, type: 'refund' }];
}

/** What a note comes to by its lines: their amounts, less what was off them, with their taxes. */
function sumsOf(lines: readonly CreditNoteLine[]) {
  const subtotal = lines.reduce((sum, line) => sum + line.amount, 0);
  const off = lines.reduce((sum, line) => sum + line.discount_amount, 0);
  const taxes = lines.flatMap((line) => line.taxes ?? []);
  const added = taxes.reduce((sum, tax) => sum + (tax.tax_behavior === 'exclusive' ? tax.amount : 0), 0);
  const all = taxes.reduce((sum, tax) => sum + tax.amount, 0);
  const total = subtotal - off + added;
  return {
    amount: total,
    discount_amount: off,
    discount_amounts: summedDiscounts(lines.flatMap((line) => line.discount_amounts)),
    subtotal,
    subtotal_excluding_tax: subtotal + added - all,
    total,
    total_excluding_tax: total - all,
    total_taxes: summedTaxes(taxes),
  };
}

function noteOf(tx: Tx, params: Params, invoice: Invoice): { note: CreditNote; split: Split } {
  params.accept('email_type', 'effective_at');
  if (!['open', 'paid'].includes(invoice.status))
    throw invalid('You can only create a credit note for an open or paid invoice.', 'invoice', 'invoice_not_editable');
  const lines = creditedLines(tx, params, invoice);
  const sums = sumsOf(lines);
  if (sums.total < 1) throw invalid('The credit note must be for a positive amount.', 'amount');
  const wanted = params.integer('amount');
  if (wanted !== undefined && wanted !== sums.total)
    throw invalid(`The amount (${wanted}) must equal the total of the lines (${sums.total}).`, 'amount');
  const split = splitOf(tx, params, invoice, sums.total);
  const id = tx.newId('credit_note');
  const number = `${invoice.number ?? ''}-CN-${String(tx.ownedBy('credit_note', invoice.id).length + 1).padStart(2, '0')}`;
  const note: CreditNote = {
    id,
    object: 'credit_note',
    ...sums,
    amount_shipping: 0,
    created: tx.now,
    currency: invoice.currency,
    customer: invoice.customer,
    customer_account: null,
    customer_balance_transaction: null,
    effective_at: tx.now,
    invoice: invoice.id,
    lines: { object: 'list', data: lines, has_more: false, url: `/v1/credit_notes/${id}/lines` },
    livemode: false,
    memo: params.text('memo') ?? null,
    metadata: params.metadata(),
    number,
    out_of_band_amount: split.outOfBand === 0 ? null : split.outOfBand,
    pdf: `${tx.site}/i/${invoice.id}/pdf`,
    post_payment_amount: split.post,
    pre_payment_amount: split.pre,
    pretax_credit_amounts: [],
    reason: params.oneOf('reason', ['duplicate', 'fraudulent', 'order_change', 'product_unsatisfactory']) ?? null,
    refunds: [...split.linked],
    shipping_cost: null,
    status: 'issued',
    type: split.pre > 0 && split.post > 0 ? 'mixed' : split.pre > 0 ? 'pre_payment' : 'post_payment',
    voided_at: null,
  };
  return { note, split };
}

function create(tx: Tx, params: Params): CreditNote {
  const invoice = tx.need('invoice', params.required('invoice'), 'invoice');
  const { note, split } = noteOf(tx, params, invoice);
  const refunds = [...note.refunds, ...refundOf(tx, invoice, split.refund, note.id)];
  const customer = tx.need('customer', invoice.customer);
  const credited =
    split.credit === 0
      ? null
      : recordMove(tx, customer, {
          amount: 0 - split.credit,
          type: 'credit_note',
          invoice: invoice.id,
          creditNote: note.id,
        });
  const made = tx.create(
    'credit_note',
    { ...note, refunds, customer_balance_transaction: credited?.id ?? null },
    'credit_note.created',
  );
  const closed = applyToInvoice(tx, invoice.id, split);
  if (credited !== null) tx.update('customer', { ...customer, balance: credited.ending_balance }, 'customer.updated');
  if (closed.status === 'open' && closed.amount_remaining === 0) markPaid(tx, closed, null);
  return made;
}

/** The note that these parameters would make; the step that tries them is dropped. */
function preview(tx: Tx, params: Params): CreditNote {
  return noteOf(tx, params, tx.need('invoice', params.required('invoice'), 'invoice')).note;
}

function applyToInvoice(tx: Tx, id: string, split: Split): Invoice {
  const invoice = tx.need('invoice', id);
  const left = invoice.amount_remaining - split.pre;
  return tx.update(
    'invoice',
    {
      ...invoice,
      amount_remaining: left,
      post_payment_credit_notes_amount: invoice.post_payment_credit_notes_amount + split.post,
      pre_payment_credit_notes_amount: invoice.pre_payment_credit_notes_amount + split.pre,
    },
    'invoice.updated',
  );
}

/** Takes back a note that only made an open invoice smaller. What was refunded or credited is not taken back. */
function voidNote(tx: Tx, id: string): CreditNote {
  const note = tx.need('credit_note', id);
  const invoice = tx.need('invoice', note.invoice);
  if (note.status === 'void' || invoice.status !== 'open' || note.post_payment_amount > 0)
    throw invalid(
      'You can only void a credit note whose invoice is open and which gave no money back.',
      undefined,
      'credit_note_not_voidable',
    );
  const voided: CreditNote = { ...note, status: 'void', voided_at: tx.now };
  tx.put('credit_note', id, voided);
  tx.emit('credit_note.voided', voided);
  tx.update(
    'invoice',
    {
      ...invoice,
      amount_remaining: invoice.amount_remaining + note.pre_payment_amount,
      pre_payment_credit_notes_amount: invoice.pre_payment_credit_notes_amount - note.pre_payment_amount,
    },
    'invoice.updated',
  );
  return voided;
}

export const creditNoteRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/credit_notes', run: ({ tx, params }) => create(tx, params) },
  { method: 'GET', path: '/v1/credit_notes/preview', run: ({ tx, params }) => preview(tx, params), dry: true },
  {
    method: 'GET',
    path: '/v1/credit_notes/preview/lines',
    run: ({ tx, params, path }) => {
      params.accept('limit', 'starting_after', 'ending_before');
      return { object: 'list', url: path, has_more: false, data: preview(tx, params).lines.data };
    },
    dry: true,
  },
  retrieving('credit_note', '/v1/credit_notes'),
  {
    method: 'POST',
    path: '/v1/credit_notes/:id',
    run: ({ tx, id, params }) => {
      const note = tx.need('credit_note', id);
      return tx.update(
        'credit_note',
        { ...note, memo: params.text('memo') ?? note.memo, metadata: params.metadata(note.metadata ?? {}) },
        'credit_note.updated',
      );
    },
  },
  { method: 'POST', path: '/v1/credit_notes/:id/void', run: ({ tx, id }) => voidNote(tx, id) },
  {
    method: 'GET',
    path: '/v1/credit_notes/:id/lines',
    run: ({ tx, id, params, path }) => page(params, path, tx.need('credit_note', id).lines.data, (line) => line.id),
  },
  listing('credit_note', '/v1/credit_notes', (params) => {
    const [invoice, customer] = [params.text('invoice'), params.text('customer')];
    return (note) =>
      matching(invoice, (value) => note.invoice === value) && matching(customer, (value) => note.customer === value);
  }),
];
