import { checkVersion } from '../core/api/credentials.js';
import { invalid, missing } from '../core/api/errors.js';
import { createdFilter, page } from '../core/api/lists.js';
import type { WebhookEndpoint } from '../core/model.js';
import type { Params } from '../core/api/params.js';
import { DAY } from '../core/period.js';
import { NEWEST_VERSION } from '../core/api/present.js';
import { renderEvent } from '../core/render-event.js';
import { listing, retrieving, type Call, type Route } from '../core/api/route.js';
import type { Tx } from '../core/tx.js';
import { pendingWebhooks } from '../core/webhooks.js';
import type { StoredEvent, World } from '../core/world.js';

/** Stripe lists the events of the last thirty days, however long the sandbox keeps them. */
const listedFor = 30 * DAY;

const render = (world: World, event: StoredEvent): unknown =>
  renderEvent(event, NEWEST_VERSION, pendingWebhooks(world, event.id));

function fits(type: string, wanted: string): boolean {
  return wanted === type || wanted === '*' || (wanted.endsWith('.*') && type.startsWith(wanted.slice(0, -1)));
}

/** True when every endpoint that wanted the event has it; false while one has not. Null: no endpoint wanted it. */
function deliveredEvents(world: World): ReadonlyMap<string, boolean> {
  const result = new Map<string, boolean>();
  for (const delivery of world.deliveries.values()) {
    result.set(delivery.event, (result.get(delivery.event) ?? true) && delivery.status === 'delivered');
  }
  return result;
}

function list({ params, world, path }: Call): unknown {
  const inTime = createdFilter(params);
  const type = params.text('type');
  const types = params.texts('types') ?? (type === undefined ? undefined : [type]);
  if (types !== undefined && types.length > 20) throw invalid('You may pass up to 20 event types.', 'types');
  const wanted = params.flag('delivery_success');
  const delivered = wanted === undefined ? null : deliveredEvents(world);
  const events = [...world.events.values()]
    .filter((event) => event.created >= world.now - listedFor && inTime(event.created))
    .filter((event) => types === undefined || types.some((one) => fits(event.type, one)))
    .filter((event) => delivered === null || (delivered.get(event.id) ?? true) === wanted)
    .reverse();
  const shown = page(params, path, events, (event) => event.id, { noun: 'event' });
  return { ...shown, data: shown.data.map((event) => render(world, event)) };
}

function urlOf(url: string): string {
  if (!/^https?:\/\/[^\s/]+/.test(url))
    throw invalid('Invalid URL: An explicit scheme (such as https) must be provided.', 'url', 'url_invalid');
  return url;
}

function versionOf(params: Params): string | null {
  const version = params.text('api_version');
  if (version !== undefined) checkVersion(version, 'api_version');
  return version ?? null;
}

/** A new endpoint; its secret is shown in this answer only. */
export function newEndpoint(
  tx: Tx,
  given: {
    url: string;
    events: readonly string[];
    version: string | null;
    secret?: string;
    description?: string | null;
    metadata?: Record<string, string>;
  },
): WebhookEndpoint {
  const endpoint: WebhookEndpoint = {
    id: tx.newId('webhook_endpoint'),
    object: 'webhook_endpoint',
    api_version: given.version,
    application: null,
    created: tx.now,
    description: given.description ?? null,
    enabled_events: [...given.events],
    livemode: false,
    metadata: given.metadata ?? {},
    secret: given.secret ?? `whsec_${tx.code('whsec', 32)}`,
    status: 'enabled',
    url: urlOf(given.url),
    sandbox: { oldSecret: null, oldSecretUntil: 0 },
  };
  tx.put('webhook_endpoint', endpoint.id, endpoint);
  return endpoint;
}

const configured = 'The endpoint of the configuration';

/** The one endpoint that the configuration names: made, or brought up to date when its address or secret has changed since. */
export function useEndpoint(tx: Tx, given: { url: string; secret: string; version: string | null }): void {
  const known = [...tx.all('webhook_endpoint')].find(({ description }) => description === configured);
  if (known === undefined) {
    newEndpoint(tx, { ...given, events: ['*'], description: configured });
    return;
  }
  const { url, secret, version } = given;
  tx.put('webhook_endpoint', known.id, { ...known, url: urlOf(url), secret, api_version: version });
}

function createEndpoint(tx: Tx, params: Params): unknown {
  params.accept('connect');
  const events = params.texts('enabled_events');
  if (events === undefined)
    throw invalid('Missing required param: enabled_events.', 'enabled_events', 'parameter_missing');
  return newEndpoint(tx, {
    url: params.required('url'),
    events,
    version: versionOf(params),
    description: params.emptyable('description') ?? null,
    metadata: params.metadata(),
  });
}

const withoutSecret = (endpoint: WebhookEndpoint): unknown => ({ ...endpoint, secret: undefined });

function updateEndpoint(tx: Tx, id: string, params: Params): unknown {
  const endpoint = tx.need('webhook_endpoint', id);
  const disabled = params.flag('disabled');
  const url = params.text('url');
  const changed: WebhookEndpoint = {
    ...endpoint,
    description: params.emptyable('description') ?? endpoint.description,
    enabled_events: [...(params.texts('enabled_events') ?? endpoint.enabled_events)],
    metadata: params.metadata(endpoint.metadata),
    status: disabled === undefined ? endpoint.status : disabled ? 'disabled' : 'enabled',
    url: url === undefined ? endpoint.url : urlOf(url),
  };
  tx.put('webhook_endpoint', id, changed);
  return withoutSecret(changed);
}

/** Gives an endpoint a new secret; the old one signs too for so many seconds more. */
export function rollSecret(tx: Tx, id: string, keepOldSeconds: number): WebhookEndpoint {
  const endpoint = tx.need('webhook_endpoint', id);
  const rolled: WebhookEndpoint = {
    ...endpoint,
    secret: `whsec_${tx.code('whsec', 32)}`,
    sandbox: { oldSecret: keepOldSeconds > 0 ? endpoint.secret : null, oldSecretUntil: tx.now + keepOldSeconds },
  };
  tx.put('webhook_endpoint', id, rolled);
  return rolled;
}

const endpoints = listing('webhook_endpoint', '/v1/webhook_endpoints');
const endpoint = retrieving('webhook_endpoint', '/v1/webhook_endpoints');

export const eventRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/events', run: list },
  {
    method: 'GET',
    path: '/v1/events/:id',
    run: ({ id, world }) => {
      const event = world.events.get(id);
      if (event === undefined) throw missing('event', id);
      return render(world, event);
    },
  },
  { method: 'POST', path: '/v1/webhook_endpoints', run: ({ tx, params }) => createEndpoint(tx, params) },
  {
    ...endpoint,
    run: ({ tx, id }) => withoutSecret(tx.need('webhook_endpoint', id)),
  },
  { method: 'POST', path: '/v1/webhook_endpoints/:id', run: ({ tx, id, params }) => updateEndpoint(tx, id, params) },
  {
    method: 'DELETE',
    path: '/v1/webhook_endpoints/:id',
    run: ({ tx, id }) => {
      tx.need('webhook_endpoint', id);
      tx.remove('webhook_endpoint', id);
      return { id, object: 'webhook_endpoint', deleted: true };
    },
  },
  {
    ...endpoints,
    run: (call) => {
      const found = endpoints.run(call) as { data: WebhookEndpoint[] };
      return { ...found, data: found.data.map(withoutSecret) };
    },
  },
];
