import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiAnswer, ApiClient, Body } from '../../support/api/client.js';
import { eventually } from '../../support/eventually.js';
import { query } from '../../support/databases/postgres.js';
import { jwtSecret, RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { balances } from '../../../projections/balances/balances.js';
import { stripeEvent } from '../../support/stripe/events.js';
const token = (claims: Record<string, unknown>, secret = jwtSecret): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('user-1')
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret));

describe('callers', () => {
  let scrip: RunningScrip;
  let api: ApiClient;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    [{ client: api }] = await Promise.all([scrip.startApi(), scrip.startWorker()]);
    for (const customer of ['acme', 'globex']) {
      await api.call('PUT', `/v1/customers/${customer}`, { body: { name: `Owner of ${customer}` } });
      await api.post(`/v1/customers/${customer}/grants`, { amount: 10, source: 'purchase' }, 'g');
      await api.post(`/v1/customers/${customer}/holds`, { amount: 1 }, 'h');
      await api.post(
        `/v1/customers/${customer}/consumptions`,
        { amount: 1, resource: { type: 'lead', id: customer } },
        'c',
      );
    }
    const { position } = (await api.post('/v1/customers/globex/consumptions', { amount: 1 }, 'last')).body;
    await Promise.all(
      ['balance', 'history', 'claims'].map((read) =>
        api.get(`/v1/customers/globex/${read}?minPosition=${position}&waitMs=10000`),
      ),
    );
  });

  afterAll(async () => {
    await scrip.stop();
  });

  it('asks who it is', async () => {
    for (const bad of [
      null,
      'wrong',
      'scrip_wrong',
      await token({ customer: 'acme', role: 'member' }, 'another-secret-0123456789abcdef'),
    ]) {
      const answer = await api.get('/v1/customers/acme/balance', { token: bad });
      expect([answer.status, answer.body.code, answer.headers.get('www-authenticate')]).toEqual([
        401,
        'unauthenticated',
        'Bearer realm="scrip"',
      ]);
    }
  });

  it('holds API keys to their scopes, and ends them when they are revoked', async () => {
    const made = await api.post('/v1/admin/api-keys', { name: 'reader', scopes: ['credits:read'] });
    expect(made.status).toBe(201);
    const secret = String(made.body['secret']);
    expect(secret).toMatch(/^scrip_[\w-]{43}$/);
    const reader = { token: secret };
    expect((await api.get('/v1/customers/acme/balance', reader)).status).toBe(200);
    for (const [method, path] of [
      ['POST', '/v1/customers/acme/consumptions'],
      ['POST', '/v1/customers/acme/adjustments'],
      ['POST', '/v1/commands'],
      ['GET', '/v1/events'],
      ['GET', '/v1/customers/acme/explanation'],
      ['GET', '/v1/customers/acme/grants/gr_0/uses'],
      ['GET', '/v1/admin/api-keys'],
    ] as const) {
      const answer = await api.call(method, path, {
        ...reader,
        ...(method === 'POST' ? { body: { amount: 1 }, key: 'k' } : {}),
      });
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, 'forbidden']);
    }
    const listed = await eventually(
      () => api.get('/v1/admin/api-keys'),
      ({ body }) => body.data[0]?.['lastUsedAt'] !== null,
    );
    expect(listed.body.data).toMatchObject([
      { id: made.body.id, name: 'reader', scopes: ['credits:read'], revokedAt: null },
    ]);
    expect(listed.text).not.toContain(secret);
    const [row] = await query(scrip.database.url, 'select * from scrip_app.api_keys');
    expect(JSON.stringify(row)).not.toContain(secret);
    expect((await api.call('DELETE', `/v1/admin/api-keys/${made.body.id}`)).status).toBe(200);
    expect((await api.get('/v1/customers/acme/balance', reader)).status).toBe(401);
  });

  it('lists API keys and projections page by page', async () => {
    for (const name of ['one', 'two', 'three'])
      await api.post('/v1/admin/api-keys', { name, scopes: ['credits:read'] });
    for (const [path, key] of [
      ['/v1/admin/api-keys', 'id'],
      ['/v1/admin/projections', 'name'],
    ] as const) {
      const whole = (await api.get(`${path}?limit=200`)).body;
      expect(whole).toMatchObject({ hasMore: false, nextCursor: null });
      const paged: unknown[] = [];
      for (let cursor = ''; ;) {
        const { body } = await api.get(`${path}?limit=2${cursor}`);
        expect(body.data.length).toBeLessThanOrEqual(2);
        paged.push(...body.data.map((entry) => entry[key]));
        if (body['hasMore'] !== true) break;
        cursor = `&cursor=${String(body['nextCursor'])}`;
      }
      expect(paged).toEqual(whole.data.map((entry) => entry[key]));
      expect(paged.length).toBeGreaterThan(2);
    }
  });

  it('lets a writer write and adjust nothing, also in bulk', async () => {
    const made = await api.post('/v1/admin/api-keys', { name: 'writer', scopes: ['credits:write'] });
    const writer = { token: String(made.body['secret']) };
    const item = { customerId: 'acme', idempotencyKey: 'w1', amount: 1 };
    const { body } = await api.post(
      '/v1/commands',
      {
        commands: [
          { ...item, type: 'consume' },
          { ...item, idempotencyKey: 'w2', type: 'adjust', reason: 'x' },
        ],
      },
      undefined,
      writer,
    );
    expect(body.results.map(({ status }) => status)).toEqual([201, 403]);
    expect((await api.get(`/v1/events?customerId=acme&type=CreditsConsumed`)).body.data.at(-1)).toMatchObject({
      metadata: { actor: `key:${made.body.id}` },
    });
  });

  it('explains to who may read the log, and shows one consumption to who may read credits, too', async () => {
    const { consumptionId } = (await api.get('/v1/customers/acme/history?key=c')).body.data[0]!;
    const statuses = async (scope: string): Promise<readonly number[]> => {
      const made = await api.post('/v1/admin/api-keys', { name: scope, scopes: [scope] });
      const reader = { token: String(made.body['secret']) };
      const paths = ['balance', 'explanation', `consumptions/${String(consumptionId)}`];
      return Promise.all(paths.map(async (path) => (await api.get(`/v1/customers/acme/${path}`, reader)).status));
    };
    expect(await statuses('ledger:read')).toEqual([403, 200, 200]);
    expect(await statuses('credits:read')).toEqual([200, 403, 200]);
    expect(await statuses('credits:write')).toEqual([403, 403, 403]);
  });

  it("shows people their own customer's data and nobody else's", async () => {
    const member = { token: await token({ customer: 'acme', role: 'member' }) };
    const { grants } = (await api.get('/v1/customers/acme/explanation')).body as Body & {
      grants: { grantId: string }[];
    };
    const { consumptionId } = (await api.get('/v1/customers/acme/history?key=c')).body.data[0]!;
    const explaining = [
      '/forecast',
      '/explanation',
      '/explanation?position=3',
      `/grants/${grants[0]!.grantId}`,
      `/grants/${grants[0]!.grantId}/uses`,
      `/consumptions/${String(consumptionId)}`,
      '/history?resourceType=lead',
    ];
    const ofUsage = ['/entitlements', '/entitlements/api', '/usage'];
    for (const read of [
      '',
      '/balance',
      '/grants',
      '/holds',
      '/history',
      '/claims',
      '/balance?position=1',
      ...explaining,
      ...ofUsage,
    ]) {
      const own = await api.get(`/v1/customers/acme${read}`, member);
      expect([read, own.status]).toEqual([read, 200]);
      expect(own.text).not.toContain('globex');
      const others = await api.get(`/v1/customers/globex${read}`, member);
      expect([read, others.status, others.body.code]).toEqual([read, 404, 'customer_not_found']);
    }
    expect((await api.get('/v1/customers/acme/history', member)).body.data.length).toBeGreaterThan(2);
    expect((await api.get('/v1/customers/acme', member)).body['name']).toBe('Owner of acme');
    for (const path of ['/v1/customers', '/v1/events', '/v1/admin/projections'])
      expect((await api.get(path, member)).status).toBe(403);
    expect((await api.post('/v1/customers/acme/consumptions', { amount: 1 }, 'k', member)).status).toBe(403);
  });

  it('takes tokens signed by a key of a published set', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }] });
    const server = createServer((_, response) => response.end(keys));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/jwks.json`;
    const { client, process } = await scrip.startApi({ JWT_SECRET: '', JWT_JWKS_URL: url });
    const signed = await new SignJWT({ customer: 'acme', role: 'org_admin' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setExpirationTime('1h')
      .sign(privateKey);
    const read = async (bearer: string): Promise<number> =>
      (await client.get('/v1/customers/acme/balance', { token: bearer })).status;
    expect(await read(signed)).toBe(200);
    expect(await read(`${signed.slice(0, -4)}AAAA`)).toBe(401);
    // A public key used as a secret must prove nothing.
    expect(await read(await token({ customer: 'acme', role: 'member' }, keys))).toBe(401);
    await process.stop();
    server.close();
  });

  it('lets a platform administrator read and adjust', async () => {
    const admin = { token: await token({ role: 'platform_admin' }) };
    expect((await api.get('/v1/customers/globex/balance', admin)).status).toBe(200);
    expect((await api.post('/v1/customers/globex/adjustments', { amount: 1, reason: 'ok' }, 'adm', admin)).status).toBe(
      201,
    );
    expect((await api.get('/v1/events?customerId=globex', admin)).body.data.at(-1)).toMatchObject({
      metadata: { actor: 'user:user-1' },
    });
  });

  it('shows operators the projections, and has one built anew', async () => {
    const { body } = await api.get('/v1/admin/projections');
    expect(body.data).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'balances', version: balances.version, state: 'running', haltedReason: null }),
      ]),
    );
    expect((await api.post('/v1/admin/projections/claims/rebuild', undefined)).status).toBe(202);
    expect((await api.post('/v1/admin/projections/nonsense/rebuild', undefined)).body.code).toBe(
      'projection_not_found',
    );
    const rebuilt = await eventually(
      () => api.get('/v1/admin/projections'),
      (answer) =>
        answer.body.data.some(
          (projection) =>
            projection['name'] === 'claims' && Number(projection['generation']) > 1 && projection['role'] === 'live',
        ),
    );
    expect(rebuilt.status).toBe(200);
    expect((await api.get('/v1/customers/acme/claims')).body.data).toHaveLength(1);
  });

  describe('Stripe', () => {
    const sign = (body: string, secret = webhookSecret, at = Math.floor(Date.now() / 1000)): string =>
      `t=${String(at)},v1=${createHmac('sha256', secret)
        .update(`${String(at)}.${body}`)
        .digest('hex')}`;
    const deliver = (body: string, signature: string | undefined, by = api): Promise<ApiAnswer> =>
      by.call('POST', '/v1/webhooks/stripe', {
        body,
        token: null,
        ...(signature === undefined ? {} : { headers: { 'stripe-signature': signature } }),
      });
    const topUp = (id: string, change: Record<string, unknown> = {}): string =>
      JSON.stringify(
        stripeEvent(
          'checkout.session.completed.endive',
          { id },
          {
            id: `cs_${id}`,
            payment_intent: `pi_${id}`,
            client_reference_id: 'acme',
            metadata: { credits: '10' },
            ...change,
          },
        ),
      );

    it('takes a signed event once, and grants what was paid for', async () => {
      const body = topUp('evt_paid');
      const before = (await api.get('/v1/customers/acme/balance')).body.available;
      const answers = await Promise.all(Array.from({ length: 20 }, () => deliver(body, sign(body))));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(answers.filter((answer) => answer.body['duplicate'] === false)).toHaveLength(1);
      await eventually(
        () => api.get('/v1/customers/acme/balance'),
        ({ body: { available } }) => available === before + 10,
      );
    });

    it('takes secrets that are being rotated, types it does not know, and bodies of 2 MB', async () => {
      const unknown = topUp('evt_unknown').replace('checkout.session.completed', 'brand.new.thing');
      expect((await deliver(unknown, sign(unknown, 'whsec_older_secret'))).body).toEqual({
        received: true,
        duplicate: false,
      });
      const large = topUp('evt_large', { padding: 'x'.repeat(2_000_000) });
      expect((await deliver(large, sign(large))).status).toBe(200);
      const nonsense = '"signed, but no event"';
      expect((await deliver(nonsense, sign(nonsense))).body).toEqual({ received: true, duplicate: false });
    });

    it('refuses signatures that are wrong, old, missing or of another body', async () => {
      const body = topUp('evt_forged');
      const late = Math.floor(Date.now() / 1000) - 301;
      for (const signature of [
        undefined,
        '',
        'nonsense',
        sign(body, 'whsec_wrong'),
        sign(`${body} `),
        sign(body, webhookSecret, late),
      ]) {
        const answer = await deliver(body, signature);
        expect([answer.status, answer.body.code]).toEqual([400, 'invalid_signature']);
      }
      expect((await api.get('/v1/events?stream=stripeEvent-evt_forged')).body.data).toEqual([]);
    });

    it('parks what it cannot place, lists it and tries it again', async () => {
      const body = topUp('evt_stray', { client_reference_id: null, customer: 'cus_stranger' });
      expect((await deliver(body, sign(body))).status).toBe(200);
      const parked = await eventually(
        () => api.get('/v1/admin/parked-events'),
        (answer) => answer.body.data.some(({ id }) => id === 'evt_stray'),
      );
      expect(parked.body.data.find(({ id }: Body) => id === 'evt_stray')).toMatchObject({
        reason: { code: 'unknown_customer' },
      });
      expect((await api.post('/v1/admin/parked-events/evt_stray/retry', undefined)).body).toEqual({
        id: 'evt_stray',
        retryRequested: true,
      });
      expect((await api.post('/v1/admin/parked-events/evt_nothing/retry', undefined)).body.code).toBe(
        'stripe_event_not_found',
      );
    });

    it('keeps events, and calls nothing, while billing is switched off', async () => {
      const { client, process } = await scrip.startApi({ STRIPE_BILLING_ENABLED: 'false' });
      const body = topUp('evt_off');
      expect((await deliver(body, sign(body), client)).body).toEqual({ received: true, duplicate: false });
      expect((await deliver(body, 'nonsense', client)).status).toBe(400);
      expect((await client.get('/v1/billing/config', { token: null })).body['billingEnabled']).toBe(false);
      expect((await client.post('/v1/customers/acme/consumptions', { amount: 1 }, 'off')).status).toBe(201);
      expect((await deliver(body, sign(body), client)).body).toEqual({ received: true, duplicate: true });
      const [kept] = (await api.get('/v1/events?stream=stripeEvent-evt_off')).body.data;
      expect(kept).toMatchObject({ type: 'StripeEventReceived' });
      await process.stop();
    });
  });
});
