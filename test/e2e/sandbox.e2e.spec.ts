import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import Stripe from 'stripe';
import { loadConfig } from '../../apps/stripe-sandbox/config.js';
import type { RunningSandbox } from '../../apps/stripe-sandbox/http/server.js';
import { startSandbox } from '../../apps/stripe-sandbox/http/server.js';

const DAY = 86_400;
const start = 1_767_225_600; // 2026-01-01T00:00:00Z
const secret = 'whsec_sandbox_test';

type Received = { readonly event: Stripe.Event; readonly body: string; readonly signature: string };

let sandbox: RunningSandbox;
let stripe: Stripe;
let received: Received[] = [];
let answerWith = 200;

const receiver = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts).toString('utf8');
    const signature = String(request.headers['stripe-signature']);
    if (answerWith === 200)
      received.push({ event: stripe.webhooks.constructEvent(body, signature, secret), body, signature });
    response.writeHead(answerWith).end();
  });
});

async function control<T = Record<string, unknown>>(method: string, path: string, body: object = {}): Promise<T> {
  const response = await fetch(`${sandbox.url}/_sandbox${path}`, {
    method,
    ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as T;
  if (!response.ok) throw new Error(JSON.stringify(answer));
  return answer;
}

const advance = (seconds: number): Promise<unknown> => control('POST', '/clock', { by: seconds });
const settle = (): Promise<unknown> => control('POST', '/settle');
const types = (): string[] => received.map(({ event }) => event.type);
const dataOf = <T>(type: string): T[] =>
  received.filter(({ event }) => event.type === type).map(({ event }) => event.data.object as T);

/** The types that came since the last call, after everything due was sent. */
async function since(): Promise<string[]> {
  await settle();
  const seen = types();
  received = [];
  return seen;
}

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/webhook`;
  sandbox = await startSandbox(
    loadConfig({
      SANDBOX_PORT: '0',
      SANDBOX_START_TIME: String(start),
      SANDBOX_WEBHOOK_URL: url,
      SANDBOX_WEBHOOK_SECRET: secret,
      SANDBOX_WEBHOOK_CONCURRENCY: '1',
    }),
  );
  stripe = new Stripe('sk_test_123', {
    host: '127.0.0.1',
    port: Number(new URL(sandbox.url).port),
    protocol: 'http',
    telemetry: false,
    maxNetworkRetries: 0,
  });
});

afterAll(async () => {
  await sandbox.close();
  await new Promise((resolve) => receiver.close(resolve));
});

beforeEach(async () => {
  answerWith = 200;
  await control('POST', '/reset');
  await control('POST', '/clock', { freeze: true });
  received = [];
});

async function monthly(amount = 2000, interval: 'month' | 'year' = 'month'): Promise<Stripe.Price> {
  return stripe.prices.create({
    currency: 'usd',
    unit_amount: amount,
    recurring: { interval },
    product_data: { name: `Plan ${amount}` },
  });
}

async function payingCustomer(card = 'pm_card_visa'): Promise<Stripe.Customer> {
  const customer = await stripe.customers.create({
    email: 'jenny@example.com',
    name: 'Jenny',
    metadata: { account_id: 'acc_1' },
  });
  const method = await stripe.paymentMethods.attach(card, { customer: customer.id });
  return stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
}

describe('one-off payments', () => {
  it('a checkout top-up by card', async () => {
    const session = await stripe.checkout.sessions.create({
      mode: 'payment',
      client_reference_id: 'acc_1',
      metadata: { credits: '500' },
      line_items: [{ quantity: 2, price_data: { currency: 'usd', unit_amount: 1500, product_data: { name: 'Pack' } } }],
      success_url: 'http://127.0.0.1/ok?session_id={CHECKOUT_SESSION_ID}',
    });
    expect(session).toMatchObject({
      amount_total: 3000,
      payment_status: 'unpaid',
      status: 'open',
      payment_intent: null,
      ui_mode: 'hosted_page',
    });
    await since();
    await control('POST', `/checkout/${session.id}/complete`, { card: '4242424242424242' });
    expect(await since()).toEqual([
      'charge.succeeded',
      'payment_intent.succeeded',
      'payment_intent.created',
      'checkout.session.completed',
    ]);
    const paid = await stripe.checkout.sessions.retrieve(session.id, {
      expand: ['line_items', 'payment_intent.latest_charge'],
    });
    expect(paid).toMatchObject({
      payment_status: 'paid',
      status: 'complete',
      client_reference_id: 'acc_1',
      metadata: { credits: '500' },
      url: null,
    });
    expect(paid.line_items?.data[0]).toMatchObject({ quantity: 2, amount_total: 3000 });
    const intent = paid.payment_intent as Stripe.PaymentIntent;
    expect((intent.latest_charge as Stripe.Charge).amount_captured).toBe(3000);
    expect('sandbox' in intent).toBe(false);
  });
});

describe('subscriptions', () => {
  it('starts, renews after its draft hour, and keeps renewing for two years', async () => {
    const price = await monthly();
    const customer = await payingCustomer();
    await since();
    const subscription = await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      metadata: { account_id: 'acc_1', plan: 'starter' },
      expand: ['latest_invoice.payments'],
    });
    expect(subscription.status).toBe('active');
    const invoice = subscription.latest_invoice as Stripe.Invoice;
    expect(invoice.payments?.data[0]?.payment.type).toBe('payment_intent');
    expect(invoice.parent?.subscription_details?.metadata).toEqual({ account_id: 'acc_1', plan: 'starter' });
    expect(await since()).toEqual([
      'charge.succeeded',
      'customer.updated',
      'customer.subscription.created',
      'payment_intent.created',
      'payment_intent.succeeded',
      'invoice.created',
      'invoice.finalized',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
    ]);

    await advance(31 * DAY);
    expect(types()).toEqual(['invoice.upcoming', 'invoice.created', 'customer.subscription.updated']);
    const updated = received.find(({ event }) => event.type === 'customer.subscription.updated')?.event;
    expect(updated?.data.previous_attributes).toMatchObject({
      latest_invoice: invoice.id,
      items: { data: [{ current_period_start: start }] },
    });
    expect(updated?.request).toEqual({ id: null, idempotency_key: null });
    expect(dataOf<Stripe.Invoice>('invoice.upcoming')[0]).not.toHaveProperty('id');
    received = [];
    await advance(3600);
    expect(types()).toEqual([
      'invoice.finalized',
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice_payment.paid',
    ]);
    const paid = dataOf<Stripe.Invoice>('invoice.paid')[0];
    expect(paid).toMatchObject({
      billing_reason: 'subscription_cycle',
      amount_paid: 2000,
      status: 'paid',
      attempt_count: 1,
    });
    expect(paid?.lines.data[0]).toMatchObject({ period: { start: start + 31 * DAY, end: start + 59 * DAY } });

    received = [];
    await advance(2 * 365 * DAY);
    const cycles = dataOf<Stripe.Invoice>('invoice.paid');
    expect(cycles).toHaveLength(24);
    expect(new Set(cycles.map((one) => one.lines.data[0]?.period.start)).size).toBe(24);
  });
});
