import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import Stripe from 'stripe';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { eventually } from '../../support/eventually.js';
import { jwtSecret, RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { stripeEvent, type StripeEventBody } from '../../support/stripe/events.js';
import { catalog } from '../../support/ledger/catalog.js';

const DAY = 86_400_000;
const daysAgo = (days: number): string => new Date(Date.now() - days * DAY).toISOString();
const tomorrow = `${daysAgo(-1).slice(0, 10)}T00:00:00.000Z`;

describe('the use of features over HTTP', () => {
  let scrip: RunningScrip;
  let api: ApiClient;
  let other: ApiClient;
  let keys = 0;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    const [free, starter] = catalog.plans;
    await scrip.writer.applyCatalog({
      ...catalog,
      plans: [
        { ...free!, limits: { calls: { day: 50 } } },
        { ...starter!, features: ['api', 'export'], limits: { calls: { day: 80, month: 90 } } },
      ],
    });
    const [one, two] = await Promise.all([scrip.startApi(), scrip.startApi(), scrip.startWorker()]);
    [api, other] = [one.client, two.client];
  });

  afterAll(() => scrip.stop());

  const use = (customer: string, body: object, key?: string, client = api): Promise<ApiAnswer> =>
    client.post(`/v1/customers/${customer}/usage`, body, key ?? `u-${String((keys += 1))}`);
  const startFree = async (customer: string): Promise<void> => {
    const started = await api.post(`/v1/customers/${customer}/subscription`, { plan: 'free' }, `free-${customer}`);
    expect(started.status).toBe(201);
  };
  const counted = async (customer: string): Promise<number> => {
    const events = await api.get(`/v1/events?stream=usage-${customer}&type=UsageRecorded&limit=200`);
    return events.body.data.length;
  };

  it('is exact when two processes are asked at once, and the same key counts once', async () => {
    await startFree('busy');
    const asked = Array.from({ length: 80 }, (_, n) =>
      use('busy', { feature: 'calls' }, `b-${String(n)}`, n % 2 === 0 ? api : other),
    );
    const answers = await Promise.all(asked);
    const refused = answers.filter(({ status }) => status === 403);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(50);
    expect(refused).toHaveLength(30);
    expect(refused[0]!.body).toMatchObject({
      ...{ code: 'usage_limit_exceeded', feature: 'calls', limit: 50, used: 50, requested: 1 },
      ...{ window: 'day', windowEnd: tomorrow },
    });
    const done = answers.findIndex(({ status }) => status === 201);
    const again = await use('busy', { feature: 'calls' }, `b-${String(done)}`, other);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    const { position, ...first } = answers[done]!.body;
    expect(again.body).toMatchObject(first);
    expect(again.body.position <= position).toBe(true);
    const reused = await use('busy', { feature: 'calls', quantity: 2 }, `b-${String(done)}`);
    expect(reused.body).toMatchObject({ status: 409, code: 'idempotency_key_reused' });
    expect(await counted('busy')).toBe(50);
  });

  it('answers with the limits, counts what is not checked, and at its own time', async () => {
    await startFree('late');
    const { body } = await use('late', { feature: 'calls', quantity: 3, description: 'import', metadata: { job: 1 } });
    expect(body).toMatchObject({ customerId: 'late', feature: 'calls', quantity: 3 });
    expect(body['id']).toMatch(/^use_/);
    expect(body['limits']).toEqual([
      {
        ...{ feature: 'calls', window: 'day', limit: 50, used: 3, remaining: 47 },
        ...{ windowStart: `${daysAgo(0).slice(0, 10)}T00:00:00.000Z`, windowEnd: tomorrow },
      },
    ]);
    const over = await use('late', { feature: 'calls', quantity: 60, limitCheck: false });
    expect(over.body).toMatchObject({ limits: [{ used: 63, remaining: 0 }] });
    expect((await use('late', { feature: 'calls' })).status).toBe(403);
    expect((await use('late', { feature: 'calls', at: daysAgo(1) })).body).toMatchObject({
      code: 'feature_not_in_plan',
      feature: 'calls',
    });
  });

  it('records nothing of what is asked wrongly', async () => {
    await startFree('wrong');
    const invalid = async (body: object): Promise<readonly string[]> => {
      const answer = await use('wrong', body);
      expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
      return answer.body.errors.map(({ field }) => field);
    };
    expect(await invalid({ feature: 'calls', quantity: 0 })).toEqual(['quantity']);
    expect(await invalid({ feature: 'calls', quantity: 2 ** 53 })).toEqual(['quantity']);
    expect(await invalid({ feature: 'calls', at: daysAgo(36) })).toEqual(['at']);
    expect(await invalid({ feature: 'calls', at: daysAgo(-1) })).toEqual(['at']);
    expect(await invalid({ feature: 'calls', limitCheck: 'no' })).toEqual(['limitCheck']);
    expect(await invalid({ quantity: 1 })).toEqual(['feature']);
    expect(await invalid({ feature: 'calls', window: 'week' })).toEqual(['window']);
    expect((await use('wrong', { feature: 'nonsense' })).body).toMatchObject({ status: 422, code: 'feature_unknown' });
    expect((await use('wrong', { feature: 'export' })).body).toMatchObject({
      status: 403,
      code: 'feature_not_in_plan',
    });
    expect((await use('nobody', { feature: 'calls' })).body).toMatchObject({
      status: 403,
      code: 'feature_not_in_plan',
    });
    expect((await api.post('/v1/customers/wrong/usage', { feature: 'calls' })).body.code).toBe(
      'idempotency_key_required',
    );
    expect([await counted('wrong'), await counted('nobody')]).toEqual([0, 0]);
  });

  it('is decided in bulk and without being recorded', async () => {
    await startFree('bulk');
    const commands = [40, 20, 10].map((quantity, n) => ({
      ...{ type: 'usage', customerId: 'bulk', idempotencyKey: `k-${String(n)}`, feature: 'calls', quantity },
    }));
    const { results } = (await api.post('/v1/commands', { commands })).body;
    expect(results.map(({ status }) => status)).toEqual([201, 403, 201]);
    expect(results[1]!.body).toMatchObject({ code: 'usage_limit_exceeded', used: 40, requested: 20 });
    const headers = { 'scrip-dry-run': 'true' };
    const dry = await api.call('POST', '/v1/customers/bulk/usage', { body: { feature: 'calls' }, headers });
    expect([dry.status, dry.body.code]).toEqual([403, 'usage_limit_exceeded']);
    await startFree('dry');
    const free = await api.call('POST', '/v1/customers/dry/usage', { body: { feature: 'calls' }, headers });
    expect(free.body).toMatchObject({ dryRun: true, limits: [{ used: 1 }] });
    expect([await counted('bulk'), await counted('dry')]).toEqual([2, 0]);
  });

  it('can be read as it would be decided, and summed by hours, days and months', async () => {
    await startFree('reader');
    const get = (path: string, position?: string): Promise<ApiAnswer> =>
      api.get(`/v1/customers/reader/${path}${position === undefined ? '' : `minPosition=${position}&waitMs=9000`}`);
    const used = (await use('reader', { feature: 'calls', quantity: 49 })).body;
    const all = (await get('entitlements?', used.position)).body;
    expect(all).toMatchObject({
      customerId: 'reader',
      plan: { id: 'free', name: 'Free', status: 'active' },
      features: ['calls'],
      limits: used['limits'],
    });
    expect(all.asOf.position >= used.position).toBe(true);
    const check = { feature: 'calls', allowed: true, reason: null, limits: used['limits'] };
    expect((await get('entitlements/calls?')).body).toMatchObject(check);
    const { position } = (await use('reader', { feature: 'calls' })).body;
    expect((await get('entitlements/calls?', position)).body).toMatchObject({
      ...{ allowed: false, reason: 'usage_limit_exceeded', limits: [{ used: 50, remaining: 0 }] },
    });
    // A person's reads see the rows of the own customer, by the database's own rule.
    const person = await new SignJWT({ customer: 'reader', role: 'member' })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('user-1')
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(jwtSecret));
    const own = (path: string): Promise<ApiAnswer> => api.get(`/v1/customers/reader/${path}`, { token: person });
    expect((await own('entitlements')).body).toMatchObject({ plan: { id: 'free' }, limits: [{ used: 50 }] });
    expect((await own('usage')).body.data).toMatchObject([{ quantity: 50 }]);
    expect((await api.get('/v1/customers/busy/usage', { token: person })).status).toBe(404);
    for (const feature of ['export', 'nonsense'])
      expect((await get(`entitlements/${feature}?`)).body).toMatchObject({
        ...{ feature, allowed: false, reason: 'feature_not_in_plan', limits: [] },
      });
    expect((await api.get('/v1/customers/nobody/entitlements')).body).toMatchObject({ plan: null, features: [] });
    const [hour, day] = [daysAgo(0).slice(0, 13), daysAgo(0).slice(0, 10)];
    const sums = async (interval: string): Promise<object> => (await get(`usage?interval=${interval}`)).body.data;
    const next = tomorrow;
    expect(await sums('hour')).toMatchObject([{ feature: 'calls', start: `${hour}:00:00.000Z`, quantity: 50 }]);
    expect(await sums('day')).toEqual([{ feature: 'calls', start: `${day}T00:00:00.000Z`, end: next, quantity: 50 }]);
    expect(await sums('month')).toMatchObject([{ start: `${day.slice(0, 7)}-01T00:00:00.000Z`, quantity: 50 }]);
    expect((await get('usage?feature=export')).body.data).toEqual([]);
    expect((await get(`usage?to=${daysAgo(1)}`)).body.data).toEqual([]);
    expect((await get('usage?interval=week')).body.code).toBe('invalid_request');
    expect((await get(`usage?interval=hour&from=${daysAgo(90)}`)).body.errors).toMatchObject([{ field: 'from' }]);
  });

  it('follows the subscription at Stripe', async () => {
    const send = async (body: StripeEventBody): Promise<void> => {
      const payload = JSON.stringify(body);
      const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret: webhookSecret });
      const sent = { body: payload, token: null, headers: { 'stripe-signature': signature } };
      expect((await api.call('POST', '/v1/webhooks/stripe', sent)).status).toBe(200);
    };
    await startFree('acme');
    expect((await use('acme', { feature: 'calls', quantity: 50 })).status).toBe(201);
    const [now, month] = [Math.floor(Date.now() / 1000), 30 * 86_400];
    const created = stripeEvent('customer.subscription.created.endive');
    const { items } = created.data.object as { items: { data: object[] } };
    const item = { ...items.data[0], current_period_start: now - 5, current_period_end: now + month };
    const shown = { items: { ...items, data: [item] } };
    await send(stripeEvent('checkout.session.completed.subscription.endive'));
    await send(stripeEvent('customer.subscription.created.endive', { created: now - 5 }, shown));
    const more = await eventually(
      () => use('acme', { feature: 'calls', quantity: 10 }),
      ({ status }) => status === 201,
    );
    expect(more.body).toMatchObject({
      limits: [
        { window: 'day', limit: 80, used: 60 },
        { window: 'month', limit: 90, used: 60 },
      ],
    });
    expect((await use('acme', { feature: 'export' })).body).toMatchObject({ limits: [] });
    const ended = { status: 'canceled', ended_at: now, canceled_at: now };
    await send(stripeEvent('customer.subscription.deleted.endive', { created: now }, { ...shown, ...ended }));
    const refused = await eventually(
      () => use('acme', { feature: 'export' }),
      ({ status }) => status === 403,
    );
    expect(refused.body.code).toBe('feature_not_in_plan');
    expect((await use('acme', { feature: 'calls' })).body).toMatchObject({ code: 'usage_limit_exceeded', limit: 50 });
  });
});
