import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiClient } from '../../support/api/client.js';
import { eventually } from '../../support/eventually.js';
import { NodeProcess } from '../../support/processes/node-process.js';
import { catalog } from '../../support/ledger/catalog.js';
import { SandboxProcess } from '../../support/processes/sandbox.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
type Operation = {
  readonly summary?: string;
  readonly security?: unknown;
  readonly requestBody?: {
    readonly content: {
      readonly [type: string]: {
        readonly example?: unknown;
        readonly examples?: { readonly [name: string]: { readonly value: unknown } };
      };
    };
  };
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: {
    readonly [status: string]: {
      readonly content?: { readonly [type: string]: { readonly schema: { readonly $ref?: string } } };
    };
  };
};
type Shape = {
  readonly required: readonly string[];
  readonly properties: { readonly data?: { readonly items?: { readonly $ref?: string } } };
  readonly additionalProperties?: true;
};
type Document = {
  readonly openapi: string;
  readonly components: { readonly schemas: { readonly [name: string]: Shape } };
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
};

describe('operations', () => {
  let scrip: RunningScrip;
  let api: ApiClient;
  let sandbox: SandboxProcess;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    ({ client: api } = await scrip.startApi({ CORS_ORIGINS: 'https://app.example' }));
    sandbox = await SandboxProcess.start();
  });

  afterAll(async () => {
    await sandbox.process.stop();
    await scrip.stop();
  });

  const operations = async (): Promise<readonly (readonly [string, string, Operation])[]> => {
    const { paths } = (await api.get('/openapi.json', { token: null })).body as unknown as Document;
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [method.toUpperCase(), path, operation] as const),
    );
  };

  it('describes itself as OpenAPI 3.1', async () => {
    const document = (await api.get('/openapi.json', { token: null })).body as unknown as Document;
    expect(document.openapi).toBe('3.1.0');
    expect(JSON.stringify(document)).not.toContain('"nullable"');
    for (const [method, path, operation] of await operations()) {
      expect([method, path, typeof operation.summary]).toEqual([method, path, 'string']);
      if (path.startsWith('/v1'))
        expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBe(true);
    }
  });

  it('is whole: parameters of paths, references, and the answers of success', async () => {
    const document = (await api.get('/openapi.json', { token: null })).body as unknown as Document;
    for (const [, reference] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]*)"/g))
      expect([reference, document.components.schemas[reference!] !== undefined]).toEqual([reference, true]);
    for (const [method, path, { parameters = [], responses }] of await operations()) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => `{${name}}`);
      expect([method, path, inPath]).toEqual([method, path, path.match(/\{\w+\}/g) ?? []]);
      const successes = Object.entries(responses).filter(([status]) => status.startsWith('2'));
      for (const [status, { content }] of successes)
        expect([method, path, status, Object.keys(content ?? {}).length > 0]).toEqual([method, path, status, true]);
    }
  });

  it('refuses what it does not describe: parameters of queries that no route knows', async () => {
    const open = ['/livez', '/readyz', '/healthz', '/metrics', '/v1/webhooks/stripe'];
    let tried = 0;
    for (const [method, path] of await operations()) {
      if (open.includes(path)) continue;
      const url = path.replace(/\{\w+\}/g, 'unknown');
      const body = method === 'GET' || method === 'DELETE' ? {} : { body: '{}', key: 'unknown' };
      const answer = await api.call(method, `${url}?nonsense=1`, body);
      expect([method, path, answer.status, answer.body.errors?.[0]?.field]).toEqual([method, path, 400, 'nonsense']);
      tried += 1;
    }
    expect(tried).toBeGreaterThanOrEqual(40);
  });

  it('describes the answers of queries as they are', async () => {
    await api.call('PUT', '/v1/customers/described', { body: {} });
    const described = '/v1/customers/described';
    await api.post(`${described}/grants`, { amount: 5, source: 'purchase' }, 'described');
    await api.post(`${described}/holds`, { amount: 1 }, 'held');
    const consumption = { amount: 1, resource: { type: 'lead', id: '1' } };
    const { position } = (await api.post(`${described}/consumptions`, consumption, 'claimed')).body;
    await scrip.startWorker();
    for (const list of ['grants', 'history', 'claims', 'status'])
      await api.get(`${described}/${list}?minPosition=${position}&waitMs=10000`);
    let seen = 0;
    for (const [method, path, { parameters = [] }] of await operations()) {
      if (method !== 'GET' || path === '/metrics') continue;
      const isQuery = path.startsWith('/v1/');
      expect([path, parameters.some(({ name }) => name === 'minPosition')]).toEqual([path, isQuery]);
      const fresh = isQuery ? `?minPosition=${position}&waitMs=10000` : '';
      const answer = await api.get(`${path.replace('{customerId}', 'described')}${fresh}`);
      if (answer.status === 404) continue;
      expect([path, answer.status]).toEqual([path, 200]);
      if (isQuery) expect([path, answer.body.asOf.position >= position]).toEqual([path, true]);
      seen += 1;
    }
    expect(seen).toBeGreaterThanOrEqual(20);
  });

  it('answers every example of a request body as it is documented', async () => {
    const credits = '/v1/customers/example';
    await api.post(`${credits}/grants`, { amount: 1000, source: 'purchase' }, 'prepare');
    await api.call('PUT', '/v1/customers/customer-1', { body: {} });
    // The examples name what the shipped catalogue sells.
    const creditProducts = catalog.creditProducts.map((pack) => ({ ...pack, id: 'pack-1000' }));
    const creditEvents = catalog.creditEvents.map((priced) => ({ ...priced, id: 'api_call_basic' }));
    const plans = catalog.plans.map((plan) => ({ ...plan, features: ['api_calls'] }));
    await scrip.writer.applyCatalog(await sandbox.priced({ plans, creditProducts, creditEvents }));
    const stripe = { STRIPE_SECRET_KEY: 'sk_test_sandbox_key', STRIPE_API_BASE: sandbox.url };
    const { client } = await scrip.startApi({ ...stripe, STRIPE_RETURN_URL: 'https://app.example/' });
    const tried: string[] = [];
    // Other examples name the event of the webhook's, or need the plan of the subscription's.
    const first = ['/v1/webhooks/stripe', '/v1/customers/{customerId}/subscription'];
    const inOrder = [...(await operations())].sort(([, a], [, b]) => first.indexOf(b) - first.indexOf(a));
    for (const [method, path, operation] of inOrder) {
      if (operation.requestBody === undefined) continue;
      const { example, examples } = operation.requestBody.content['application/json']!;
      const bodies = examples === undefined ? [example] : Object.values(examples).map(({ value }) => value);
      for (const body of bodies) {
        expect([path, typeof body]).toEqual([path, 'object']);
        const consumption = await api.post(`${credits}/consumptions`, { amount: 20 }, `con ${method} ${path}`);
        const hold = await api.post(`${credits}/holds`, { amount: 20 }, `hold ${method} ${path}`);
        const grant = await api.post(
          `${credits}/grants`,
          { amount: 1000, source: 'promotion' },
          `grant ${method} ${path}`,
        );
        const customer = path.endsWith('/close') ? 'leaving' : 'example';
        const url = path
          .replace('{customerId}', customer)
          .replace('{consumptionId}', consumption.body.id)
          .replace('{holdId}', hold.body.id)
          .replace('{grantId}', grant.body.id)
          .replace('{scope}', 'team:growth')
          .replace('{stripeEventId}', 'evt_1');
        const text = JSON.stringify(body);
        const at = String(Math.floor(Date.now() / 1000));
        const signature = `t=${at},v1=${createHmac('sha256', webhookSecret).update(`${at}.${text}`).digest('hex')}`;
        const answer = await client.call(method, url, {
          body: text,
          key: `example ${path} ${text}`.slice(0, 255),
          headers: { 'stripe-signature': signature },
        });
        expect([path, answer.status, Object.keys(operation.responses)]).toEqual([
          path,
          answer.status,
          expect.arrayContaining([String(answer.status)]),
        ]);
        expect([path, answer.status < 300 ? '' : answer.text]).toEqual([path, '']);
        if (path.endsWith('/checkout-sessions'))
          await sandbox.control('POST', `/checkout/${answer.body.id}/complete`, { card: '4242424242424242' });
        if (path.endsWith('/freeze')) await api.post(`${credits}/account/unfreeze`, { reason: 'go on' });
        tried.push(path);
      }
    }
    expect(tried.length).toBeGreaterThanOrEqual(15);
  });

  it('explains its problems where they point to', async () => {
    const problem = await api.get('/v1/nonsense');
    const [address, code] = String(problem.body['type']).split('#');
    expect(address).toBe(`${api.url}/docs/errors`);
    const page = await api.get(address!.slice(api.url.length), { token: null });
    expect(page.status).toBe(200);
    expect(page.text).toContain(`id="${String(code)}"`);
  });

  it('serves its page without any other host', async () => {
    const page = await api.get('/docs', { token: null });
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    for (const [, path] of page.text.matchAll(/(?:src|href)="((?!data:)[^"]+)"/g)) {
      expect(path).toMatch(/^\/(?:docs\/|openapi\.json$)/);
      expect((await api.get(path!, { token: null })).status).toBe(200);
    }
  });

  it('tells how it is doing', async () => {
    const anonymous = { token: null };
    expect((await api.get('/livez', anonymous)).body).toEqual({ status: 'ok' });
    expect((await api.get('/readyz', anonymous)).body).toEqual({ ready: true, store: 'ok', database: 'ok' });
    const health = await api.get('/healthz', anonymous);
    expect(health.body).toMatchObject({ status: 'ok', store: 'ok', database: 'ok', stripe: 'missing' });
    expect(health.body['projections']).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'balances', state: 'running' })]),
    );
    const metrics = (await api.get('/metrics', anonymous)).text;
    expect(metrics).toMatch(
      /scrip_http_request_seconds_count\{method="POST",route="\/v1\/customers\/:customerId\/consumptions",status="201"\} \d+/,
    );
    expect(metrics).toMatch(/scrip_write_events_total\{category="account"\} [1-9]/);
    expect(metrics).not.toContain('example');
  });

  it('protects its answers, and lets only known origins in', async () => {
    const answer = await api.get('/livez', {
      headers: { origin: 'https://app.example', 'x-request-id': 'my-request-1' },
    });
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'x-request-id': 'my-request-1',
      'access-control-allow-origin': 'https://app.example',
    });
    const stranger = await api.get('/livez', { headers: { origin: 'https://evil.example' } });
    expect(stranger.headers.get('access-control-allow-origin')).not.toBe('https://evil.example');
  });

  it('counts what it answers to browsers before their requests, and lets pages read why they are refused', async () => {
    const origin = 'https://app.example';
    const path = '/v1/customers/acme/balance';
    const headers = { origin, 'access-control-request-method': 'GET' };
    const preflight = await api.call('OPTIONS', path, { token: null, headers });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, origin]);
    const refused = await api.get(path, { token: null, headers: { origin } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, origin]);
    const allowed = preflight.headers.get('access-control-allow-methods')?.split(', ').sort();
    expect(allowed).toEqual(['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT']);
    const text = await (await fetch(`${api.url}/metrics`)).text();
    expect(text).toMatch(/^scrip_http_request_seconds_count\{method="OPTIONS",route="\*",status="204"\} 1$/m);
  });

  it('answers HEAD with the head of what GET answers', async () => {
    const paths = ['/livez', '/docs', '/docs/swagger-ui.css', '/', '/v1/plans', '/v1/events', '/v1/commands', '/v1/no'];
    for (const path of paths) {
      const [head, get] = await Promise.all(
        ['HEAD', 'GET'].map((method) => fetch(api.url + path, { method, redirect: 'manual' })),
      );
      const shown = (answer: Response | undefined) => [
        answer?.status,
        ...['content-type', 'www-authenticate', 'allow'].map((name) => answer?.headers.get(name)),
      ];
      expect([path, ...shown(head)]).toEqual([path, ...shown(get)]);
      expect(await head?.text()).toBe('');
      await get?.text();
    }
  });

  it('moves its own affairs to another port where one is set', async () => {
    const { client, process } = await scrip.startApi({ METRICS_PORT: '0' });
    const metricsUrl = String(process.ready['metricsUrl']);
    expect((await client.get('/metrics')).status).toBe(404);
    const operations = new ApiClient(metricsUrl, '');
    for (const path of ['/livez', '/readyz', '/healthz', '/metrics'])
      expect((await operations.get(path, { token: null })).status).toBe(200);
    const elsewhere = await operations.get('/v1/plans', { token: null });
    expect([elsewhere.status, elsewhere.body.code]).toEqual([404, 'not_found']);
    await process.stop();
  });

  it('turns work away early when there is too much', async () => {
    const { client, process } = await scrip.startApi({ MAX_IN_FLIGHT: '5' });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        client.post('/v1/customers/busy/grants', { amount: 1, source: 'trial' }, `b${String(n)}`),
      ),
    );
    const refused = answers.filter(({ status }) => status === 503);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 503]));
    expect(refused[0]!.body.code).toBe('overloaded');
    expect(refused[0]!.headers.get('retry-after')).toBe('1');
    await eventually(
      () => client.post('/v1/customers/busy/grants', { amount: 1, source: 'trial' }, 'after'),
      ({ status }) => status === 201,
    );
    await process.stop();
  });

  it('serves a bulk request that is larger than its bound', async () => {
    const { client, process } = await scrip.startApi({ MAX_IN_FLIGHT: '1' });
    const commands = Array.from({ length: 1_000 }, (_, n) => ({
      type: 'grant',
      customerId: 'large-bulk',
      idempotencyKey: `large-${String(n)}`,
      amount: 1,
      source: 'trial',
    }));
    const answer = await client.post('/v1/commands', { commands });
    expect(answer.status).toBe(200);
    expect(new Set(answer.body.results.map(({ status }) => status))).toEqual(new Set([201]));
    await process.stop();
  });

  it('limits each caller where that is set', async () => {
    const { client, process } = await scrip.startApi({ RATE_LIMIT: '10' });
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => client.get('/v1/customers/example/balance?waitMs=0')),
    );
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(20);
    expect(answers.find(({ status }) => status === 429)!.headers.get('retry-after')).toBe('1');
    await process.stop();
  });

  it('logs requests where that is asked for, without what they hold', async () => {
    const { client, process } = await scrip.startApi({ LOG_REQUESTS: 'true' });
    await client.post(
      '/v1/customers/canary/grants?unit=canary',
      { amount: 1, source: 'trial', description: 'canary' },
      'canary',
    );
    const line = await eventually(
      () => Promise.resolve(process.lines.find((text) => text.includes('"msg":"request"')) ?? ''),
      (text) => text !== '',
    );
    expect(JSON.parse(line)).toMatchObject({
      method: 'POST',
      route: '/v1/customers/:customerId/grants',
      status: 201,
      actor: 'key:admin',
    });
    expect(process.lines.join('\n')).not.toContain('canary');
    await process.stop();
  });

  it('does not start with a wrong environment, and names what is wrong', async () => {
    const start = (env: Record<string, string>): Promise<unknown> =>
      NodeProcess.start({
        args: ['--conditions=source', '--import', './test/support/run-typescript.mjs', 'apps/api/main.ts'],
        env,
        readyWhen: 'listening',
      });
    await expect(start({})).rejects.toThrow(/ended with 2[^]*DATABASE_URL is needed/);
    const wrong = start({ DATABASE_URL: scrip.database.url, PORT: 'eighty', STRIPE_BILLING_ENABLED: 'perhaps' });
    await expect(wrong).rejects.toThrow(/PORT must be[^]*STRIPE_BILLING_ENABLED must be/);
    await wrong.catch((error: Error) => expect(error.message).not.toMatch(/eighty|perhaps/));
  });
});
