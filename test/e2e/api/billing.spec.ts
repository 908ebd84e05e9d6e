import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Stripe from 'stripe';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { eventually } from '../../support/eventually.js';
import { RunningScrip, webhookSecret } from '../../support/processes/running-scrip.js';
import { stripeEvent, type StripeEventBody } from '../../support/stripe/events.js';
let scrip: RunningScrip;
let api: ApiClient;

async function send(body: StripeEventBody): Promise<void> {
  const payload = JSON.stringify(body);
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret: webhookSecret });
  const headers = { 'stripe-signature': signature };
  expect((await api.call('POST', '/v1/webhooks/stripe', { body: payload, token: null, headers })).status).toBe(200);
}

const seconds = Math.floor(Date.now() / 1000);
const month = { start: seconds, end: seconds + 30 * 86_400 };

/** A subscription and its first invoice, of a month that begins now. */
async function subscribe(): Promise<void> {
  const { items } = stripeEvent('customer.subscription.created.endive').data.object as { items: { data: object[] } };
  const item = { ...items.data[0], current_period_start: month.start, current_period_end: month.end };
  await send(stripeEvent('customer.subscription.created.endive', {}, { items: { ...items, data: [item] } }));
  const { lines } = stripeEvent('invoice.paid.endive').data.object as { lines: { data: object[] } };
  const line = { ...lines.data[0], period: month };
  await send(stripeEvent('invoice.paid.endive', {}, { payments: null, lines: { ...lines, data: [line] } }));
}

beforeAll(async () => {
  scrip = await RunningScrip.prepare();
  const [{ client }] = await Promise.all([scrip.startApi(), scrip.startWorker()]);
  api = client;
});

afterAll(() => scrip.stop());

const get = (route: string): Promise<ApiAnswer> => api.get(`/v1/customers/acme/${route}`);

describe('a customer’s billing over HTTP', () => {
  test('is empty for who never bought anything', async () => {
    expect((await get('subscription')).body).toMatchObject({ status: 404, code: 'subscription_not_found' });
    expect((await get('status')).body).toMatchObject({ status: 404, code: 'customer_not_found' });
    expect((await get('payments')).body).toMatchObject({ data: [], hasMore: false, nextCursor: null });
    expect((await get('invoices?limit=0')).status).toBe(400);
  });

  test('tells of the plan, the period, the credits, payments and invoices, and what a refund left', async () => {
    await send(stripeEvent('checkout.session.completed.subscription.endive'));
    await subscribe();
    await send(stripeEvent('invoice_payment.paid.endive'));
    await send(stripeEvent('refund.updated.endive', {}, { payment_intent: 'pi_sub_1', amount: 580 }));
    const status = await eventually(
      () => get('status'),
      ({ body }) => /"available":375.*"recentInvoices":\[\{/.test(JSON.stringify(body)) && body['status'] === 'active',
    );
    expect(status.body).toMatchObject({
      customerId: 'acme',
      plan: { id: 'starter', name: 'Starter' },
      status: 'active',
      entitled: true,
      period: { start: new Date(month.start * 1000).toISOString(), end: new Date(month.end * 1000).toISOString() },
      credits: { available: 375, held: 0, debt: 0, limit: 500, usage: { consumed: 0 } },
      nextInvoice: { at: new Date(month.end * 1000).toISOString(), amount: { amount: 2000, currency: 'usd' } },
      recentInvoices: [{ id: 'in_1', status: 'paid' }],
    });
    const used = await api.call('POST', '/v1/customers/acme/consumptions', {
      headers: { 'idempotency-key': 'usage' },
      body: { amount: 75 },
    });
    const fresh = `minPosition=${String(used.body['position'])}`;
    const usage = {
      periodStart: new Date(month.start * 1000).toISOString(),
      periodEnd: new Date(month.end * 1000).toISOString(),
      consumed: 75,
      limit: 500,
    };
    expect((await get(`status?${fresh}`)).body['credits']).toMatchObject({ usage, limit: 500 });
    expect((await get(`balance?${fresh}`)).body['usage']).toEqual(usage);
    expect((await get(`balance?at=${new Date().toISOString()}`)).body['usage']).toEqual(usage);
    expect((await get('subscription')).body).toMatchObject({ id: 'sub_1', plan: { id: 'starter' }, interval: 'month' });
    const payments = await eventually(
      () => get('payments'),
      ({ body }) => JSON.stringify(body).includes('partially_refunded'),
    );
    expect(payments.body['data']).toMatchObject([{ id: 'in_1', refunded: { amount: 580, currency: 'usd' } }]);
    expect((await get('invoices')).body['data']).toMatchObject([{ id: 'in_1', number: 'A1B2C3-0001' }]);
  });
});
