import { ApiError, invalid } from '../../core/api/errors.js';
import { page } from '../../core/api/lists.js';
import type { Invoice } from '../../core/model.js';
import { checkedCurrency } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { customerOf } from '../customers/customers.js';
import { redeem, redemptionsIn, type Redemption } from '../catalog/discounts.js';
import { createDraft, draftInvoice, finalizeLater, takePendingItems } from './building.js';
import { draftOnly, resum } from './items.js';
import { collect, finalize, markPaid, markUncollectible, methodFor, subscriptionOf, voidInvoice } from './payment.js';
import { attach, ownMethod, payingMethod } from '../payments/methods.js';
import { declinedError } from '../payments/payments.js';

function create(tx: Tx, params: Params): Invoice {
  const customer = customerOf(tx, params.required('customer'), 'customer');
  params.accept('footer', 'payment_settings', 'automatic_tax', 'due_date', 'statement_descriptor');
  const subscriptionId = params.text('subscription');
  const subscription = subscriptionId === undefined ? null : tx.need('subscription', subscriptionId, 'subscription');
  const autoAdvance = params.flag('auto_advance') ?? false;
  const method = params.text('default_payment_method');
  const collection = params.oneOf('collection_method', ['charge_automatically', 'send_invoice']);
  const draft = draftInvoice(tx, {
    customer,
    currency: checkedCurrency(
      params.text('currency') ??
        subscription?.currency ??
        customer.currency ??
        pendingCurrency(tx, customer.id) ??
        'usd',
    ),
    reason: subscription === null ? 'manual' : 'subscription_update',
    subscription,
    description: params.emptyable('description') ?? null,
    metadata: params.metadata(),
    autoAdvance,
    daysUntilDue: params.integer('days_until_due') ?? null,
    defaultMethod:
      method === undefined
        ? null
        : attach(tx, ownMethod(tx, method, customer.id, 'default_payment_method'), customer.id).id,
    ...(collection === undefined ? {} : { collection }),
  });
  const wanted = redemptionsIn(tx, params, { customer: customer.id, currency: draft.currency });
  const priced = discountedBy(tx, draft, wanted);
  const behavior =
    params.oneOf('pending_invoice_items_behavior', ['exclude', 'include']) ??
    (subscription === null ? 'exclude' : 'include');
  const lines = behavior === 'include' ? takePendingItems(tx, priced, subscriptionId ?? null) : [];
  const invoice = createDraft(tx, priced, lines, params.texts('default_tax_rates') ?? []);
  return autoAdvance ? finalizeLater(tx, invoice) : invoice;
}

/** The draft with the discounts that a request wants for it alone. */
function discountedBy(tx: Tx, invoice: Invoice, wanted: readonly Redemption[] | undefined): Invoice {
  if (wanted === undefined) return invoice;
  const discounts = wanted.map((one) => redeem(tx, one, { customer: invoice.customer, invoice: invoice.id }));
  return {
    ...invoice,
    discounts: discounts.map((discount) => discount.id),
    sandbox: { ...invoice.sandbox, discounts },
  };
}

const pendingCurrency = (tx: Tx, customer: string): string | undefined =>
  tx.ownedBy('invoiceitem', customer).find((item) => item.invoice === null)?.currency;

function update(tx: Tx, id: string, params: Params): Invoice {
  const invoice = tx.need('invoice', id);
  const description = params.emptyable('description');
  const autoAdvance = params.flag('auto_advance');
  const changed: Invoice = {
    ...invoice,
    auto_advance: autoAdvance ?? invoice.auto_advance ?? false,
    description: description === undefined ? invoice.description : description,
    metadata: params.metadata(invoice.metadata),
  };
  const wanted = redemptionsIn(tx, params, { customer: invoice.customer, currency: invoice.currency });
  if (wanted !== undefined) draftOnly(invoice);
  const priced = wanted === undefined ? changed : resum(tx, discountedBy(tx, changed, wanted), invoice.lines.data);
  const updated = tx.update('invoice', priced, 'invoice.updated');
  return autoAdvance === true && invoice.status === 'draft' ? finalizeLater(tx, updated) : updated;
}

function finalizeRoute(tx: Tx, id: string, params: Params): Invoice {
  const invoice = tx.need('invoice', id);
  draftOnly(invoice);
  const autoAdvance = params.flag('auto_advance') ?? invoice.auto_advance ?? false;
  const open = finalize(tx, { ...invoice, auto_advance: autoAdvance });
  if (open.status === 'open' && autoAdvance && open.collection_method === 'charge_automatically')
    collect(tx, open, null, true);
  return tx.need('invoice', id);
}

/** Pays an invoice now: a draft is finalised first. 402 when the payment is declined; what was tried stays recorded. */
function pay(tx: Tx, id: string, params: Params): Invoice {
  const stored = tx.need('invoice', id);
  params.accept('mandate', 'forgive');
  const outOfBand = params.flag('paid_out_of_band') ?? false;
  const offSession = params.flag('off_session') ?? true;
  const given = params.text('payment_method');
  const invoice = stored.status === 'draft' ? finalize(tx, stored) : stored;
  if (invoice.status === 'paid' && stored.status === 'draft') return invoice;
  if (invoice.status === 'paid') throw invalid('Invoice is already paid', undefined, 'invoice_already_paid');
  if (invoice.status === 'void') throw invalid('Invoice can no longer be paid', undefined, 'invoice_not_editable');
  if (outOfBand) return markPaid(tx, invoice, null, true);
  const method = given === undefined ? methodFor(tx, invoice) : payingMethod(tx, given, invoice.customer);
  if (method === null)
    throw invalid(
      'There is no `default_payment_method` set on this Customer or Invoice.',
      'payment_method',
      'resource_missing',
    );
  const paid = collect(tx, invoice, method, offSession);
  const intent =
    invoice.sandbox.paymentIntent === null ? null : tx.get('payment_intent', invoice.sandbox.paymentIntent);
  if (paid.failure !== null && intent !== null) throw declinedError(intent, paid.failure);
  if (paid.outcome === 'requires_action') {
    throw new ApiError(
      402,
      {
        type: 'card_error',
        code: 'invoice_payment_intent_requires_action',
        message: 'This payment requires additional user action before it can be completed successfully.',
      },
      true,
    );
  }
  if (method.customer === null && paid.outcome === 'succeeded')
    attach(tx, tx.need('payment_method', method.id), invoice.customer);
  return tx.need('invoice', id);
}

function remove(tx: Tx, id: string): unknown {
  const invoice = tx.need('invoice', id);
  draftOnly(invoice);
  if (subscriptionOf(invoice) !== null)
    throw invalid(
      'You can not delete invoices that were created by a subscription.',
      undefined,
      'invoice_not_editable',
    );
  for (const item of tx.ownedBy('invoiceitem', invoice.customer)) {
    if (item.invoice === id) tx.put('invoiceitem', item.id, { ...item, invoice: null });
  }
  tx.remove('invoice', id);
  tx.emit('invoice.deleted', invoice);
  return { id, object: 'invoice', deleted: true };
}

export const invoiceRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/invoices', run: ({ tx, params }) => create(tx, params) },
  retrieving('invoice', '/v1/invoices'),
  { method: 'POST', path: '/v1/invoices/:id', run: ({ tx, id, params }) => update(tx, id, params) },
  { method: 'DELETE', path: '/v1/invoices/:id', run: ({ tx, id }) => remove(tx, id) },
  { method: 'POST', path: '/v1/invoices/:id/finalize', run: ({ tx, id, params }) => finalizeRoute(tx, id, params) },
  { method: 'POST', path: '/v1/invoices/:id/pay', run: ({ tx, id, params }) => pay(tx, id, params) },
  { method: 'POST', path: '/v1/invoices/:id/void', run: ({ tx, id }) => voidInvoice(tx, tx.need('invoice', id)) },
  {
    method: 'POST',
    path: '/v1/invoices/:id/mark_uncollectible',
    run: ({ tx, id }) => {
      const marked = markUncollectible(tx, tx.need('invoice', id));
      tx.follow({ task: 'invoice_paid', id });
      return marked;
    },
  },
  {
    method: 'POST',
    path: '/v1/invoices/:id/send',
    run: ({ tx, id }) => {
      const stored = tx.need('invoice', id);
      const open = stored.status === 'draft' ? finalize(tx, stored) : stored;
      tx.emit('invoice.sent', open);
      return open;
    },
  },
  {
    method: 'GET',
    path: '/v1/invoices/:id/lines',
    run: ({ tx, id, params, path }) => page(params, path, tx.need('invoice', id).lines.data, (line) => line.id),
  },
  listing('invoice', '/v1/invoices', (params) => {
    const [customer, subscription, status, collection] = [
      params.text('customer'),
      params.text('subscription'),
      params.text('status'),
      params.text('collection_method'),
    ];
    return (invoice) =>
      matching(customer, (value) => invoice.customer === value) &&
      matching(subscription, (value) => subscriptionOf(invoice) === value) &&
      matching(status, (value) => invoice.status === value) &&
      matching(collection, (value) => invoice.collection_method === value);
  }),
  retrieving('invoice_payment', '/v1/invoice_payments'),
  listing('invoice_payment', '/v1/invoice_payments', (params) => {
    const [invoice, status] = [params.text('invoice'), params.text('status')];
    const payment = params.child('payment');
    const intent = payment?.text('payment_intent');
    payment?.accept('type');
    return (one) =>
      matching(invoice, (value) => one.invoice === value) &&
      matching(status, (value) => one.status === value) &&
      matching(intent, (value) => one.payment.payment_intent === value);
  }),
];
