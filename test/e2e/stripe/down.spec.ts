import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ApiClient } from '../../support/api/client.js';
import { catalog } from '../../support/ledger/catalog.js';
import { eventually } from '../../support/eventually.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { SandboxProcess } from '../../support/processes/sandbox.js';

let scrip: RunningScrip;
let sandbox: SandboxProcess;
let api: ApiClient;

beforeAll(async () => {
  [scrip, sandbox] = await Promise.all([RunningScrip.prepare(), SandboxProcess.start()]);
  await scrip.writer.applyCatalog(await sandbox.priced(catalog));
  const env = { STRIPE_SECRET_KEY: 'sk_test_sandbox_key', STRIPE_API_BASE: sandbox.url };
  [{ client: api }] = await Promise.all([scrip.startApi(env), scrip.startWorker(env)]);
  await sandbox.control('POST', '/webhook_endpoints', { url: `${api.url}/v1/webhooks/stripe`, secret: webhookSecret });
});

afterAll(async () => {
  await Promise.all([scrip.stop(), sandbox.process.stop()]);
});

const successUrl = 'https://app.example/done';
const pack = { mode: 'credits', creditProduct: 'credits_1000', successUrl };
const checkout = (customer: string, key: string) => api.post(`/v1/customers/${customer}/checkout-sessions`, pack, key);
const available = async (customer: string) => (await api.get(`/v1/customers/${customer}/balance`)).body.available;

test('while Stripe is down for an hour buyers are told what to do, credits go on, and webhooks catch up', async () => {
  const bought = await checkout('early', 'k');
  expect(bought.status).toBe(201);
  // Paid just before: its webhooks are on their way for an hour.
  await sandbox.control('POST', '/clock', { freeze: true });
  await sandbox.control('POST', '/faults', { delaySeconds: 3600 });
  await sandbox.control('POST', `/checkout/${bought.body.id}/complete`, { card: '4242424242424242' });
  await sandbox.control('POST', '/faults', { requests: [{ fault: 'server_error', times: 100_000 }], delaySeconds: 0 });

  const answer = await checkout('late', 'k');
  expect([answer.status, answer.body.code]).toEqual([503, 'stripe_unavailable']);
  expect(answer.body['detail']).toContain('send it again with the same key');
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  // Nothing answers: after a few failures nobody waits for it any more.
  await checkout('late', 'k');
  const waits: number[] = [];
  for (let n = 0; n < 3; n += 1) {
    const started = performance.now();
    expect((await checkout('late', 'k')).status).toBe(503);
    waits.push(performance.now() - started);
  }
  expect(Math.min(...waits)).toBeLessThan(1000);

  const granted = await api.post('/v1/customers/late/grants', { amount: 50, source: 'promotion' }, 'grant');
  const spent = await api.post('/v1/customers/late/consumptions', { amount: 20 }, 'use');
  expect([granted.status, spent.status, await available('early')]).toEqual([201, 201, 0]);

  await sandbox.control('DELETE', '/faults');
  await sandbox.control('POST', '/clock', { by: 3601 });
  await sandbox.control('POST', '/settle');
  const caughtUp = await eventually(
    () => available('early'),
    (credits) => credits === 1000,
  );
  expect(caughtUp).toBe(1000);
  const again = await eventually(
    () => api.post('/v1/customers/late/payment-intents', { amount: 500, currency: 'usd' }, 'pay'),
    ({ status }) => status !== 503,
  );
  expect(again.status).toBe(201);
  const { data } = await sandbox.stripe.customers.list({ limit: 100 });
  expect(data.filter(({ metadata }) => metadata['customer_id'] === 'late').length).toBe(1);
});

test('a Stripe that hangs is waited for ten seconds at most, then others hear at once what to do', async () => {
  await sandbox.control('POST', '/faults', { requests: [{ fault: 'slow', times: 100, milliseconds: 14_000 }] });
  const started = performance.now();
  const waiting = Array.from({ length: 6 }, (_, n) => checkout(`hung-${String(n)}`, 'k'));
  for (const { status, body, headers } of await Promise.all(waiting)) {
    expect([status, body.code]).toEqual([503, 'stripe_unavailable']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  expect(performance.now() - started).toBeLessThan(11_000);
  await sandbox.control('DELETE', '/faults');
  // As often as it is told to, and no more: five links a minute are a customer's limit.
  let again = await checkout('hung-0', 'k');
  for (let tries = 0; again.status === 503 && tries < 4; tries += 1) {
    await setTimeout(Number(again.headers.get('retry-after')) * 1000);
    again = await checkout('hung-0', 'k');
  }
  expect(again.status).toBe(201);
  const { data } = await sandbox.stripe.customers.list({ limit: 100 });
  expect(data.filter(({ metadata }) => metadata['customer_id'] === 'hung-0').length).toBe(1);
});
