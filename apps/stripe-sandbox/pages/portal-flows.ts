import type { PortalSession, Price, Subscription } from '../core/model.js';
import type { Sandbox } from '../core/sandbox.js';
import { Tx } from '../core/tx.js';
import { portalChange } from '../resources/portal/portal.js';
import { configurationOf, portalPrices } from '../resources/portal/sessions.js';
import { periodOf } from '../resources/subscriptions/items.js';
import { aboveForm, cardFields, cardHelp, type Refusal } from './card-form.js';
import { Markup, day, html, money, notice, pageOf, type Page } from './html.js';
import { priceText } from './price-text.js';

const types = [
  'payment_method_update',
  'subscription_cancel',
  'subscription_update',
  'subscription_update_confirm',
] as const;

/** One thing to do in the portal: by a deep link (`flow_data`), or by a link of its first page. */
export type PortalFlow = {
  readonly type: (typeof types)[number];
  readonly subscription: string;
  /** What is changed to, where that is chosen already. */
  readonly price: string | null;
  readonly item: string | null;
  readonly quantity: number | null;
};

const actionOf: Readonly<Record<PortalFlow['type'], string>> = {
  payment_method_update: 'card',
  subscription_cancel: 'cancel',
  subscription_update: 'change',
  subscription_update_confirm: 'change',
};

/** What was done, as it is said afterwards. */
export const done: Readonly<Record<string, string>> = {
  cancel: 'Your plan is cancelled.',
  resume: 'Your plan goes on.',
  change: 'Your plan is changed.',
  card: 'Your card is saved.',
};

const typeIn = (text: string | undefined | null): PortalFlow['type'] | null =>
  types.find((one) => one === text) ?? null;

function deepLinkOf({ flow }: PortalSession): PortalFlow | null {
  const type = typeIn(flow?.type);
  if (flow === null || type === null) return null;
  const about = flow.subscription_cancel ?? flow.subscription_update ?? flow.subscription_update_confirm;
  const item = flow.subscription_update_confirm?.items[0];
  return {
    type,
    subscription: about?.subscription ?? '',
    price: item?.price ?? null,
    item: item?.id ?? null,
    quantity: item?.quantity ?? null,
  };
}

/** What the address asks for; a session with a deep link asks for that until it is done. Null: the portal's first page. */
export function flowOf(session: PortalSession, query: URLSearchParams): PortalFlow | null {
  const type = typeIn(query.get('flow'));
  const subscription = query.get('subscription') ?? '';
  if (type !== null) return { type, subscription, price: null, item: null, quantity: null };
  return query.has('done') ? null : deepLinkOf(session);
}

/** Where the browser goes when something was done: what came by a deep link ends as `after_completion` says. */
export function afterwards(session: PortalSession, action: string): string {
  const flow = deepLinkOf(session);
  const completion = session.flow?.after_completion;
  if (flow === null || actionOf[flow.type] !== action) return `${session.url}?done=${action}`;
  if (completion?.type === 'redirect' && completion.redirect !== null) return completion.redirect.return_url;
  return `${session.url}?${completion?.type === 'hosted_confirmation' ? 'confirmed' : 'done'}=${action}`;
}

/** Says that a deep link's flow is completed. */
export function confirmation(session: PortalSession, action: string): Page {
  const message = session.flow?.after_completion.hosted_confirmation?.custom_message ?? null;
  const back = session.return_url;
  return notice(
    done[action] ?? 'Done.',
    message ?? 'You may close this page.',
    200,
    back === null ? null : html`<p><a href="${back}">← Return</a></p>`,
  );
}

/** What a product's price is called. */
export const nameOf = (tx: Tx, price: Price): string => tx.get('product', price.product)?.name ?? price.product;

/** The way out without doing anything. */
function wayOut(session: PortalSession, text: string): Markup | null {
  const out = deepLinkOf(session) === null ? session.url : session.return_url;
  return out === null ? null : html`<p><a href="${out}">${text}</a></p>`;
}

function cancelPage(tx: Tx, session: PortalSession, subscription: Subscription, refusal: Refusal | null): Page {
  const item = subscription.items.data[0];
  const atOnce = configurationOf(tx, session).features.subscription_cancel.mode === 'immediately';
  const name = item === undefined ? subscription.id : nameOf(tx, item.price);
  const when = atOnce
    ? 'It ends at once.'
    : `It stays until ${day(periodOf(subscription).end)}, and is not renewed. Until then you can take this back.`;
  return pageOf(
    'Cancel plan',
    html`<div class="card">
      ${aboveForm(refusal)}
      <h1>Cancel ${name}?</h1>
      <p>${when}</p>
      <form method="post">
        <input type="hidden" name="subscription" value="${subscription.id}" />
        <button type="submit" name="action" value="cancel" class="danger">Cancel plan</button>
      </form>
      ${wayOut(session, 'Keep the plan')}
    </div>`,
    refusal === null ? 200 : 402,
  );
}

function updatePage(
  tx: Tx,
  session: PortalSession,
  subscription: Subscription,
  form: URLSearchParams,
  refusal: Refusal | null,
): Page {
  const present = subscription.items.data[0]?.price.id;
  const offered = portalPrices(tx, session).filter((price) => price.currency === subscription.currency);
  const others = offered.filter((price) => price.id !== present);
  const chosen = form.get('price') ?? others[0]?.id;
  const options = offered.map(
    (price) =>
      html`<label class="choice">
        <input
          type="radio"
          name="price"
          value="${price.id}"
          ${new Markup(price.id === present ? 'disabled' : price.id === chosen ? 'required checked' : 'required')}
        />
        <span
          >${nameOf(tx, price)}
          <span class="small soft">${priceText(price)}${price.id === present ? ', your present plan' : ''}</span></span
        >
      </label>`,
  );
  return pageOf(
    'Update plan',
    html`<div class="card">
      ${aboveForm(refusal)}
      <h1>Update your plan</h1>
      ${
        others.length === 0
          ? html`<p class="soft">There is no other plan to change to.</p>`
          : html`<form method="post">
              <input type="hidden" name="subscription" value="${subscription.id}" />
              <fieldset>
                <legend>Choose a plan</legend>
                ${options}
              </fieldset>
              <button type="submit" name="action" value="preview">Continue</button>
            </form>`
      }
      ${wayOut(session, 'Keep the present plan')}
    </div>`,
    refusal === null ? 200 : 402,
  );
}

function cardPage(session: PortalSession, form: URLSearchParams, refusal: Refusal | null): Page {
  return pageOf(
    'Payment method',
    html`<div class="card">
      ${aboveForm(refusal)}
      <h1>Your payment method</h1>
      <p class="soft">It pays your plans from now on.</p>
      <form method="post">
        ${cardFields(form, refusal)}
        <button type="submit" name="action" value="card">Save card</button>
        ${cardHelp}
      </form>
      ${wayOut(session, 'Keep the present one')}
    </div>`,
    refusal === null ? 200 : 402,
  );
}

/** What a change of plan would cost, asked before it is made. Throws ApiError when it cannot be made. */
export function confirmPage(sandbox: Sandbox, session: PortalSession, flow: PortalFlow): Page {
  const tx = new Tx(sandbox.world); // dropped: only to see what would be
  const { subscription: id, item, quantity } = flow;
  const found = tx.need('subscription', id);
  const kept = found.items.data.find((one) => one.id === item) ?? found.items.data[0];
  const priceId = flow.price ?? kept?.price.id ?? '';
  const { latest_invoice: after } = portalChange(tx, session, id, priceId, {
    item,
    quantity,
    confirms: item !== null,
  });
  const invoice = after === null || after === found.latest_invoice ? null : tx.get('invoice', after);
  const price = tx.need('price', priceId);
  const seats = quantity ?? kept?.quantity ?? 1;
  const then = `${seats === 1 ? '' : `${seats} × `}${priceText(price)}`;
  const off = item === null ? null : session.flow?.subscription_update_confirm?.discounts;
  const less = off == null ? '' : ', less your discount';
  return pageOf(
    'Change plan',
    html`<div class="card">
      <h1>Change to ${nameOf(tx, price)}?</h1>
      <p class="total">${invoice === null ? then : `${money(Math.max(0, invoice.total), invoice.currency)} today`}</p>
      <p>Then ${then}${less}. What is left of the present plan is taken into account.</p>
      ${
        invoice !== null && invoice.total < 0
          ? html`<p>${money(-invoice.total, invoice.currency)} are credited and pay later invoices.</p>`
          : null
      }
      <form method="post">
        <input type="hidden" name="subscription" value="${id}" />
        <input type="hidden" name="price" value="${priceId}" />
        ${item === null ? null : html`<input type="hidden" name="item" value="${item}" />`}
        ${quantity === null ? null : html`<input type="hidden" name="quantity" value="${quantity}" />`}
        <button type="submit" name="action" value="change">Change plan</button>
      </form>
      ${wayOut(session, 'Keep the present plan')}
    </div>`,
  );
}

/** The page of a flow, with what was typed and why it was refused. Throws ApiError when what it asks to confirm cannot be done. */
export function flowPage(
  sandbox: Sandbox,
  session: PortalSession,
  flow: PortalFlow,
  form: URLSearchParams,
  refusal: Refusal | null,
): Page {
  if (flow.type === 'payment_method_update') return cardPage(session, form, refusal);
  const tx = new Tx(sandbox.world);
  const subscription = tx.get('subscription', flow.subscription);
  if (subscription?.customer !== session.customer || ['canceled', 'incomplete_expired'].includes(subscription.status))
    return notice('This plan has ended', 'There is nothing to change.', 404, wayOut(session, '← Return'));
  if (flow.type === 'subscription_cancel') return cancelPage(tx, session, subscription, refusal);
  if (flow.type === 'subscription_update') return updatePage(tx, session, subscription, form, refusal);
  return confirmPage(sandbox, session, flow);
}
