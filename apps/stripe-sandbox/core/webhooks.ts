import { letterCode } from './ids.js';
import type { WebhookEndpoint } from './model.js';
import { DAY, HOUR, MINUTE } from './period.js';
import { NEWEST_VERSION } from './api/present.js';
import { renderEvent } from './render-event.js';
import type { Delivery, Faults, StoredEvent, World } from './world.js';

/** Waits between attempts, then no more: about three days. Stripe does not publish its own. */
const backOff = [5, 30, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, DAY] as const;

const wants = (endpoint: WebhookEndpoint, type: string): boolean =>
  endpoint.status === 'enabled' && (endpoint.enabled_events.includes('*') || endpoint.enabled_events.includes(type));

function plan(world: World, event: StoredEvent, endpoint: WebhookEndpoint, faults: Faults, copy: number): void {
  world.sequence += 1;
  const id = `dlv_${world.sequence.toString(36)}${copy === 0 ? '' : 'd'}`;
  const dropped = faults.drop > 0;
  world.deliveries.set(id, {
    id,
    event: event.id,
    endpoint: endpoint.id,
    attempts: 0,
    dueAt: dropped ? null : world.now + faults.delaySeconds,
    status: dropped ? 'failed' : 'pending',
    lastStatus: null,
    lastError: dropped ? 'dropped on request' : null,
  });
  if (!dropped) world.waiting.add(id);
}

/** Queues the events of a step for every endpoint that wants them, with the faults that were asked for. */
export function queueDeliveries(world: World, events: readonly StoredEvent[]): void {
  for (const event of events) {
    const twins = world.faults.twoIds > 0 ? [event, twinOf(world, event)] : [event];
    if (world.faults.twoIds > 0) world.faults = { ...world.faults, twoIds: world.faults.twoIds - 1 };
    for (const one of twins) queueOne(world, one);
  }
}

/** Stripe sometimes makes two event objects of one fact: the same content under another id. */
function twinOf(world: World, event: StoredEvent): StoredEvent {
  world.sequence += 1;
  const twin = { ...event, id: `evt_1${letterCode(world.seed, world.sequence, 'twin', 23)}` };
  world.events.set(twin.id, twin);
  return twin;
}

function queueOne(world: World, event: StoredEvent): void {
  const faults = world.faults;
  let sent = false;
  for (const endpoint of world.tables.webhook_endpoint.values()) {
    if (!wants(endpoint, event.type)) continue;
    sent = true;
    plan(world, event, endpoint, faults, 0);
    if (faults.duplicate > 0) plan(world, event, endpoint, faults, 1);
  }
  if (!sent) return;
  world.faults = { ...faults, drop: Math.max(0, faults.drop - 1), duplicate: Math.max(0, faults.duplicate - 1) };
}

/** The deliveries whose time has come, in order of their events; shuffled, always the same way, when reordering was asked for. */
export function dueDeliveries(world: World): readonly Delivery[] {
  const due = [...world.waiting]
    .map((id) => world.deliveries.get(id))
    .filter((delivery) => delivery !== undefined)
    .filter((delivery) => delivery.dueAt !== null && delivery.dueAt <= world.now);
  if (!world.faults.reorder) return due;
  const key = (delivery: Delivery): string => letterCode(world.seed, delivery.attempts, delivery.id, 8);
  return due.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

export const pendingWebhooks = (world: World, eventId: string): number => {
  let count = 0;
  for (const id of world.waiting) if (world.deliveries.get(id)?.event === eventId) count += 1;
  return count;
};

/** The JSON to send: rendered in the endpoint's own version. Null when the event or the endpoint is gone. */
export function deliveryBody(
  world: World,
  delivery: Delivery,
): { endpoint: WebhookEndpoint; body: string; type: string } | null {
  const event = world.events.get(delivery.event);
  const endpoint = world.tables.webhook_endpoint.get(delivery.endpoint);
  if (event === undefined || endpoint?.status !== 'enabled') return null;
  const rendered = renderEvent(event, endpoint.api_version ?? NEWEST_VERSION, 1);
  return { endpoint, body: JSON.stringify(rendered, null, 2), type: event.type };
}

/** Books the outcome of an attempt: any 2xx is success, everything else is tried again later until the last wait is used. */
export function bookAttempt(world: World, id: string, status: number | null, error: string | null): void {
  const delivery = world.deliveries.get(id);
  if (delivery === undefined) return;
  const delivered = status !== null && status >= 200 && status < 300;
  const wait = backOff[delivery.attempts];
  if (delivered || wait === undefined) world.waiting.delete(id);
  world.deliveries.set(id, {
    ...delivery,
    attempts: delivery.attempts + 1,
    status: delivered ? 'delivered' : wait === undefined ? 'failed' : 'pending',
    dueAt: delivered || wait === undefined ? null : world.now + wait,
    lastStatus: status,
    lastError: error,
  });
}

/** Sends an event once more to every endpoint that wants it; what was tried before stays as it is. */
export function resend(world: World, eventId: string): boolean {
  const event = world.events.get(eventId);
  if (event === undefined) return false;
  queueOne(world, event);
  return true;
}

/** Forgets events past the retention, with their deliveries, and answers kept for idempotency past a day. */
export function forgetOld(world: World): void {
  const oldest = world.now - world.settings.retentionDays * DAY;
  for (const [id, event] of world.events) {
    if (event.created >= oldest) break;
    world.events.delete(id);
  }
  for (const [id, delivery] of world.deliveries) {
    if (world.events.has(delivery.event)) break;
    world.deliveries.delete(id);
    world.waiting.delete(id);
  }
  for (const [key, answer] of world.answers) {
    if (answer.at >= world.now - DAY) break;
    world.answers.delete(key);
  }
}
