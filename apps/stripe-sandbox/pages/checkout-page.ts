import { ApiError } from '../core/errors.js';
import type { CheckoutSession, PaymentMethod } from '../core/model.js';
import { formatMoney } from '../core/money.js';
import type { Sandbox } from '../core/sandbox.js';
import type { Tx } from '../core/tx.js';
import { asksAuthentication, completeSession } from '../resources/checkout-completion.js';
import { startsTrial } from '../resources/checkout-sessions.js';
import { accountFromEntry, cardFromEntry } from '../resources/payment-methods.js';
import type { Markup, Page } from './html.js';
import { cardFields, expiryOf, html, pageOf, problem, redirect } from './html.js';

const successUrl = (session: CheckoutSession): string =>
  (session.success_url ?? '/').replaceAll('{CHECKOUT_SESSION_ID}', encodeURIComponent(session.id));

function linesOf(session: CheckoutSession): Markup {
  const rows = session.sandbox.lines.map((line) => {
    const every = line.price.recurring === null ? '' : ` / ${line.price.recurring.interval}`;
    return html`<tr>
      <td>${line.description} × ${line.quantity}</td>
      <td class="money">${formatMoney(line.amount_total, line.currency)}${every}</td>
    </tr>`;
  });
  const tax = session.total_details?.amount_tax ?? 0;
  return html`<table>
    ${rows}
    ${
      tax > 0
        ? html`<tr>
            <td>Tax</td>
            <td class="money">${formatMoney(tax, session.currency)}</td>
          </tr>`
        : null
    }
    <tr>
      <th>Due today</th>
      <th class="money">${formatMoney(session.amount_total, session.currency)}</th>
    </tr>
  </table>`;
}

function payForm(session: CheckoutSession, form: URLSearchParams): Markup {
  const needsMethod = session.amount_total > 0 || session.payment_method_collection === 'always';
  const email = session.customer_email ?? form.get('email') ?? '';
  const sepa = session.payment_method_types.includes('sepa_debit') && session.currency === 'eur';
  const card = session.payment_method_types.includes('card');
  const verb = session.mode === 'subscription' ? (startsTrial(session) ? 'Start trial' : 'Subscribe') : 'Pay';
  return html`<form method="post">
    ${session.customer === null ? html`<label>E-mail <input name="email" type="email" autocomplete="email" required value="${email}" /></label>` : null}
    ${needsMethod && card ? cardFields(form.get('card') ?? '') : null}
    ${needsMethod && sepa ? html`<label>or IBAN (SEPA debit) <input name="iban" placeholder="AT61 1904 3002 3457 3201" value="${form.get('iban')}" /></label>` : null}
    <label>Name <input name="name" autocomplete="name" value="${form.get('name')}" /></label>
    <button type="submit">
      ${verb} ${session.amount_total > 0 ? formatMoney(session.amount_total, session.currency) : ''}
    </button>
  </form>`;
}

function show(session: CheckoutSession, form: URLSearchParams, message: string | null): Page {
  return pageOf(
    'Checkout',
    html`<h1>Checkout</h1>
      ${linesOf(session)} ${problem(message)} ${payForm(session, form)}
      ${session.cancel_url === null ? null : html`<p><a href="${session.cancel_url}">Cancel and go back</a></p>`}`,
    message === null ? 200 : 402,
  );
}

function askToAuthenticate(form: URLSearchParams): Page {
  const fields = [...form].map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`);
  return pageOf(
    'Authenticate',
    html`<h1>Your bank asks you to confirm</h1>
      <p>This card wants authentication (3D Secure). A real bank would ask for a code here.</p>
      <form method="post">
        ${fields}
        <button type="submit" name="authenticated" value="yes">Complete authentication</button>
        <button type="submit" name="authenticated" value="no" class="plain">Fail authentication</button>
      </form>`,
  );
}

function methodFrom(tx: Tx, form: URLSearchParams): PaymentMethod | null {
  const billing = { email: form.get('email'), name: form.get('name') };
  const iban = (form.get('iban') ?? '').trim();
  const card = (form.get('card') ?? '').trim();
  if (iban !== '') return accountFromEntry(tx, iban, billing);
  if (card === '') return null;
  return cardFromEntry(tx, { number: card, ...expiryOf(form.get('expiry') ?? '') }, billing);
}

type Paid = { readonly asks: true } | { readonly asks: false; readonly session: CheckoutSession };

function pay(tx: Tx, session: CheckoutSession, form: URLSearchParams): Paid {
  const method = methodFrom(tx, form);
  if (method !== null && asksAuthentication(method)) {
    if (form.get('authenticated') === null) return { asks: true };
    if (form.get('authenticated') !== 'yes') {
      throw new ApiError(402, {
        type: 'card_error',
        code: 'payment_intent_authentication_failure',
        message:
          'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
      });
    }
  }
  return {
    asks: false,
    session: completeSession(tx, session.id, method, { email: form.get('email'), name: form.get('name') || null }),
  };
}

/** The hosted checkout page. `settled` waits until the webhooks of the payment were answered, as Stripe does before it redirects. */
export async function checkoutPage(
  sandbox: Sandbox,
  id: string,
  method: string,
  form: URLSearchParams,
  settled: () => Promise<void>,
): Promise<Page> {
  const session = sandbox.world.tables['checkout.session'].get(id);
  if (session === undefined) return pageOf('Not found', html`<h1>There is no such checkout session</h1>`, 404);
  if (session.status === 'complete') {
    return pageOf(
      'Paid',
      html`<h1>This checkout is complete</h1>
        <p><a href="${successUrl(session)}">Go on</a></p>`,
    );
  }
  if (session.status === 'expired') return pageOf('Expired', html`<h1>This checkout has expired</h1>`, 410);
  if (method !== 'POST') return show(session, form, null);
  try {
    const paid = sandbox.step((tx) => pay(tx, session, form));
    if (paid.asks) return askToAuthenticate(form);
    await settled();
    return redirect(successUrl(paid.session));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return show(sandbox.world.tables['checkout.session'].get(id) ?? session, form, error.message);
  }
}
