import type Stripe from 'stripe';
import { invalid } from '../core/errors.js';
import { page } from '../core/lists.js';
import type { CreditNote, CreditNoteLine, Invoice } from '../core/model.js';
import type { Params } from '../core/params.js';
import { listing, matching, retrieving, type Route } from '../core/route.js';
import type { Tx } from '../core/tx.js';
import { markPaid } from './invoice-payment.js';
import { checkRefundable, makeRefund } from './refunds.js';

function linesOf(tx: Tx, params: Params, invoice: Invoice): CreditNoteLine[] {
  const lines = params.children('lines');
  const amount = params.integer('amount');
  if (lines === undefined && amount === undefined)
    throw invalid('You must specify at least one of amount, lines, or shipping_cost.', 'amount', 'parameter_missing');
  const line = (given: {
    amount: number;
    description: string | null;
    invoiceLine: string | null;
    quantity: number;
    unit: number | null;
  }): CreditNoteLine => ({
    id: tx.idWith('cnli'),
    object: 'credit_note_line_item',
    amount: given.amount,
    description: given.description,
    discount_amount: 0,
    discount_amounts: [],
    ...(given.invoiceLine === null ? {} : { invoice_line_item: given.invoiceLine }),
    livemode: false,
    metadata: {},
    pretax_credit_amounts: [],
    quantity: given.quantity,
    tax_rates: [],
    taxes: [],
    type: given.invoiceLine === null ? 'custom_line_item' : 'invoice_line_item',
    unit_amount: given.unit,
    unit_amount_decimal: given.unit === null ? null : String(given.unit),
  });
  if (lines === undefined)
    return [line({ amount: amount ?? 0, description: null, invoiceLine: null, quantity: 1, unit: amount ?? 0 })];
  return lines.map((one) => {
    one.accept('type', 'metadata');
    const invoiceLine = one.text('invoice_line_item');
    const quantity = one.integer('quantity') ?? 1;
    if (invoiceLine === undefined) {
      const unit = one.requiredInteger('unit_amount');
      return line({
        amount: unit * quantity,
        description: one.text('description') ?? null,
        invoiceLine: null,
        quantity,
        unit,
      });
    }
    const billed = invoice.lines.data.find((known) => known.id === invoiceLine);
    if (billed === undefined)
      throw invalid(`No such invoice line item: '${invoiceLine}'`, one.name('invoice_line_item'), 'resource_missing');
    const credited = one.integer('amount') ?? billed.amount;
    if (credited > billed.amount) throw invalid('The credited amount is more than the line.', one.name('amount'));
    return line({ amount: credited, description: billed.description, invoiceLine, quantity, unit: null });
  });
}

type Split = {
  readonly pre: number;
  readonly post: number;
  readonly refund: number;
  readonly credit: number;
  readonly outOfBand: number;
};

/** First what is still owed shrinks; what was already paid is refunded, credited to the balance, or given back elsewhere. */
function splitOf(params: Params, invoice: Invoice, total: number): Split {
  const pre = Math.min(total, invoice.status === 'open' ? invoice.amount_remaining : 0);
  const post = total - pre;
  const refund = params.integer('refund_amount') ?? 0;
  const credit = params.integer('credit_amount') ?? 0;
  const outOfBand = params.integer('out_of_band_amount') ?? 0;
  const creditable = invoice.amount_paid - invoice.post_payment_credit_notes_amount;
  if (post > creditable)
    throw invalid(
      `The sum of credits (${post}) is more than the creditable amount (${creditable}).`,
      'amount',
      'amount_too_large',
    );
  if (refund + credit + outOfBand !== post) {
    throw invalid(
      `The sum of credit amount, refund amount and out of band amount (${refund + credit + outOfBand}) must equal the post payment credit note amount (${post}).`,
      'refund_amount',
    );
  }
  return { pre, post, refund, credit, outOfBand };
}

function refundOf(tx: Tx, invoice: Invoice, amount: number, note: string): Stripe.CreditNote['refunds'] {
  if (amount === 0) return [];
  if (invoice.sandbox.charge === null) throw invalid('This invoice has no charge to refund.', 'refund_amount');
  const charge = tx.need('charge', invoice.sandbox.charge);
  checkRefundable(charge, amount, 'refund_amount');
  const refund = makeRefund(tx, { charge, amount, reason: null, metadata: { credit_note: note } });
  return [{ amount_refunded: amount, payment_record_refund: null, refund: refund.id, type: 'refund' }];
}

function create(tx: Tx, params: Params): CreditNote {
  const invoice = tx.need('invoice', params.required('invoice'), 'invoice');
  params.accept('email_type', 'effective_at');
  if (!['open', 'paid'].includes(invoice.status))
    throw invalid('You can only create a credit note for an open or paid invoice.', 'invoice', 'invoice_not_editable');
  const lines = linesOf(tx, params, invoice);
  const total = lines.reduce((sum, line) => sum + line.amount, 0);
  if (total < 1) throw invalid('The credit note must be for a positive amount.', 'amount');
  const split = splitOf(params, invoice, total);
  const id = tx.newId('credit_note');
  const number = `${invoice.number ?? ''}-CN-${String(tx.ownedBy('credit_note', invoice.id).length + 1).padStart(2, '0')}`;
  const note: CreditNote = {
    id,
    object: 'credit_note',
    amount: total,
    amount_shipping: 0,
    created: tx.now,
    currency: invoice.currency,
    customer: invoice.customer,
    customer_account: null,
    customer_balance_transaction: null,
    discount_amount: 0,
    discount_amounts: [],
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
    refunds: [],
    shipping_cost: null,
    status: 'issued',
    subtotal: total,
    subtotal_excluding_tax: total,
    total,
    total_excluding_tax: total,
    total_taxes: [],
    type: split.pre > 0 && split.post > 0 ? 'mixed' : split.pre > 0 ? 'pre_payment' : 'post_payment',
    voided_at: null,
  };
  const made = tx.create(
    'credit_note',
    { ...note, refunds: refundOf(tx, invoice, split.refund, id) },
    'credit_note.created',
  );
  applyToInvoice(tx, invoice.id, split);
  return made;
}

function applyToInvoice(tx: Tx, id: string, split: Split): void {
  const invoice = tx.need('invoice', id);
  const left = invoice.amount_remaining - split.pre;
  const changed = tx.update(
    'invoice',
    {
      ...invoice,
      amount_remaining: left,
      post_payment_credit_notes_amount: invoice.post_payment_credit_notes_amount + split.post,
      pre_payment_credit_notes_amount: invoice.pre_payment_credit_notes_amount + split.pre,
    },
    'invoice.updated',
  );
  if (split.credit > 0) {
    const customer = tx.need('customer', invoice.customer);
    tx.update('customer', { ...customer, balance: customer.balance - split.credit }, 'customer.updated');
  }
  if (changed.status === 'open' && left === 0) markPaid(tx, changed, null);
}

function voidNote(tx: Tx, id: string): CreditNote {
  const note = tx.need('credit_note', id);
  const invoice = tx.need('invoice', note.invoice);
  if (note.status === 'void' || invoice.status !== 'open')
    throw invalid('You can only void a credit note whose invoice is open.', undefined, 'credit_note_not_voidable');
  tx.update(
    'invoice',
    {
      ...invoice,
      amount_remaining: invoice.amount_remaining + note.pre_payment_amount,
      pre_payment_credit_notes_amount: invoice.pre_payment_credit_notes_amount - note.pre_payment_amount,
    },
    'invoice.updated',
  );
  const voided: CreditNote = { ...note, status: 'void', voided_at: tx.now };
  tx.put('credit_note', id, voided);
  tx.emit('credit_note.voided', voided);
  return voided;
}

export const creditNoteRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/credit_notes', run: ({ tx, params }) => create(tx, params) },
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
