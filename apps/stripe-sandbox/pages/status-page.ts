import type { Kind } from '../core/model.js';
import { kinds } from '../core/model.js';
import type { World } from '../core/world.js';
import type { Page } from './html.js';
import { html, pageOf } from './html.js';

const shown = 30;

const when = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

function newest<T>(values: Iterable<T>): readonly T[] {
  return [...values].slice(-shown).reverse();
}

/** What the sandbox holds: counts, the newest events and how their deliveries went. */
export function statusPage(world: World, frozen: boolean): Page {
  const counts = kinds
    .filter((kind: Kind) => world.tables[kind].size > 0)
    .map(
      (kind) =>
        html`<tr>
          <td>${kind}</td>
          <td class="money">${world.tables[kind].size}</td>
        </tr>`,
    );
  const events = newest(world.events.values()).map(
    (event) =>
      html`<tr>
        <td>${when(event.created)}</td>
        <td>${event.type}</td>
        <td><code>${event.id}</code></td>
        <td><code>${'id' in event.object ? event.object.id : ''}</code></td>
      </tr>`,
  );
  const deliveries = newest(world.deliveries.values()).map(
    (delivery) =>
      html`<tr>
        <td><code>${delivery.event}</code></td>
        <td>${world.events.get(delivery.event)?.type}</td>
        <td>${delivery.status}, ${delivery.attempts} attempts</td>
        <td>${delivery.lastStatus ?? delivery.lastError}</td>
      </tr>`,
  );
  return pageOf(
    'Stripe sandbox',
    html`<h1>Stripe sandbox</h1>
      <p>
        Clock: <strong>${when(world.now)}</strong>${frozen ? ' (frozen)' : ''}. Timers: ${world.timers.size}. Webhooks
        waiting: ${world.waiting.size}.
      </p>
      <h2>Objects</h2>
      <table>
        ${counts}
      </table>
      <h2>Newest events</h2>
      <div class="scroll">
        <table>
          ${events}
        </table>
      </div>
      <h2>Newest deliveries</h2>
      <div class="scroll">
        <table>
          ${deliveries}
        </table>
      </div>`,
    200,
    false,
  );
}
