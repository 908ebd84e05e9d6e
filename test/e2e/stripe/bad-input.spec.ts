import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiClient } from '../../support/api/client.js';
import { eventually } from '../../support/eventually.js';
import { query } from '../../support/databases/postgres.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { stripeEvent } from '../../support/stripe/events.js';

let scrip: RunningScrip;
let api: ApiClient;
let count = 0;

beforeAll(async () => {
  scrip = await RunningScrip.prepare();
  [{ client: api }] = await Promise.all([
    scrip.startApi({ STRIPE_SECRET_KEY: 'sk_test_never_called', STRIPE_API_BASE: 'http://127.0.0.1:9' }),
    scrip.startWorker(),
  ]);
});

afterAll(() => scrip.stop());

const path = '/v1/webhooks/stripe';
const now = (): number => Math.floor(Date.now() / 1000);
const hmac = (body: string, at: number, secret = webhookSecret): string =>
  createHmac('sha256', secret)
    .update(`${String(at)}.${body}`)
    .digest('hex');
const signed = (body: string, at = now(), secret = webhookSecret): string =>
  `t=${String(at)},v1=${hmac(body, at, secret)}`;

/** A paid session of ten credits for `customer`, as no test has sent it before. */
function sale(customer: string, envelope: object = {}, change: object = {}): { id: string; body: string } {
  count += 1;
  const id = `evt_bad_${String(count)}`;
  const event = stripeEvent(
    'checkout.session.completed.endive',
    { id, created: now(), ...envelope },
    {
      ...{ id: `cs_bad_${String(count)}`, payment_intent: `pi_bad_${String(count)}`, created: now() },
      ...{ client_reference_id: customer, customer: `cus_${customer}`, metadata: { credits: '10' }, ...change },
    },
  );
  return { id, body: JSON.stringify({ ...event, ...envelope }) };
}

const post = (body: string, signature?: string) =>
  api.call('POST', path, {
    body,
    token: null,
    headers: signature === undefined ? {} : { 'stripe-signature': signature },
  });
const isKnown = async (id: string): Promise<boolean> =>
  (await query(scrip.database.url, 'select 1 from scrip_log.events where stream = $1', [`stripeEvent-${id}`])).length >
  0;
const available = async (customer: string) => (await api.get(`/v1/customers/${customer}/balance`)).body.available;
const becomes = (customer: string, credits: number) =>
  eventually(
    () => available(customer),
    (answer) => answer === credits,
  );
const parkedAs = (id: string) =>
  eventually(
    async () =>
      (
        (await api.get('/v1/admin/parked-events?limit=200')).body.data as unknown as { id: string; reason: object }[]
      ).find((event) => event.id === id)?.reason,
    (reason) => reason !== undefined,
  );

describe('a signature', () => {
  const refused: [string, (body: string) => string | undefined][] = [
    ['that is missing', () => undefined],
    ['that is empty', () => ''],
    ['of another secret', (body) => signed(body, now(), 'whsec_forged')],
    ['of another body', (body) => signed(`${body} `)],
    ['that is too old', (body) => signed(body, now() - 302)],
    ['of a time to come', (body) => signed(body, now() + 310)],
    ['whose time was renewed', (body) => `t=${String(now())},v1=${hmac(body, now() - 1000)}`],
    ['that is cut short', (body) => signed(body).slice(0, -1)],
    ['without its time', (body) => `v1=${hmac(body, now())}`],
    ['without its sum', () => `t=${String(now())}`],
    ['with two times', (body) => `t=${String(now() - 1000)},${signed(body)}`],
    ['of the scheme for tests only', (body) => `t=${String(now())},v0=${hmac(body, now())}`],
    ['that is no signature', () => 'Bearer x'],
    ['with an endless time', (body) => `t=99999999999999999999,v1=${hmac(body, now())}`],
  ];

  test.each(refused)('%s is refused, and nothing is recorded', async (_what, sign) => {
    const { id, body } = sale('nobody');
    const answer = await post(body, sign(body));
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_signature']);
    expect(await isKnown(id)).toBe(false);
  });

  test('that is sent in two headers is refused', async () => {
    const { id, body } = sale('nobody');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'stripe-signature': [signed(body), signed(body)] };
      const sent = request(api.url + path, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.end(body);
    });
    expect([status, await isKnown(id)]).toEqual([400, false]);
  });

  const taken: [string, (body: string) => string][] = [
    ['a little old', (body) => signed(body, now() - 295)],
    ['of a clock that is ahead', (body) => signed(body, now() + 295)],
    ['of the secret that is being replaced', (body) => signed(body, now(), 'whsec_older_secret')],
    [
      'of several secrets, one of them ours',
      (body) => `${signed(body, now(), 'whsec_theirs')},v1=${hmac(body, now())}`,
    ],
    ['given twice', (body) => `${signed(body)},v1=${hmac(body, now())}`],
    ['with what Stripe may add', (body) => `${signed(body)},v0=abc,x=1`],
  ];

  test.each(taken)('%s is taken', async (_what, sign) => {
    const { id, body } = sale('signed');
    expect((await post(body, sign(body))).body).toEqual({ received: true, duplicate: false });
    expect(await isKnown(id)).toBe(true);
  });

  test('that was good brings its credits once, also when the body is sent again under another', async () => {
    await becomes('signed', 10 * taken.length);
    const { body } = sale('again');
    await post(body, signed(body));
    expect((await post(body, signed(body, now() - 7))).body).toEqual({ received: true, duplicate: true });
    await becomes('again', 10);
  });
});

describe('a large body', () => {
  const withPadding = (bytes: number) => {
    const { id, body } = sale('large');
    const padding = 'x'.repeat(bytes - body.length - 12);
    return { id, body: `${body.slice(0, -1)},"padding":"${padding}"}`.padEnd(bytes, ' ') };
  };

  test('of five megabytes is taken', async () => {
    const { id, body } = withPadding(5_000_000);
    expect((await post(body, signed(body))).status).toBe(200);
    expect(await isKnown(id)).toBe(true);
    await becomes('large', 10);
  });

  test('beyond is refused, and nothing is recorded', async () => {
    const { id, body } = withPadding(5 * 1_048_576 + 1);
    const answer = await post(body, signed(body));
    expect([answer.status, answer.body.code, await isKnown(id)]).toEqual([413, 'payload_too_large', false]);
    expect(answer.body['detail']).toBe('Send at most 5 MiB.');
  });

  test('beyond is answered, and read to its end, so that a client that is still sending sees it', async () => {
    const { hostname, port } = new URL(api.url);
    const length = 6 * 1_048_576;
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    const closed = new Promise((resolve, reject) => socket.on('close', resolve).on('error', reject));
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${String(length)}\r\n\r\n`,
    );
    for (let part = 0; part < 6; part += 1) {
      await sleep(50);
      socket.write(Buffer.alloc(length / 6, 'x'));
    }
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await closed;
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
  });
});

describe('money that is not ours', () => {
  test('of the other mode is kept and told, and moves nothing', async () => {
    const { id, body } = sale('livemode', { livemode: true });
    expect((await post(body, signed(body))).status).toBe(200);
    expect(await parkedAs(id)).toEqual({
      code: 'wrong_mode',
      subject: null,
      detail: expect.stringContaining('the event is of live mode, this installation of test mode'),
    });
    expect((await api.get('/v1/customers/livemode/balance')).status).toBe(404);
  });

  test('of a connected account is kept and told, and moves nothing', async () => {
    const { id, body } = sale('connected', { account: 'acct_1' });
    expect((await post(body, signed(body))).status).toBe(200);
    expect(await parkedAs(id)).toMatchObject({ code: 'connected_account' });
    expect((await api.get('/v1/customers/connected/balance')).status).toBe(404);
  });
});

describe('a customer that is linked twice', () => {
  test('is found by both of its Stripe customers', async () => {
    for (const customer of ['cus_first', 'cus_second']) {
      const { body } = sale('twice', {}, { customer });
      await post(body, signed(body));
    }
    await becomes('twice', 20);
    for (const customer of ['cus_first', 'cus_second']) {
      const { body } = sale('twice', {}, { customer, client_reference_id: null });
      await post(body, signed(body));
    }
    await becomes('twice', 40);
  });

  test('keeps a Stripe customer that another one claims later; what names the other goes there', async () => {
    const mine = sale('mine', {}, { customer: 'cus_shared' });
    await post(mine.body, signed(mine.body));
    await becomes('mine', 10);
    const theirs = sale('theirs', {}, { customer: 'cus_shared' });
    await post(theirs.body, signed(theirs.body));
    await becomes('theirs', 10);
    const unnamed = sale('mine', {}, { customer: 'cus_shared', client_reference_id: null });
    await post(unnamed.body, signed(unnamed.body));
    await becomes('mine', 20);
    expect(await available('theirs')).toBe(10);
  });
});

test.each([
  ['an hour ahead', 3600],
  ['a day ahead', 86_400],
  ['a year behind', -365 * 86_400],
])('an event of a clock %s brings its credits now', async (what, offset) => {
  const customer = `skew${what.length}`;
  const created = now() + offset;
  const { body } = sale(customer, { created }, { created });
  expect((await post(body, signed(body))).status).toBe(200);
  await becomes(customer, 10);
  const spent = await api.post(`/v1/customers/${customer}/consumptions`, { amount: 10 }, 'all');
  expect(spent.status).toBe(201);
});

test('nothing of all this has stopped anything: every other event is worked off', async () => {
  const waiting = await eventually(
    () =>
      query(
        scrip.database.url,
        `select stream from scrip_log.events group by stream
          having stream like 'stripeEvent-%' and max(revision) = 0`,
      ),
    ({ length }) => length === 0,
  );
  expect(waiting).toEqual([]);
});
