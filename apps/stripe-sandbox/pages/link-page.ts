import { ApiError } from '../core/api/errors.js';
import type { Sandbox } from '../core/sandbox.js';
import { openLink } from '../resources/checkout/links.js';
import { notice, redirect, type Page } from './html.js';

/** A payment link: each visit opens a Checkout session of its own. */
export function linkPage(sandbox: Sandbox, id: string, query: URLSearchParams): Page {
  const arrival = { reference: query.get('client_reference_id'), email: query.get('prefilled_email') };
  try {
    const session = sandbox.step((tx) => openLink(tx, id, arrival), sandbox.requestOfPage());
    return redirect(session.url ?? '/');
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return notice('This link cannot be used', error.body.message, error.status === 404 ? 404 : 410);
  }
}
