import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Stripe from 'stripe';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { eventually } from '../../support/eventually.js';
import { query } from '../../support/databases/postgres.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { stripeEvent, type StripeEventBody } from '../../support/stripe/events.js';

let scrip: RunningScrip;
let api: ApiClient;

beforeAll(async () => {
  scrip = await RunningScrip.prepare();
  const [{ client }] = await Promise.all([scrip.startApi(), scrip.startWorker()]);
  api = client;
});

afterAll(() => scrip.stop());

function send(body: StripeEventBody | string, secret = webhookSecret): Promise<ApiAnswer> {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret });
  return api.call('POST', '/v1/webhooks/stripe', {
    body: payload,
    token: null,
    headers: { 'stripe-signature': signature },
  });
}

const available = async (customer: string): Promise<unknown> =>
  (await api.get(`/v1/customers/${customer}/balance`)).body.available;
const becomes = (customer: string, credits: number) =>
  eventually(
    () => available(customer),
    (answer) => answer === credits,
  );

describe('a webhook', () => {
  test('of a paid session becomes a balance, once, however often and under whatever id it is told', async () => {
    expect((await send(stripeEvent('checkout.session.completed.endive'))).body).toEqual({
      received: true,
      duplicate: false,
    });
    expect((await send(stripeEvent('checkout.session.completed.endive'))).body).toEqual({
      received: true,
      duplicate: true,
    });
    await send(stripeEvent('checkout.session.completed.acacia'));
    await send(stripeEvent('checkout.session.async_payment_succeeded.endive'));
    await becomes('acme', 2000);
    await send(stripeEvent('checkout.session.completed.endive', { id: 'evt_late' }));
    await eventually(
      () =>
        query(
          scrip.database.url,
          `select type from scrip_log.events where stream = 'stripeEvent-evt_late' order by revision`,
        ),
      (events) => events.at(-1)?.['type'] === 'StripeEventTranslated',
    );
    expect(await available('acme')).toBe(2000);
  });

  test('leaves nothing of a person in the log', async () => {
    const rows = await query(scrip.database.url, `select data, metadata from scrip_log.events`);
    const text = JSON.stringify(rows.map(({ data, metadata }) => [String(data), String(metadata)])).toLowerCase();
    expect(text).toContain('cs_test_1');
    for (const personal of ['jenny', 'rosen', '4917', 'linden', 'berlin']) expect(text).not.toContain(personal);
  });

  test('with a wrong signature is refused, and nothing is recorded', async () => {
    const answer = await send(stripeEvent('checkout.session.completed.endive', { id: 'evt_forged' }), 'whsec_forged');
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_signature']);
    expect(
      await query(scrip.database.url, `select 1 from scrip_log.events where stream = 'stripeEvent-evt_forged'`),
    ).toEqual([]);
  });

  test.each([
    '{"id":',
    '[]',
    '{"object":"v2.core.event","id":"evt_thin"}',
    '{"id":"evt_odd","type":"invoice.paid","data":{"object":{"lines":7}}}',
  ])('of Stripe with the body %s is taken without complaint', async (body) => {
    expect((await send(body)).status).toBe(200);
  });

  test('that cannot be understood is parked, listed with its reason, and translated after a fix', async () => {
    const start = Math.floor(Date.now() / 1000);
    const { lines } = stripeEvent('invoice.paid.endive').data.object as { lines: { data: object[] } };
    const now = { ...lines, data: [{ ...lines.data[0], period: { start, end: start + 30 * 86_400 } }] };
    await send(stripeEvent('invoice.paid.endive', {}, { customer: 'cus_unheard', lines: now }));
    const parked = async () => (await api.get('/v1/admin/parked-events')).body.data;
    const listed = await eventually(parked, (list) => JSON.stringify(list).includes('cus_unheard'));
    expect(JSON.stringify(listed)).toContain('unknown_customer');
    await send(
      stripeEvent(
        'checkout.session.completed.subscription.endive',
        {},
        { customer: 'cus_unheard', client_reference_id: 'subscriber' },
      ),
    );
    await becomes('subscriber', 500);
    await eventually(parked, (list) => !JSON.stringify(list).includes('cus_unheard'));
  });
});

describe('parked events of other software', () => {
  const foreign = 551;
  const list = async (query = '') => (await api.get(`/v1/admin/parked-events?limit=200${query}`)).body;
  const setAside = (body: object) => api.post('/v1/admin/parked-events/set-aside', body);

  beforeAll(async () => {
    const bodies = Array.from({ length: foreign }, (_, index) =>
      stripeEvent(
        'invoice.paid.endive',
        { id: `evt_foreign.v1:${String(index)}-x` },
        { id: `in_foreign_${String(index)}`, customer: `cus_foreign_${String(index % 3)}` },
      ),
    );
    for (let start = 0; start < foreign; start += 50)
      await Promise.all(bodies.slice(start, start + 50).map((body) => send(body)));
    await eventually(
      () => query(scrip.database.url, `select 1 from scrip_app.inbox_parked where code = 'unknown_customer'`),
      ({ length }) => length >= foreign,
    );
    await eventually(
      () => list('&reason=unknown_customer&subject=cus_foreign_2'),
      ({ data }) => data.length === Math.floor(foreign / 3),
    );
  });

  test('are filtered by reason, type and subject', async () => {
    expect((await list('&reason=unknown_price')).data).toEqual([]);
    expect((await list('&type=invoice.created')).data).toEqual([]);
    const { data } = await list('&type=invoice.paid&subject=cus_foreign_1');
    expect(data).toHaveLength(Math.ceil(foreign / 3));
    expect(data[0]).toMatchObject({ status: 'parked', setAside: null, reason: { subject: 'cus_foreign_1' } });
  });

  test('are set aside one by one with a reason, which a retry undoes', async () => {
    const id = 'evt_foreign.v1:0-x';
    const one = await api.post(`/v1/admin/parked-events/${id}/set-aside`, { reason: 'a test of the shop' });
    expect([one.status, one.body]).toEqual([200, { id, setAside: true }]);
    const listed = await eventually(
      () => list('&status=set_aside'),
      ({ data }) => data.some((event) => event.id === id),
    );
    expect(listed.data.find((event) => event.id === id)).toMatchObject({
      status: 'set_aside',
      setAside: { by: expect.any(String), reason: 'a test of the shop' },
    });
    await api.post(`/v1/admin/parked-events/${id}/retry`, undefined);
    await eventually(
      () => list('&status=set_aside'),
      ({ data }) => data.length === 0,
    );
    expect((await api.post('/v1/admin/parked-events/evt_nothing/set-aside', { reason: 'x' })).body.code).toBe(
      'stripe_event_not_found',
    );
  });

  test('are set aside in bulk, by ids or by a filter that says something', async () => {
    expect((await setAside({ reason: 'x' })).body.code).toBe('invalid_request');
    expect((await setAside({ reason: 'x', filter: {} })).body.code).toBe('invalid_request');
    expect((await setAside({ filter: { reason: 'unknown_customer' } })).body.code).toBe('invalid_request');
    const named = await setAside({ reason: 'named', ids: ['evt_foreign.v1:1-x', 'evt_foreign.v1:2-x', 'evt_nothing'] });
    expect(named.body).toEqual({ setAside: 2, hasMore: false });
    const before = Date.now();
    const all = await setAside({ reason: 'of the shop', filter: { reason: 'unknown_customer' } });
    expect([all.status, all.body['hasMore']]).toEqual([200, false]);
    expect(Number(all.body['setAside'])).toBeGreaterThanOrEqual(foreign - 2);
    expect(Date.now() - before).toBeLessThan(10_000);
    await eventually(
      () => list('&reason=unknown_customer'),
      ({ data }) => data.length === 0,
    );
  });

  test('are no business of anybody but an administrator', async () => {
    for (const path of ['set-aside', 'evt_foreign.v1:3-x/set-aside']) {
      const answer = await api.post(`/v1/admin/parked-events/${path}`, { reason: 'x' }, undefined, { token: null });
      expect(answer.status).toBe(401);
    }
  });
});
