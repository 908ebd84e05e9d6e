import { ApiError } from '../core/api/errors.js';
import type { CheckoutSession, PaymentMethod, SellingSession, SessionLine } from '../core/model.js';
import type { Sandbox } from '../core/sandbox.js';
import type { Tx } from '../core/tx.js';
import { asksAuthentication, completeSession } from '../resources/checkout/completion.js';
import { enterCode, sells, startsTrial } from '../resources/checkout/content.js';
import { accountFromEntry, cardFromEntry } from '../resources/payments/methods.js';
import { challenge } from './challenge.js';
import { aboveForm, cardFields, cardHelp, cardIn, ibanField, refusalOf, type Refusal } from './card-form.js';
import { Markup, day, html, money, notice, pageOf, redirect, type Page } from './html.js';
import { everyText } from './price-text.js';

const successUrl = (session: CheckoutSession): string =>
  (session.success_url ?? '/').replaceAll('{CHECKOUT_SESSION_ID}', encodeURIComponent(session.id));

const sum = (label: string, amount: string, strong = false): Markup =>
  html`<tr class="${strong ? 'sum' : ''}">
    <td>${label}</td>
    <td class="money">${amount}</td>
  </tr>`;

/** ` (25% off)`, where one percentage says it. */
function offText({ sandbox, total_details: details }: SellingSession): string {
  const subtotal = sandbox.lines.reduce((total, line) => total + line.amount_subtotal, 0);
  const percent = (100 * (details?.amount_discount ?? 0)) / subtotal;
  return Number.isInteger(percent) ? ` (${percent}% off)` : '';
}

function trialText(session: SellingSession): string | null {
  if (!startsTrial(session)) return null;
  const { trialDays, trialEnd } = session.sandbox.subscriptionData;
  const length = trialDays === null ? `until ${day(trialEnd ?? 0)}` : `for ${trialDays} days`;
  const after = session.sandbox.lines
    .filter(({ price }) => price.recurring !== null)
    .reduce((total, line) => total + line.amount_subtotal, 0);
  const every = session.sandbox.lines.find(({ price }) => price.recurring !== null);
  const less = (session.discounts ?? []).length === 0 ? '' : ', less your discount';
  return `Free ${length}, then ${money(after, session.currency)}${every === undefined ? '' : everyText(every.price)}${less}.`;
}

const backLink = ({ cancel_url: url }: CheckoutSession, text: string): Markup | null =>
  url === null ? null : html`<p><a href="${url}">${text}</a></p>`;

const setupSummary = (session: CheckoutSession): Markup =>
  html`<section aria-label="Order">
    <h1>Save a payment method</h1>
    <p>Nothing is paid now. What you save here may be charged later, as you have agreed with the shop.</p>
    ${backLink(session, '← Back without saving')}
  </section>`;

const isOfCode = (form: URLSearchParams): boolean => form.get('action') === 'code';

/** Whether the order's discount came by a code that its buyer typed. */
const hasCode = (session: SellingSession): boolean =>
  session.allow_promotion_codes === true && (session.discounts ?? []).length > 0;

/** A form of its own for a promotion code, where the shop takes some. */
function codePart(session: SellingSession, form: URLSearchParams, refusal: Refusal | null): Markup | null {
  if (session.allow_promotion_codes !== true) return null;
  const wrong = isOfCode(form) ? refusal : null;
  if (hasCode(session)) {
    return html`<form method="post" class="row" aria-label="Promotion code">
      <p>The promotion code is applied.</p>
      <input type="hidden" name="code" value="" />
      <button type="submit" name="action" value="code" class="plain">Remove the code</button>
    </form>`;
  }
  return html`<details ${new Markup(wrong === null ? '' : 'open')}>
    <summary>Add promotion code</summary>
    <form method="post" aria-label="Promotion code">
      <label for="code">Promotion code</label>
      <input
        id="code"
        name="code"
        autocomplete="off"
        maxlength="500"
        required
        value="${isOfCode(form) ? form.get('code') : ''}"
        ${new Markup(wrong === null ? '' : 'aria-invalid="true" aria-describedby="code-wrong" autofocus')}
      />
      ${wrong === null ? null : html`<p class="wrong" id="code-wrong" role="alert">${wrong.message}</p>`}
      <button type="submit" name="action" value="code" class="plain">Apply</button>
    </form>
  </details>`;
}

/** What one of several costs. */
const eachText = ({ price, quantity, currency }: SessionLine): Markup | null =>
  quantity === null || quantity === 1 || price.unit_amount === null
    ? null
    : html`<div class="small soft">${money(price.unit_amount, currency)} each</div>`;

/** What is bought and what it costs. */
function summary(session: CheckoutSession, form: URLSearchParams, refusal: Refusal | null): Markup {
  if (!sells(session)) return setupSummary(session);
  const lines = session.sandbox.lines.map(
    (line) =>
      html`<tr>
        <td>
          ${line.description ?? 'One item'}
          ${line.quantity === null || line.quantity === 1 ? null : html`<span class="soft nowrap">× ${line.quantity}</span>`}
          ${eachText(line)}
        </td>
        <td class="money">${money(line.amount_subtotal, line.currency)}${everyText(line.price)}</td>
      </tr>`,
  );
  const tax = session.total_details?.amount_tax ?? 0;
  const off = session.total_details?.amount_discount ?? 0;
  const trial = trialText(session);
  const title =
    session.sandbox.lines.length === 1 ? (session.sandbox.lines[0]?.description ?? 'Your order') : 'Your order';
  return html`<section aria-label="Order">
    <h1>${session.mode === 'subscription' ? `Subscribe to ${title}` : title}</h1>
    <p class="total">${money(session.amount_total, session.currency)}</p>
    ${trial === null ? null : html`<p>${trial}</p>`}
    <table>
      ${lines} ${off > 0 ? sum(`Discount${offText(session)}`, `−${money(off, session.currency)}`) : null}
      ${tax > 0 ? sum('Tax', money(tax, session.currency)) : null}
      ${sum('Due today', money(session.amount_total, session.currency), true)}
    </table>
    ${codePart(session, form, refusal)} ${backLink(session, '← Back without paying')}
  </section>`;
}

function methodFields(session: CheckoutSession, form: URLSearchParams, refusal: Refusal | null): Markup {
  const sepa = session.payment_method_types.includes('sepa_debit') && session.currency === 'eur';
  const card = session.payment_method_types.includes('card');
  if (!sepa) return cardFields(form, refusal);
  if (!card) return ibanField(form, refusal);
  const choice = (value: string, label: string): Markup =>
    html`<label class="choice">
      ${
        (form.get('method') ?? 'card') === value
          ? html`<input type="radio" name="method" value="${value}" checked />`
          : html`<input type="radio" name="method" value="${value}" />`
      }
      ${label}
    </label>`;
  return html`<fieldset>
      <legend>Pay by</legend>
      ${choice('card', 'Card')} ${choice('sepa', 'SEPA direct debit')}
    </fieldset>
    ${cardFields(form, refusal, false)} ${ibanField(form, refusal)}`;
}

/** What the button at the end says that it does. */
function deedOf(session: CheckoutSession): string {
  if (!sells(session)) return 'Save';
  if (session.mode === 'subscription') return startsTrial(session) ? 'Start trial' : 'Subscribe';
  return session.amount_total > 0 ? `Pay ${money(session.amount_total, session.currency)}` : 'Complete the order';
}

function payForm(session: CheckoutSession, form: URLSearchParams, refusal: Refusal | null): Markup {
  const isFree = sells(session) && session.amount_total === 0;
  const needsMethod = !isFree || session.payment_method_collection === 'always';
  const email = session.customer_email ?? form.get('email') ?? '';
  return html`<form method="post" class="card" aria-label="Payment">
    ${aboveForm(refusal)}
    <h2>${needsMethod ? 'Payment details' : 'Your details'}</h2>
    ${
      session.customer === null
        ? html`<label
            >E-mail <input name="email" type="email" autocomplete="email" maxlength="254" required value="${email}"
          /></label>`
        : null
    }
    ${needsMethod ? methodFields(session, form, refusal) : null}
    <label>
      Name <span class="soft">(optional)</span>
      <input name="name" autocomplete="name" maxlength="200" value="${form.get('name')}" />
    </label>
    <button type="submit">${deedOf(session)}</button>
    ${needsMethod ? cardHelp : null}
  </form>`;
}

function show(session: CheckoutSession, form: URLSearchParams, refusal: Refusal | null): Page {
  const content = html`<div class="columns">
    ${summary(session, form, refusal)} ${payForm(session, form, isOfCode(form) ? null : refusal)}
  </div>`;
  return pageOf('Checkout', content, refusal === null ? 200 : 402, 'wide');
}

/** What was chosen on the page; a field that is hidden by the choice does not count. */
function methodFrom(tx: Tx, form: URLSearchParams): PaymentMethod | null {
  const billing = { email: form.get('email'), name: form.get('name') };
  const chosen = form.get('method');
  const iban = chosen === 'card' ? '' : (form.get('iban') ?? '').trim();
  const card = chosen === 'sepa' ? '' : (form.get('card') ?? '').trim();
  if (iban !== '') return accountFromEntry(tx, iban, billing);
  return card === '' ? null : cardFromEntry(tx, cardIn(form), billing);
}

type Paid = { readonly asks: PaymentMethod } | { readonly asks: null; readonly session: CheckoutSession };

function pay(tx: Tx, session: CheckoutSession, form: URLSearchParams): Paid {
  const method = methodFrom(tx, form);
  if (method !== null && asksAuthentication(method)) {
    if (form.get('authenticated') === null) return { asks: method };
    if (form.get('authenticated') !== 'yes') {
      throw new ApiError(402, {
        type: 'card_error',
        code: 'payment_intent_authentication_failure',
        message:
          'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
      });
    }
  }
  const buyer = { email: form.get('email'), name: form.get('name') || null };
  return { asks: null, session: completeSession(tx, session.id, method, buyer) };
}

function askToAuthenticate(session: CheckoutSession, method: PaymentMethod, form: URLSearchParams): Page {
  const fields = [...form].map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`);
  return challenge(session.amount_total ?? 0, session.currency ?? '', method.card?.last4 ?? null, fields);
}

const closed = {
  complete: ['This checkout is complete', 'There is nothing left to pay here.', 200],
  expired: ['This checkout has expired', 'Nothing was paid. Go back to the shop and start again.', 410],
} as const;

/** The hosted checkout page. `settled` waits until the webhooks of the payment were answered, as Stripe does before it redirects. */
export async function checkoutPage(
  sandbox: Sandbox,
  id: string,
  method: string,
  form: URLSearchParams,
  settled: () => Promise<void>,
): Promise<Page> {
  const session = sandbox.world.tables['checkout.session'].get(id);
  if (session === undefined) {
    return notice('There is no such checkout session', 'Check the address, or start again from the shop.', 404);
  }
  if (session.status === 'complete' || session.status === 'expired') {
    const [title, text, status] = session.status === 'complete' ? closed.complete : closed.expired;
    const url = session.status === 'complete' ? successUrl(session) : session.cancel_url;
    return notice(title, text, status, url === null ? null : html`<p><a href="${url}">Go back to the shop</a></p>`);
  }
  if (method !== 'POST') return show(session, form, null);
  try {
    if (isOfCode(form)) {
      sandbox.step((tx) => {
        if (sells(session)) enterCode(tx, session, form.get('code') ?? '');
      });
      return redirect(`/c/pay/${id}`);
    }
    const paid = sandbox.step((tx) => pay(tx, session, form));
    if (paid.asks !== null) return askToAuthenticate(session, paid.asks, form);
    await settled();
    return redirect(successUrl(paid.session));
  } catch (error) {
    return show(sandbox.world.tables['checkout.session'].get(id) ?? session, form, refusalOf(error));
  }
}
