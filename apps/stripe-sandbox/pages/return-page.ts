import type { World } from '../core/world.js';
import { sells } from '../resources/checkout/content.js';
import { badge, html, money, notice, pageOf, words, type Markup, type Page } from './html.js';

const shop =
  'In your own setup, this is a page of your shop: set STRIPE_RETURN_URL, or send successUrl and cancelUrl with the request.';

/** How the webhooks of these events were taken. */
function deliveries(world: World, objects: ReadonlySet<string>): Markup {
  const rows = [...world.deliveries.values()]
    .filter(({ event }) => {
      const object = world.events.get(event)?.object;
      return object !== undefined && 'id' in object && objects.has(String(object.id));
    })
    .map(
      ({ event, status }) =>
        html`<tr>
          <td>${world.events.get(event)?.type}</td>
          <td>${badge(words(status), status === 'delivered' ? 'good' : status === 'failed' ? 'bad' : 'wait')}</td>
        </tr>`,
    );
  if (rows.length === 0) return html`<p class="soft">No webhook endpoint was there to be told.</p>`;
  return html`<table>
    <tr>
      <th>Webhook</th>
      <th>State</th>
    </tr>
    ${rows}
  </table>`;
}

/** Where buyers come back to while there is no shop: tells how it went. */
export function returnPage(world: World, sessionId: string | null): Page {
  const session = sessionId === null ? undefined : world.tables['checkout.session'].get(sessionId);
  if (session?.status !== 'complete') return notice('You are back', shop);
  const { id, payment_intent: intent, setup_intent: setup, subscription, invoice } = session;
  const objects = new Set([id, intent, setup, subscription, invoice].filter((one) => one !== null));
  const title = session.payment_status === 'unpaid' ? 'Thank you. The payment is under way' : 'Thank you';
  return pageOf(
    'Thank you',
    html`<div class="card">
      <h1>${title}</h1>
      <p>
        ${session.sandbox.lines.map((line) => html`${line.description}${line.quantity === null || line.quantity === 1 ? '' : ` × ${line.quantity}`}. `)}
        ${sells(session) && session.amount_total > 0 ? `${money(session.amount_total, session.currency)} in test money.` : 'Nothing is due today.'}
      </p>
      ${deliveries(world, objects)}
      <p>What was bought is in the ledger as soon as its webhooks are delivered. <a href="/">All events</a></p>
      <p class="small soft">${shop}</p>
    </div>`,
  );
}
