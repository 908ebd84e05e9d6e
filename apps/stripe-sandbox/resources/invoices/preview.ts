import { ApiError, invalid, missing } from '../../core/api/errors.js';
import { page } from '../../core/api/lists.js';
import type { Invoice, Subscription } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import type { Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { customerOf } from '../customers/customers.js';
import { redemptionsIn, replaceDiscounts } from '../catalog/discounts.js';
import { changeItems, itemChange } from '../subscriptions/change.js';
import { periodOf } from '../subscriptions/items.js';
import { upcomingInvoice } from '../subscriptions/life.js';
import { moveTrial } from '../subscriptions/trial.js';

type Shown = Omit<Invoice, 'id'> & { readonly id?: string };

/** The next invoice of a subscription, after changes that are only tried: the step that tries them is dropped. */
function tried(tx: Tx, subscription: Subscription, details: Params | undefined, params: Params): Invoice {
  const { customer, currency } = subscription;
  const priced = replaceDiscounts(tx, subscription, redemptionsIn(tx, params, { customer, currency }));
  tx.put('subscription', priced.id, priced);
  const change = details === undefined ? null : itemChange(tx, details);
  const changed = change === null ? priced : changeItems(tx, priced, { ...change, payment: 'default_incomplete' });
  const after = details === undefined ? changed : moveTrial(tx, changed, details);
  return after.latest_invoice !== subscription.latest_invoice && after.latest_invoice !== null
    ? tx.need('invoice', after.latest_invoice)
    : upcomingInvoice(tx, after);
}

const asPreview = ({ id, ...shown }: Invoice): Shown => ({
  ...shown,
  id: id.replace(/^in_/, 'upcoming_in_'),
  status: 'draft',
  number: null,
});

function preview(tx: Tx, params: Params): Shown {
  const id = params.required('subscription');
  const customer = params.text('customer');
  const subscription = tx.need('subscription', id, 'subscription');
  if (customer !== undefined && subscription.customer !== customer)
    throw missing('subscription', id, 'subscription', 400);
  params.accept('preview_mode', 'automatic_tax');
  return asPreview(tried(tx, subscription, params.child('subscription_details'), params));
}

/** The subscription whose next invoice a request of before basil asks for: the named one, else the customer's next to renew. */
function nextToRenew(tx: Tx, params: Params): Subscription {
  const [id, customer] = [params.text('subscription'), params.text('customer')];
  if (id === undefined && customer === undefined)
    throw invalid('You must provide `customer` or `subscription`.', 'customer', 'parameter_missing');
  if (customer !== undefined) customerOf(tx, customer, 'customer');
  const named = id === undefined ? null : tx.need('subscription', id, 'subscription');
  if (named !== null && customer !== undefined && named.customer !== customer)
    throw missing('subscription', named.id, 'subscription', 400);
  const living = (named === null ? tx.ownedBy('subscription', customer ?? '') : [named]).filter(
    (one) =>
      ['active', 'trialing', 'past_due', 'unpaid'].includes(one.status) &&
      !one.cancel_at_period_end &&
      (one.cancel_at === null || one.cancel_at > periodOf(one).end),
  );
  const [next] = [...living].sort((a, b) => periodOf(a).end - periodOf(b).end);
  if (next !== undefined) return next;
  const of = named === null ? `customer: ${customer ?? ''}` : `subscription: ${named.id}`;
  throw new ApiError(404, {
    type: 'invalid_request_error',
    code: 'invoice_upcoming_none',
    doc_url: 'https://stripe.com/docs/error-codes/invoice-upcoming-none',
    message: `No upcoming invoices for ${of}`,
  });
}

/** `GET /v1/invoices/upcoming`, as it was before basil: changes have names that begin with `subscription_`. */
function upcoming(tx: Tx, params: Params): Invoice {
  const subscription = nextToRenew(tx, params);
  return tried(tx, subscription, params.child('subscription_details') ?? params.without('subscription_'), params);
}

const basil = '2025-03-31';

export const invoicePreviewRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/invoices/create_preview',
    run: ({ tx, params }) => preview(tx, params),
    dry: true,
  },
  {
    method: 'GET',
    path: '/v1/invoices/upcoming',
    run: ({ tx, params }): Shown => {
      const { id: _none, ...shown } = asPreview(upcoming(tx, params));
      return shown;
    },
    until: basil,
    dry: true,
  },
  {
    method: 'GET',
    path: '/v1/invoices/upcoming/lines',
    run: ({ tx, params, path }) => page(params, path, upcoming(tx, params).lines.data, (line) => line.id),
    until: basil,
    dry: true,
  },
];
