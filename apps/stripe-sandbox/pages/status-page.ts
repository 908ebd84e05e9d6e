import type { Runtime } from '../http/runtime.js';
import { invalid } from '../core/api/errors.js';
import { kinds } from '../core/model.js';
import { boundary, type Interval } from '../core/period.js';
import type { Delivery, World } from '../core/world.js';
import { refusalOf } from './card-form.js';
import { badge, html, pageOf, problem, redirect, words, type Markup, type Page, type Tone } from './html.js';

const shown = 25;
const jumps: readonly Interval[] = ['day', 'week', 'month', 'year'];

const when = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');

function clockPart(runtime: Runtime): Markup {
  const { now } = runtime.sandbox.world;
  return html`<section class="card" aria-label="Clock">
    <h2>Clock</h2>
    <p>
      <strong>${when(now)} UTC</strong>
      ${runtime.clock.frozen ? badge('Frozen', 'wait') : badge('Running', 'good')}
    </p>
    <p class="small soft">
      A move forward renews subscriptions, retries payments and ends trials on the way. It cannot be taken back, and
      only the sandbox's clock moves.
    </p>
    <form method="post" class="row">
      ${jumps.map((jump) => html`<button type="submit" name="jump" value="${jump}" class="plain">+ 1 ${jump}</button>`)}
    </form>
  </section>`;
}

function faultsPart(world: World): Markup {
  const { declineNext } = world.faults;
  const text = declineNext === 0 ? 'No payment is made to fail.' : `Payments made to fail: ${declineNext}.`;
  return html`<section class="card" aria-label="Faults">
    <h2>Faults</h2>
    <p>${text}</p>
    <form method="post">
      ${
        declineNext === 0
          ? html`<button type="submit" name="decline" value="1" class="plain">Decline the next payment</button>`
          : html`<button type="submit" name="decline" value="0" class="plain">Let payments pass</button>`
      }
    </form>
    <p class="small soft">
      <code>POST /_sandbox/faults</code> has more: lost, doubled, late and reordered webhooks, 429, 500, slow and lost
      answers.
    </p>
  </section>`;
}

function endpointsPart(world: World): Markup {
  const rows = [...world.tables.webhook_endpoint.values()].map(
    (endpoint) =>
      html`<tr>
        <td>
          ${endpoint.url}
          <div class="small soft">
            ${endpoint.api_version ?? 'newest version'}, ${endpoint.enabled_events.join(', ')}
          </div>
        </td>
        <td>${badge(words(endpoint.status), endpoint.status === 'enabled' ? 'good' : 'plain')}</td>
      </tr>`,
  );
  return html`<section class="card" aria-label="Webhook endpoints">
    <h2>Webhook endpoints</h2>
    ${
      rows.length === 0
        ? html`<p class="soft">There is none: events are kept, but nobody is told.</p>`
        : html`<table>
            ${rows}
          </table>`
    }
  </section>`;
}

const tones: Readonly<Record<Delivery['status'], Tone>> = { pending: 'wait', delivered: 'good', failed: 'bad' };

function deliveryText({ status, attempts, lastStatus, lastError }: Delivery): Markup {
  const why = status === 'delivered' || attempts === 0 ? '' : ` ${lastStatus ?? lastError ?? ''}`;
  return html`${badge(words(status), tones[status])}<span class="small soft">${why}</span>`;
}

function eventsPart(world: World): Markup {
  const events = [...world.events.values()].slice(-shown).reverse();
  const wanted = new Set(events.map(({ id }) => id));
  const deliveries = Map.groupBy(
    [...world.deliveries.values()].filter(({ event }) => wanted.has(event)),
    ({ event }) => event,
  );
  const rows = events.map(
    (event) =>
      html`<tr>
        <td>
          ${event.type}
          <div class="small soft">${when(event.created)} ${'id' in event.object ? event.object.id : ''}</div>
        </td>
        <td>${(deliveries.get(event.id) ?? []).map(deliveryText)}</td>
      </tr>`,
  );
  return html`<section class="card" aria-label="Events">
    <h2>Newest events</h2>
    ${
      rows.length === 0
        ? html`<p class="soft">Nothing has happened yet.</p>`
        : html`<div class="scroll">
            <table>
              <tr>
                <th>Event, time (UTC) and object</th>
                <th>Webhook</th>
              </tr>
              ${rows}
            </table>
          </div>`
    }
  </section>`;
}

function objectsPart(world: World): Markup {
  const rows = kinds
    .filter((kind) => world.tables[kind].size > 0)
    .map(
      (kind) =>
        html`<tr>
          <td>${kind}</td>
          <td class="money">${world.tables[kind].size}</td>
        </tr>`,
    );
  return html`<section class="card" aria-label="Objects">
    <h2>Objects</h2>
    ${
      rows.length === 0
        ? html`<p class="soft">There are none yet.</p>`
        : html`<table>
            ${rows}
          </table>`
    }
  </section>`;
}

function show(runtime: Runtime, message: string | null): Page {
  const { world } = runtime.sandbox;
  return pageOf(
    'Overview',
    html`<h1>Stripe sandbox</h1>
      <p class="soft">
        It answers Stripe's API at <code>${world.site}</code>, for any key that begins with <code>sk_test_</code>, and
        keeps what it was told.
      </p>
      ${problem(message)}
      <div class="columns uneven">
        <div>${clockPart(runtime)} ${faultsPart(world)} ${endpointsPart(world)} ${objectsPart(world)}</div>
        <div>${eventsPart(world)}</div>
      </div>`,
    message === null ? 200 : 400,
    'wide',
  );
}

/** What the sandbox holds, the newest events and how their deliveries went; moves the clock and has payments declined. */
export async function statusPage(runtime: Runtime, method: string, form: URLSearchParams): Promise<Page> {
  if (method !== 'POST') return show(runtime, null);
  try {
    const jump = jumps.find((one) => one === form.get('jump'));
    const decline = form.get('decline');
    if (jump !== undefined) {
      const target = boundary(runtime.clock.now(), { interval: jump, interval_count: 1 }, 1);
      await runtime.advance(target, true);
    } else if (decline === '1' || decline === '0') {
      const { world } = runtime.sandbox;
      world.faults = { ...world.faults, declineNext: Number(decline) };
    } else throw invalid('Nothing was chosen.');
    return redirect('/');
  } catch (error) {
    return show(runtime, refusalOf(error).message);
  }
}
