import { invalid } from '../../core/api/errors.js';
import type { CheckoutSession } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import type { Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { completeSession } from './completion.js';
import { payingMethod } from '../payments/methods.js';

/** Completes a session with a method that exists, as its page would; `expected_amount` is what the buyer was shown. */
function confirm(tx: Tx, id: string, params: Params): CheckoutSession {
  const session = tx.need('checkout.session', id);
  const expected = params.integer('expected_amount');
  if (expected !== undefined && expected !== session.amount_total)
    throw invalid(`The amount of the session is ${session.amount_total ?? 0}, not ${expected}.`, 'expected_amount');
  const method = payingMethod(tx, params.required('payment_method'), session.customer);
  const { email, name } = method.billing_details;
  return completeSession(tx, id, method, { email, name });
}

/** What Stripe's command line calls to pay a Checkout session without a browser; the client has no method for it. */
export const paymentPageRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/payment_pages/:id', run: ({ tx, id }) => tx.need('checkout.session', id) },
  { method: 'POST', path: '/v1/payment_pages/:id/confirm', run: ({ tx, id, params }) => confirm(tx, id, params) },
];
