import { ApiError } from '../core/errors.js';
import type { PortalSession, Price, Subscription } from '../core/model.js';
import { formatMoney } from '../core/money.js';
import type { Sandbox } from '../core/sandbox.js';
import { Tx } from '../core/tx.js';
import {
  configurationOf,
  portalCancel,
  portalCard,
  portalChange,
  portalPrices,
  portalResume,
} from '../resources/portal.js';
import { periodOf } from '../resources/subscription-items.js';
import type { Markup, Page } from './html.js';
import { cardFields, day, expiryOf, html, pageOf, problem, redirect } from './html.js';

const priceText = (tx: Tx, price: Price): string =>
  `${tx.get('product', price.product)?.name ?? price.product}: ${formatMoney(price.unit_amount ?? 0, price.currency)} / ${price.recurring?.interval ?? 'once'}`;

function button(action: string, subscription: string, label: string, plain = false): Markup {
  return html`<form method="post">
    <input type="hidden" name="subscription" value="${subscription}" />
    <button type="submit" name="action" value="${action}" class="${plain ? 'plain' : ''}">${label}</button>
  </form>`;
}

function changeForm(tx: Tx, session: PortalSession, subscription: Subscription): Markup {
  const present = subscription.items.data[0]?.price.id;
  const options = portalPrices(tx, session)
    .filter((price) => price.id !== present && price.currency === subscription.currency)
    .map((price) => html`<option value="${price.id}">${priceText(tx, price)}</option>`);
  if (options.length === 0) return html``;
  return html`<form method="post">
    <input type="hidden" name="subscription" value="${subscription.id}" />
    <label
      >Change plan
      <select name="price">
        ${options}
      </select></label
    >
    <button type="submit" name="action" value="change">Change plan</button>
  </form>`;
}

function subscriptionPart(tx: Tx, session: PortalSession, subscription: Subscription): Markup {
  const { features } = configurationOf(tx, session);
  const item = subscription.items.data[0];
  const ends = subscription.cancel_at ?? (subscription.cancel_at_period_end ? periodOf(subscription).end : null);
  const canceling = ends !== null;
  return html`<section>
    <h2>${item === undefined ? subscription.id : priceText(tx, item.price)}</h2>
    <p>
      Status: ${subscription.status}.
      ${canceling ? `Cancels on ${day(ends)}.` : `Renews on ${day(periodOf(subscription).end)}.`}
    </p>
    ${features.subscription_update.enabled && !canceling ? changeForm(tx, session, subscription) : null}
    ${canceling ? button('resume', subscription.id, "Don't cancel plan") : null}
    ${!canceling && features.subscription_cancel.enabled ? button('cancel', subscription.id, 'Cancel plan', true) : null}
  </section>`;
}

function invoices(tx: Tx, customer: string): Markup {
  const rows = [...tx.ownedBy('invoice', customer)]
    .reverse()
    .slice(0, 24)
    .filter((invoice) => invoice.status !== 'draft')
    .map(
      (invoice) =>
        html`<tr>
          <td>${day(invoice.created)}</td>
          <td><a href="${invoice.hosted_invoice_url}">${invoice.number}</a></td>
          <td>${invoice.status}</td>
          <td class="money">${formatMoney(invoice.total, invoice.currency)}</td>
        </tr>`,
    );
  return html`<h2>Invoices</h2>
    ${
      rows.length === 0
        ? html`<p>There are no invoices yet.</p>`
        : html`<div class="scroll">
            <table>
              ${rows}
            </table>
          </div>`
    }`;
}

function show(sandbox: Sandbox, session: PortalSession, message: string | null): Page {
  const tx = new Tx(sandbox.world);
  const customer = tx.need('customer', session.customer);
  const running = tx
    .ownedBy('subscription', customer.id)
    .filter((one) => !['canceled', 'incomplete_expired'].includes(one.status));
  const card = customer.invoice_settings.default_payment_method ?? running[0]?.default_payment_method ?? null;
  const last4 = card === null ? null : (tx.get('payment_method', card)?.card?.last4 ?? null);
  return pageOf(
    'Billing',
    html`<h1>Billing of ${customer.name ?? customer.email ?? customer.id}</h1>
      ${problem(message)} ${running.map((one) => subscriptionPart(tx, session, one))}
      ${running.length === 0 ? html`<p>There is no running subscription.</p>` : null}
      <h2>Payment method</h2>
      <p>${last4 === null ? 'No card is on file.' : `Card ending in ${last4}.`}</p>
      <form method="post">
        ${cardFields()}
        <button type="submit" name="action" value="card" class="plain">Save card</button>
      </form>
      ${invoices(tx, customer.id)}
      ${session.return_url === null ? null : html`<p><a href="${session.return_url}">Return</a></p>`}`,
    message === null ? 200 : 402,
  );
}

function act(tx: Tx, session: PortalSession, form: URLSearchParams): void {
  const subscription = form.get('subscription') ?? '';
  switch (form.get('action')) {
    case 'cancel':
      portalCancel(tx, session, subscription);
      return;
    case 'resume':
      portalResume(tx, session, subscription);
      return;
    case 'change':
      portalChange(tx, session, subscription, form.get('price') ?? '');
      return;
    case 'card':
      portalCard(tx, session, { number: form.get('card') ?? '', ...expiryOf(form.get('expiry') ?? '') });
      return;
    default:
      throw new ApiError(400, { type: 'invalid_request_error', message: 'Nothing was chosen.' });
  }
}

/** The billing portal: cancel, take back, change plan, another card, invoices. */
export function portalPage(sandbox: Sandbox, id: string, method: string, form: URLSearchParams): Page {
  const session = sandbox.world.tables['billing_portal.session'].get(id);
  if (session === undefined) return pageOf('Not found', html`<h1>There is no such portal session</h1>`, 404);
  if (method !== 'POST') return show(sandbox, session, null);
  try {
    sandbox.step((tx) => {
      act(tx, session, form);
    });
    return redirect(session.url);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return show(sandbox, session, error.message);
  }
}
