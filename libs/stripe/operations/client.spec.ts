import { beforeEach, describe, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { ManualClock } from '../../../test/support/worlds/manual-clock.js';
import { StripeClient } from './client.js';

type Reply = { readonly status: number; readonly body: unknown; readonly raw?: boolean } | 'cut';
const customer: Reply = { status: 200, body: { id: 'cus_1', object: 'customer' } };
const error = (status: number, code = 'x', type = 'api_error'): Reply => ({
  status,
  body: { error: { type, code, message: 'secret@example.com' } },
});

let clock: ManualClock;
let requests: { url: string; headers: Record<string, string> }[];
let replies: Reply[];
let client: StripeClient;

const fetch = (async (url: string, init: { headers: [string, string][] | Record<string, string> }) => {
  const headers = Object.fromEntries(new Headers(init.headers));
  requests.push({ url, headers });
  const reply = replies.length > 1 ? replies.shift()! : replies[0]!;
  await Promise.resolve();
  if (reply === 'cut') throw new TypeError('fetch failed');
  return new Response(reply.raw ? String(reply.body) : JSON.stringify(reply.body), { status: reply.status });
}) as unknown as typeof globalThis.fetch;

const create = () =>
  client.ask('customer', (stripe) => stripe.customers.create({ metadata: { a: 'b' } }, { idempotencyKey: 'key-1' }));

beforeEach(() => {
  clock = new ManualClock();
  requests = [];
  replies = [customer];
  client = new StripeClient({
    secretKey: 'sk_test_12345678',
    apiBase: 'http://127.0.0.1:1',
    livemode: false,
    clock,
    fetch,
  });
});

describe('a call to Stripe', () => {
  test('goes to the address, without telemetry, with our key', async () => {
    await create();
    await create();
    expect(requests.map(({ url }) => url)).toEqual(Array(2).fill('http://127.0.0.1:1/v1/customers'));
    for (const { headers } of requests) {
      expect(headers['idempotency-key']).toBe('key-1');
      expect(Object.keys(headers)).not.toContain('x-stripe-client-telemetry');
    }
  });

  test.each([[error(429)], [error(409)], [error(500)], [error(503)], ['cut' as const]])(
    'is repeated with the same key after %j, with growing pauses',
    async (reply) => {
      replies = [reply, reply, customer];
      const started = clock.now();
      expect(await create()).toMatchObject({ kind: 'answered', value: { id: 'cus_1' } });
      expect(requests.map(({ headers }) => headers['idempotency-key'])).toEqual(['key-1', 'key-1', 'key-1']);
      expect(clock.now() - started).toBe(225 + 450);
    },
  );

  test('is given up after four attempts', async () => {
    replies = [error(429)];
    expect(await create()).toEqual({ kind: 'unavailable', retryAfterSeconds: 5 });
    expect(requests.length).toBe(4);
  });

  test('that Stripe refuses is not repeated, and its message goes nowhere', async () => {
    replies = [error(400, 'resource_missing', 'invalid_request_error')];
    expect(await create()).toEqual({ kind: 'refused', status: 400, code: 'resource_missing', param: null });
    expect(requests.length).toBe(1);
  });

  test.each([{ message: 'Not Found' }, { object: 'customer' }, { object: 'list', data: [] }, {}])(
    'is not believed an answer such as %j',
    async (body) => {
      replies = [{ status: 200, body }];
      expect((await create()).kind).toBe('unavailable');
    },
  );

  test.each([
    ['of the other mode', { status: 200, body: { id: 'cus_1', object: 'customer', livemode: true } }],
    ['an error that says it is a success', { status: 200, body: { error: { type: 'api_error', code: 'x' } } }],
    ['a page', { status: 200, body: '<html>Welcome</html>', raw: true }],
    ['a page of an error', { status: 502, body: '<html>Bad gateway</html>', raw: true }],
  ])('is not believed an answer that is %s', async (_what, reply) => {
    replies = [reply];
    expect(await create()).toEqual({ kind: 'unavailable', retryAfterSeconds: 5 });
    expect(requests.length).toBe(4);
  });

  test('is not believed an answer about somebody else', async () => {
    const answer = client.ask(
      'customer',
      (stripe) => stripe.customers.retrieve('cus_2'),
      ({ id }) => id === 'cus_2',
    );
    expect(await answer).toMatchObject({ kind: 'unavailable' });
  });

  test('is not made while the circuit is open; one trial closes it', async () => {
    replies = ['cut'];
    await create();
    expect(await create()).toEqual({ kind: 'unavailable', retryAfterSeconds: 5 });
    expect(requests.length).toBe(5);
    expect((await create()).kind).toBe('unavailable');
    expect(requests.length).toBe(5);
    await clock.sleep(5_000);
    expect(await create()).toEqual({ kind: 'unavailable', retryAfterSeconds: 10 });
    expect(requests.length).toBe(6);
    await clock.sleep(10_000);
    replies = [customer];
    expect((await create()).kind).toBe('answered');
    expect((await create()).kind).toBe('answered');
  });

  test('is waited for only so long, all calls together, and what nobody waits for opens the circuit', async () => {
    const cut: ((reason: Error) => void)[] = [];
    const silent = (() => new Promise((_, reject) => cut.push(reject))) as typeof globalThis.fetch;
    const options = { secretKey: 'sk_test_12345678', apiBase: null, livemode: false, clock: new SystemClock() };
    const hanging = new StripeClient({ ...options, fetch: silent });
    const retrieve = (by: StripeClient) => by.ask('customer', (stripe) => stripe.customers.retrieve('cus_1'));
    const started = performance.now();
    const hurried = hanging.within(100);
    for (let calls = 0; calls < 3; calls += 1)
      expect(await retrieve(hurried)).toEqual({ kind: 'unavailable', retryAfterSeconds: 5 });
    expect([cut.length, performance.now() - started > 90]).toEqual([1, true]);
    await Promise.all(Array.from({ length: 4 }, () => retrieve(hanging.within(100))));
    expect(await retrieve(hanging)).toMatchObject({ kind: 'unavailable' });
    expect(cut.length).toBe(5);
    for (const reject of cut) reject(new TypeError('fetch failed'));
  });

  test('a refusal or a rate limit does not open the circuit', async () => {
    replies = [error(429)];
    await create();
    await create();
    replies = [error(404, 'resource_missing', 'invalid_request_error')];
    for (let count = 0; count < 6; count += 1) expect((await create()).kind).toBe('refused');
  });
});
