import { invalid } from '../core/api/errors.js';
import type { PortalSession, Subscription } from '../core/model.js';
import type { Sandbox } from '../core/sandbox.js';
import { Tx } from '../core/tx.js';
import { subscriptionOf } from '../resources/invoices/payment.js';
import { portalCancel, portalCard, portalChange, portalResume } from '../resources/portal/portal.js';
import { configurationOf } from '../resources/portal/sessions.js';
import { periodOf } from '../resources/subscriptions/items.js';
import { aboveForm, cardFields, cardHelp, cardIn, refusalOf, type Refusal } from './card-form.js';
import { Markup, badge, day, html, money, notice, pageOf, redirect, words, type Page, type Tone } from './html.js';
import { invoiceBadge } from './invoice-page.js';
import {
  afterwards,
  confirmPage,
  confirmation,
  done,
  flowOf,
  flowPage,
  nameOf,
  type PortalFlow,
} from './portal-flows.js';
import { priceText } from './price-text.js';

const tones: Readonly<Partial<Record<Subscription['status'], Tone>>> = {
  active: 'good',
  trialing: 'good',
  past_due: 'bad',
  unpaid: 'bad',
};

function button(action: string, subscription: string, label: string): Markup {
  return html`<form method="post">
    <input type="hidden" name="subscription" value="${subscription}" />
    <button type="submit" name="action" value="${action}">${label}</button>
  </form>`;
}

/** A link to the page that asks before it does something. */
function flowLink(
  session: PortalSession,
  type: PortalFlow['type'],
  subscription: Subscription,
  of: { readonly label: string; readonly name: string; readonly look: 'plain' | 'danger' },
): Markup {
  const address = `${session.url}?flow=${type}&subscription=${subscription.id}`;
  return html`<a class="button ${of.look}" href="${address}" aria-label="${of.label}: ${of.name}">${of.label}</a>`;
}

/** The oldest invoice that waits to be paid. */
function owed(tx: Tx, subscription: Subscription): Markup | null {
  const open = tx
    .ownedBy('invoice', subscription.customer)
    .find((invoice) => invoice.status === 'open' && subscriptionOf(invoice) === subscription.id);
  if (open?.hosted_invoice_url == null) return null;
  return html`<a class="button" href="${open.hosted_invoice_url}">
    Pay ${money(open.amount_remaining, open.currency)} for invoice ${open.number}
  </a>`;
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
  const name = item === undefined ? subscription.id : nameOf(tx, item.price);
  const ends = endOf(subscription);
  const state = ends === null ? words(subscription.status) : 'Cancelled';
  const tone = ends === null ? (tones[subscription.status] ?? 'wait') : 'wait';
  const seats = item?.quantity ?? 1;
  const update = { label: 'Update plan', name, look: 'plain' } as const;
  const cancel = { label: 'Cancel plan', name, look: 'danger' } as const;
  return html`<section class="card" aria-label="Plan: ${name}">
    <div class="between">
      <h2>${name}</h2>
      ${badge(state, tone)}
    </div>
    ${item === undefined ? null : html`<p>${seats === 1 ? '' : `${seats} × `}${priceText(item.price)}</p>`}
    <p class="soft">${whatIsNext(subscription, ends)}</p>
    ${owed(tx, subscription)}
    ${features.subscription_update.enabled && ends === null ? flowLink(session, 'subscription_update', subscription, update) : null}
    ${ends === null ? null : button('resume', subscription.id, "Don't cancel plan")}
    ${ends === null && features.subscription_cancel.enabled ? flowLink(session, 'subscription_cancel', subscription, cancel) : null}
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
  const message = given.done === null ? undefined : done[given.done];
  const none = html`<section class="card" aria-label="Plan">
    <h2>Plan</h2>
    <p class="soft">There is no running subscription.</p>
  </section>`;
  return pageOf(
    'Billing',
    html`${session.return_url === null ? null : html`<p><a href="${session.return_url}">← Return</a></p>`}
      <h1>Billing</h1>
      <p class="soft">${customer.name ?? customer.email ?? customer.id}</p>
      ${message === undefined ? null : html`<p class="message" role="status">${message}</p>`} ${aboveForm(refusal)}
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
      portalChange(tx, session, subscription, form.get('price') ?? '', {
        item: form.get('item'),
        confirms: form.has('item'),
        quantity: form.has('quantity') ? Number(form.get('quantity')) : null,
      });
      return;
    case 'card':
      portalCard(tx, session, cardIn(form));
      return;
    default:
      throw invalid('Nothing was chosen.');
  }
}

/** What was wrong with what was sent, on the page that it was sent from. */
function refused(
  sandbox: Sandbox,
  session: PortalSession,
  asked: PortalFlow | null,
  form: URLSearchParams,
  error: unknown,
): Page {
  const refusal = refusalOf(error);
  const isConfirming = asked?.type === 'subscription_update_confirm';
  return asked === null || isConfirming
    ? show(sandbox, session, { form, refusal, done: null })
    : flowPage(sandbox, session, asked, form, refusal);
}

/** The billing portal: cancel, take back, change plan, another card, invoices. What costs or ends something asks first. */
export function portalPage(
  sandbox: Sandbox,
  id: string,
  method: string,
  form: URLSearchParams,
  query: URLSearchParams,
): Page {
  const session = sandbox.world.tables['billing_portal.session'].get(id);
  if (session === undefined) return notice('There is no such portal session', 'Check the address.', 404);
  const confirmed = query.get('confirmed');
  if (confirmed !== null && method !== 'POST') return confirmation(session, confirmed);
  const asked = flowOf(session, query);
  try {
    if (method !== 'POST') {
      if (asked !== null) return flowPage(sandbox, session, asked, form, null);
      return show(sandbox, session, { form, refusal: null, done: query.get('done') });
    }
    const action = form.get('action') ?? '';
    if (action === 'preview') {
      const chosen = { subscription: form.get('subscription') ?? '', price: form.get('price') };
      return confirmPage(sandbox, session, { type: 'subscription_update', ...chosen, item: null, quantity: null });
    }
    sandbox.step((tx) => {
      act(tx, session, form);
    }, sandbox.requestOfPage());
    return redirect(afterwards(session, action));
  } catch (error) {
    return refused(sandbox, session, asked, form, error);
  }
}
