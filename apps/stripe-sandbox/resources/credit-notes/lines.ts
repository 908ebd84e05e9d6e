import { invalid } from '../../core/api/errors.js';
import type { CreditNoteLine, Invoice, InvoiceLine } from '../../core/model.js';
import { share } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import type { Tx } from '../../core/tx.js';
import { taxOf } from '../invoices/lines.js';

type Tax = NonNullable<CreditNoteLine['taxes']>[number];
type Off = CreditNoteLine['discount_amounts'][number];

type Facts = Pick<CreditNoteLine, 'amount' | 'description' | 'quantity' | 'unit_amount'> & {
  readonly invoiceLine: string | null;
  readonly off: readonly Off[];
  readonly taxes: readonly Tax[];
  readonly metadata: Record<string, string>;
};

const newLine = (tx: Tx, facts: Facts): CreditNoteLine => ({
  id: tx.idWith('cnli'),
  object: 'credit_note_line_item',
  amount: facts.amount,
  description: facts.description,
  discount_amount: facts.off.reduce((sum, { amount }) => sum + amount, 0),
  discount_amounts: [...facts.off],
  ...(facts.invoiceLine === null ? {} : { invoice_line_item: facts.invoiceLine }),
  livemode: false,
  metadata: facts.metadata,
  pretax_credit_amounts: [],
  quantity: facts.quantity,
  tax_rates: [],
  taxes: [...facts.taxes],
  type: facts.invoiceLine === null ? 'custom_line_item' : 'invoice_line_item',
  unit_amount: facts.unit_amount,
  unit_amount_decimal: facts.unit_amount === null ? null : String(facts.unit_amount),
});

/** What notes that stand have credited of an invoice's line already. */
function creditedBefore(tx: Tx, invoice: Invoice, line: string): number {
  return tx
    .ownedBy('credit_note', invoice.id)
    .filter(({ status }) => status === 'issued')
    .flatMap(({ lines }) => lines.data)
    .reduce((sum, one) => (one.invoice_line_item === line ? sum + one.amount : sum), 0);
}

/** The part of a billed line by `amount` or `quantity`, its discounts and taxes in the same proportion. */
function partOf(tx: Tx, invoice: Invoice, billed: InvoiceLine, given: Params): CreditNoteLine {
  const quantity = given.integer('quantity');
  const all = billed.quantity ?? 1;
  const amount =
    given.integer('amount') ?? (quantity === undefined ? billed.amount : share(billed.amount, quantity, all));
  const left = billed.amount - creditedBefore(tx, invoice, billed.id);
  if (amount < 1) throw invalid('Invalid positive integer', given.name('amount'), 'parameter_invalid_integer');
  if (amount > left)
    throw invalid(
      `The credited amount (${amount}) is more than what is left of the line (${left}).`,
      given.name('amount'),
      'amount_too_large',
    );
  return newLine(tx, {
    amount,
    description: billed.description,
    invoiceLine: billed.id,
    quantity: quantity ?? null,
    unit_amount: null,
    metadata: given.metadata(),
    off: (billed.discount_amounts ?? []).map((one) => ({
      amount: share(one.amount, amount, billed.amount),
      discount: one.discount,
    })),
    taxes: (billed.taxes ?? []).map((tax) => ({
      ...tax,
      amount: share(tax.amount, amount, billed.amount),
      taxable_amount: share(tax.taxable_amount ?? 0, amount, billed.amount),
    })),
  });
}

function customLine(tx: Tx, given: Params): CreditNoteLine {
  const unit = given.integer('unit_amount');
  const quantity = given.integer('quantity') ?? 1;
  const amount = unit === undefined ? given.requiredInteger('amount') : unit * quantity;
  const rates = given.texts('tax_rates') ?? [];
  return newLine(tx, {
    amount,
    description: given.text('description') ?? null,
    invoiceLine: null,
    quantity,
    unit_amount: unit ?? amount,
    metadata: given.metadata(),
    off: [],
    taxes: rates.map((id) => taxOf(tx.need('tax_rate', id, given.name('tax_rates')), amount)),
  });
}

/** Reads `lines[]` of a credit note; with `amount` alone it is one custom line of that amount. */
export function creditedLines(tx: Tx, params: Params, invoice: Invoice): CreditNoteLine[] {
  const lines = params.children('lines');
  const amount = params.integer('amount');
  if (lines === undefined && amount === undefined)
    throw invalid('You must specify at least one of amount, lines, or shipping_cost.', 'amount', 'parameter_missing');
  if (lines === undefined) {
    const facts = { description: null, invoiceLine: null, quantity: 1, off: [], taxes: [], metadata: {} };
    return [newLine(tx, { ...facts, amount: amount ?? 0, unit_amount: amount ?? 0 })];
  }
  return lines.map((one) => {
    const type = one.oneOf('type', ['custom_line_item', 'invoice_line_item']) ?? one.required('type');
    if (type === 'custom_line_item') return customLine(tx, one);
    const id = one.required('invoice_line_item');
    const billed = invoice.lines.data.find((known) => known.id === id);
    if (billed === undefined)
      throw invalid(`No such invoice line item: '${id}'`, one.name('invoice_line_item'), 'resource_missing');
    return partOf(tx, invoice, billed, one);
  });
}

/** One entry for each discount, with what it took off all lines. */
export function summedDiscounts(all: readonly Off[]): Off[] {
  const sums = new Map<string, Off>();
  for (const one of all) {
    const key = typeof one.discount === 'string' ? one.discount : one.discount.id;
    sums.set(key, { ...one, amount: (sums.get(key)?.amount ?? 0) + one.amount });
  }
  return [...sums.values()];
}

/** One entry for each rate, with its taxes on all lines. */
export function summedTaxes(all: readonly Tax[]): Tax[] {
  const sums = new Map<string, Tax>();
  for (const tax of all) {
    const key = tax.tax_rate_details?.tax_rate ?? '';
    const sum = sums.get(key);
    sums.set(key, {
      ...tax,
      amount: (sum?.amount ?? 0) + tax.amount,
      taxable_amount: (sum?.taxable_amount ?? 0) + (tax.taxable_amount ?? 0),
    });
  }
  return [...sums.values()];
}
