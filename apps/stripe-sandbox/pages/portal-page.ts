import { invalid } from '../core/errors.js';
import type { PortalSession, Price, Subscription } from '../core/model.js';
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
import { aboveForm, cardFields, cardHelp, cardIn, refusalOf, type Refusal } from './card-form.js';
import type { Page, Tone } from './html.js';
import { Markup, badge, day, html, money, notice, pageOf, redirect, words } from './html.js';
import { invoiceBadge } from './invoice-page.js';
import { priceText } from './price-text.js';

/** What happened, said on the page that the browser comes back to. */
const done: Readonly<Record<string, string>> = {
  cancel: 'Your plan is cancelled.',
  resume: 'Your plan goes on.',
  change: 'Your plan is changed.',
  card: 'Your card is saved.',
};

const tones: Readonly<Partial<Record<Subscription['status'], Tone>>> = {
  active: 'good',
  trialing: 'good',
  past_due: 'bad',
  unpaid: 'bad',
};

const nameOf = (tx: Tx, price: Price): string => tx.get('product', price.product)?.name ?? price.product;

function button(action: string, subscription: string, label: string, look: 'plain' | 'danger' | ''): Markup {
  return html`<form method="post">
    <input type="hidden" name="subscription" value="${subscription}" />
    <button type="submit" name="action" value="${action}" class="${look}">${label}</button>
  </form>`;
}

function changeForm(tx: Tx, session: PortalSession, subscription: Subscription): Markup {
  const present = subscription.items.data[0]?.price.id;
  const options = portalPrices(tx, session)
    .filter((price) => price.id !== present && price.currency === subscription.currency)
    .map((price) => html`<option value="${price.id}">${nameOf(tx, price)}, ${priceText(price)}</option>`);
  if (options.length === 0) return html``;
  return html`<form method="post" class="row">
    <input type="hidden" name="subscription" value="${subscription.id}" />
    <label>
      Another plan
      <select name="price">
        ${options}
      </select>
    </label>
    <button type="submit" name="action" value="preview" class="plain">Change plan</button>
  </form>`;
}

/** When the subscription ends, if that is planned. */
function endOf(subscription: Subscription): number | null {
  if (subscription.cancel_at !== null) return subscription.cancel_at;
  return subscription.cancel_at_period_end ? periodOf(subscription).end : null;
}

function whatIsNext(subscription: Subscription, ends: number | null): string {
  if (ends !== null) return `Ends on ${day(ends)} and is not renewed.`;
  if (subscription.status === 'trialing') return `Free until ${day(subscription.trial_end ?? 0)}, then paid.`;
  if (subscription.status === 'past_due') return 'The last payment failed. Save another card, then pay the invoice.';
  return `Renews on ${day(periodOf(subscription).end)}.`;
}

function subscriptionPart(tx: Tx, session: PortalSession, subscription: Subscription): Markup {
  const { features } = configurationOf(tx, session);
  const item = subscription.items.data[0];
  const ends = endOf(subscription);
  const state = ends === null ? words(subscription.status) : 'Cancelled';
  const tone = ends === null ? (tones[subscription.status] ?? 'wait') : 'wait';
  return html`<section class="card" aria-label="Plan">
    <div class="between">
      <h2>${item === undefined ? subscription.id : nameOf(tx, item.price)}</h2>
      ${badge(state, tone)}
    </div>
    ${item === undefined ? null : html`<p>${priceText(item.price)}</p>`}
    <p class="soft">${whatIsNext(subscription, ends)}</p>
    ${features.subscription_update.enabled && ends === null ? changeForm(tx, session, subscription) : null}
    ${ends === null ? null : button('resume', subscription.id, "Don't cancel plan", '')}
    ${ends === null && features.subscription_cancel.enabled ? button('cancel', subscription.id, 'Cancel plan', 'danger') : null}
  </section>`;
}

function invoicesPart(tx: Tx, customer: string): Markup {
  const rows = [...tx.ownedBy('invoice', customer)]
    .reverse()
    .filter((invoice) => invoice.status !== 'draft')
    .slice(0, 24)
    .map(
      (invoice) =>
        html`<tr>
          <td class="nowrap">
            <a href="${invoice.hosted_invoice_url}">${invoice.number}</a>
            <div class="small soft">${day(invoice.created)}</div>
          </td>
          <td>${invoiceBadge(invoice)}</td>
          <td class="money">${money(invoice.total, invoice.currency)}</td>
        </tr>`,
    );
  const list = html`<div class="scroll">
    <table>
      <tr>
        <th>Number and date</th>
        <th>State</th>
        <th class="money">Amount</th>
      </tr>
      ${rows}
    </table>
  </div>`;
  return html`<section class="card" aria-label="Invoices">
    <h2>Invoices</h2>
    ${rows.length === 0 ? html`<p class="soft">There are no invoices yet.</p>` : list}
  </section>`;
}

function cardPart(tx: Tx, cardId: string | null, form: URLSearchParams, refusal: Refusal | null): Markup {
  const card = cardId === null ? null : (tx.get('payment_method', cardId)?.card ?? null);
  const expires =
    card === null ? '' : `expires ${String(card.exp_month).padStart(2, '0')} / ${String(card.exp_year).slice(-2)}`;
  const typed = form.get('action') === 'card';
  return html`<section class="card" aria-label="Payment method">
    <h2>Payment method</h2>
    ${
      card === null
        ? html`<p class="soft">No card is on file.</p>`
        : html`<p>${words(card.brand)} ending in ${card.last4} <span class="soft">${expires}</span></p>`
    }
    <details ${new Markup(typed && refusal !== null ? 'open' : '')}>
      <summary>${card === null ? 'Add a card' : 'Use another card'}</summary>
      <form method="post">
        ${cardFields(typed ? form : new URLSearchParams(), typed ? refusal : null)}
        <button type="submit" name="action" value="card" class="plain">Save card</button>
        ${cardHelp}
      </form>
    </details>
  </section>`;
}

function show(
  sandbox: Sandbox,
  session: PortalSession,
  given: { readonly form: URLSearchParams; readonly refusal: Refusal | null; readonly done: string | null },
): Page {
  const { form, refusal } = given;
  const tx = new Tx(sandbox.world);
  const customer = tx.need('customer', session.customer);
  const running = tx
    .ownedBy('subscription', customer.id)
    .filter((one) => !['canceled', 'incomplete_expired'].includes(one.status));
  const card = customer.invoice_settings.default_payment_method ?? running[0]?.default_payment_method ?? null;
  const { features } = configurationOf(tx, session);
  const told = given.done === null ? undefined : done[given.done];
  const none = html`<section class="card" aria-label="Plan">
    <h2>Plan</h2>
    <p class="soft">There is no running subscription.</p>
  </section>`;
  return pageOf(
    'Billing',
    html`${session.return_url === null ? null : html`<p><a href="${session.return_url}">← Return</a></p>`}
      <h1>Billing</h1>
      <p class="soft">${customer.name ?? customer.email ?? customer.id}</p>
      ${told === undefined ? null : html`<p class="message" role="status">${told}</p>`} ${aboveForm(refusal)}
      <div class="columns">
        <div>
          ${running.map((one) => subscriptionPart(tx, session, one))} ${running.length === 0 ? none : null}
          ${features.payment_method_update.enabled ? cardPart(tx, card, form, refusal) : null}
        </div>
        ${features.invoice_history.enabled ? invoicesPart(tx, customer.id) : null}
      </div>`,
    refusal === null ? 200 : 402,
    'wide',
  );
}

/** What a change of plan would cost, asked before it is made. */
function preview(sandbox: Sandbox, session: PortalSession, form: URLSearchParams): Page {
  const tx = new Tx(sandbox.world); // dropped: only to see what would be
  const [id, priceId] = [form.get('subscription') ?? '', form.get('price') ?? ''];
  const before = tx.need('subscription', id).latest_invoice;
  const { latest_invoice: after } = portalChange(tx, session, id, priceId);
  const invoice = after === null || after === before ? null : tx.get('invoice', after);
  const price = tx.need('price', priceId);
  return pageOf(
    'Change plan',
    html`<div class="card">
      <h1>Change to ${nameOf(tx, price)}?</h1>
      <p class="total">
        ${invoice === null ? priceText(price) : `${money(Math.max(0, invoice.total), invoice.currency)} today`}
      </p>
      <p>Then ${priceText(price)}. What is left of the present plan is taken into account.</p>
      ${
        invoice !== null && invoice.total < 0
          ? html`<p>${money(-invoice.total, invoice.currency)} are credited and pay later invoices.</p>`
          : null
      }
      <form method="post">
        <input type="hidden" name="subscription" value="${id}" />
        <input type="hidden" name="price" value="${priceId}" />
        <button type="submit" name="action" value="change">Change plan</button>
      </form>
      <p><a href="${session.url}">Keep the present plan</a></p>
    </div>`,
  );
}

function act(tx: Tx, session: PortalSession, form: URLSearchParams): void {
  const subscription = form.get('subscription') ?? '';
  const { features } = configurationOf(tx, session);
  const off: Readonly<Record<string, boolean>> = {
    cancel: !features.subscription_cancel.enabled,
    change: !features.subscription_update.enabled,
    card: !features.payment_method_update.enabled,
  };
  if (off[form.get('action') ?? ''] === true) throw invalid('This cannot be done here.');
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
      portalCard(tx, session, cardIn(form));
      return;
    default:
      throw invalid('Nothing was chosen.');
  }
}

/** The billing portal: cancel, take back, change plan, another card, invoices. */
export function portalPage(
  sandbox: Sandbox,
  id: string,
  method: string,
  form: URLSearchParams,
  query: URLSearchParams,
): Page {
  const session = sandbox.world.tables['billing_portal.session'].get(id);
  if (session === undefined) return notice('There is no such portal session', 'Check the address.', 404);
  if (method !== 'POST') return show(sandbox, session, { form, refusal: null, done: query.get('done') });
  try {
    if (form.get('action') === 'preview') return preview(sandbox, session, form);
    sandbox.step((tx) => {
      act(tx, session, form);
    }, sandbox.requestOfPage());
    return redirect(`${session.url}?done=${form.get('action') ?? ''}`);
  } catch (error) {
    return show(sandbox, session, { form, refusal: refusalOf(error), done: null });
  }
}
