import { invalid } from '../../core/api/errors.js';
import type { Invoice, InvoiceItem, InvoiceLine } from '../../core/model.js';
import { checkSteps, checkedCurrency } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { priceOf } from '../catalog/catalogue.js';
import { customerOf } from '../customers/customers.js';
import { withLines } from './building.js';
import { itemLine, newInvoiceItem } from './lines.js';
import { priceAmount } from '../catalog/tiers.js';

/** Refuses to change an invoice that is final. */
export const draftOnly = (invoice: Invoice): void => {
  if (invoice.status !== 'draft')
    throw invalid(
      `This invoice is no longer editable; its status is ${invoice.status}.`,
      undefined,
      'invoice_not_editable',
    );
};

/** The invoice with the lines it has now, summed again. */
export function resum(tx: Tx, invoice: Invoice, lines: readonly InvoiceLine[]): Invoice {
  return withLines(invoice, lines, tx.need('customer', invoice.customer).balance);
}

function createItem(tx: Tx, params: Params): InvoiceItem {
  const customer = customerOf(tx, params.required('customer'), 'customer');
  params.accept('discountable', 'tax_behavior', 'tax_code');
  const pricing = params.child('pricing');
  const hasPrice = pricing !== undefined || params.has('price') || params.has('price_data');
  const price = hasPrice ? priceOf(tx, pricing ?? params) : null;
  const quantity = params.integer('quantity') ?? 1;
  const currency = price?.currency ?? checkedCurrency(params.required('currency'));
  const amount = price === null ? params.requiredInteger('amount') : priceAmount(price, quantity);
  checkSteps(amount, currency, 'amount');
  const period = params.child('period');
  const invoiceId = params.text('invoice');
  const invoice = invoiceId === undefined ? null : tx.need('invoice', invoiceId, 'invoice');
  if (invoice !== null) draftOnly(invoice);
  const subscription = params.text('subscription');
  if (subscription !== undefined) tx.need('subscription', subscription, 'subscription');
  const item = newInvoiceItem(tx, {
    customer: customer.id,
    amount,
    currency,
    description: params.emptyable('description') ?? null,
    period: { start: period?.requiredInteger('start') ?? tx.now, end: period?.requiredInteger('end') ?? tx.now },
    quantity,
    price,
    metadata: params.metadata(),
    subscription: subscription ?? null,
    invoice: invoiceId ?? null,
  });
  if (invoice !== null)
    tx.update(
      'invoice',
      resum(tx, invoice, [...invoice.lines.data, itemLine(tx, invoice.id, item)]),
      'invoice.updated',
    );
  return item;
}

/** Changes an item that waits, or that is on a draft, whose line changes with it. */
function updateItem(tx: Tx, id: string, params: Params): InvoiceItem {
  const item = tx.need('invoiceitem', id);
  const invoice = item.invoice === null ? null : tx.need('invoice', item.invoice);
  if (invoice !== null) draftOnly(invoice);
  const description = params.emptyable('description');
  const quantity = params.integer('quantity');
  const priced =
    item.sandbox.price !== null && quantity !== undefined ? priceAmount(item.sandbox.price, quantity) : null;
  const period = params.child('period');
  const amount = params.integer('amount') ?? priced ?? item.amount;
  const changed = tx.update(
    'invoiceitem',
    {
      ...item,
      amount,
      net_amount: amount,
      description: description === undefined ? item.description : description,
      discountable: params.flag('discountable') ?? item.discountable,
      metadata: params.metadata(item.metadata),
      period: {
        start: period?.requiredInteger('start') ?? item.period.start,
        end: period?.requiredInteger('end') ?? item.period.end,
      },
      quantity: quantity ?? item.quantity,
      quantity_decimal: String(quantity ?? item.quantity),
    },
    null,
  );
  if (invoice === null) return changed;
  const lines = invoice.lines.data.map((line) =>
    line.parent?.invoice_item_details?.invoice_item === id
      ? { ...itemLine(tx, invoice.id, changed), id: line.id }
      : line,
  );
  tx.update('invoice', resum(tx, invoice, lines), 'invoice.updated');
  return changed;
}

function deleteItem(tx: Tx, id: string): unknown {
  const item = tx.need('invoiceitem', id);
  const invoice = item.invoice === null ? null : tx.need('invoice', item.invoice);
  if (invoice !== null) {
    draftOnly(invoice);
    const lines = invoice.lines.data.filter((line) => line.parent?.invoice_item_details?.invoice_item !== id);
    tx.update('invoice', resum(tx, invoice, lines), 'invoice.updated');
  }
  tx.remove('invoiceitem', id);
  tx.emit('invoiceitem.deleted', item);
  return { id, object: 'invoiceitem', deleted: true };
}

export const invoiceItemRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/invoiceitems', run: ({ tx, params }) => createItem(tx, params) },
  retrieving('invoiceitem', '/v1/invoiceitems'),
  { method: 'POST', path: '/v1/invoiceitems/:id', run: ({ tx, id, params }) => updateItem(tx, id, params) },
  { method: 'DELETE', path: '/v1/invoiceitems/:id', run: ({ tx, id }) => deleteItem(tx, id) },
  listing('invoiceitem', '/v1/invoiceitems', (params) => {
    const [customer, invoice, pending] = [params.text('customer'), params.text('invoice'), params.flag('pending')];
    return (item) =>
      matching(customer, (value) => item.customer === value) &&
      matching(invoice, (value) => item.invoice === value) &&
      matching(pending, (value) => (item.invoice === null) === value);
  }),
];
