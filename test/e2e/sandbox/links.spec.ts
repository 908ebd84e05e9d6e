import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { SandboxWorld } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

async function pack(): Promise<Stripe.Price> {
  const product = await world.stripe.products.create({ name: 'Pack' });
  return world.stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 1000 });
}

const open = (link: Stripe.PaymentLink, body: object = {}): Promise<Stripe.Checkout.Session> =>
  world.control('POST', `/payment_links/${link.id}/open`, body);

describe('payment links', () => {
  it('sell to a new customer, with the metadata of the link', async () => {
    const link = await world.stripe.paymentLinks.create({
      line_items: [{ price: (await pack()).id, quantity: 2 }],
      customer_creation: 'always',
      metadata: { campaign: 'spring' },
      payment_intent_data: { metadata: { a: 'b' } },
    });
    expect(link).toMatchObject({ active: true, currency: 'usd', customer_creation: 'always', restrictions: null });
    const session = await open(link, { clientReferenceId: 'acc_1', email: 'other@example.com' });
    expect(session).toMatchObject({
      payment_link: link.id,
      client_reference_id: 'acc_1',
      amount_total: 2000,
      mode: 'payment',
      metadata: { campaign: 'spring' },
    });
    await world.since();
    await world.control('POST', `/checkout/${session.id}/complete`);
    expect(await world.since()).toEqual([
      'customer.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'payment_intent.created',
      'checkout.session.completed',
    ]);
    const done = await world.stripe.checkout.sessions.retrieve(session.id, { expand: ['customer', 'payment_intent'] });
    expect(done).toMatchObject({
      payment_status: 'paid',
      customer: { email: 'other@example.com', metadata: {} },
      payment_intent: { metadata: { a: 'b' } },
    });
    const listed = await world.stripe.checkout.sessions.list({ payment_link: link.id });
    expect(listed.data.map(({ id }) => id)).toEqual([session.id]);
    expect((await world.stripe.paymentLinks.listLineItems(link.id)).data[0]).toMatchObject({ quantity: 2 });
  });

  it('sell subscriptions, each to a customer of its own, as often as they may', async () => {
    const link = await world.stripe.paymentLinks.create({
      line_items: [{ price: (await world.price()).id, quantity: 1 }],
      subscription_data: { metadata: { plan: 'pro' } },
      restrictions: { completed_sessions: { limit: 2 } },
    });
    const customers = new Set<unknown>();
    for (let time = 1; time <= 2; time += 1) {
      const session = await open(link);
      const done = await world.control('POST', `/checkout/${session.id}/complete`);
      customers.add(done['customer']);
      const subscription = await world.stripe.subscriptions.retrieve(done['subscription'] as string);
      expect(subscription.metadata).toEqual({ plan: 'pro' });
    }
    expect(customers.size).toBe(2);
    expect(await world.stripe.paymentLinks.retrieve(link.id)).toMatchObject({
      active: false,
      restrictions: { completed_sessions: { count: 2, limit: 2 } },
    });
    await expect(open(link)).rejects.toThrow('no longer active');
    expect((await world.since()).filter((type) => type === 'payment_link.updated')).toHaveLength(2);
  });

  it('lead a browser to a session of its own', async () => {
    const link = await world.stripe.paymentLinks.create({ line_items: [{ price: (await pack()).id, quantity: 1 }] });
    const visit = (): Promise<Response> =>
      fetch(`${link.url}?client_reference_id=acc_1&prefilled_email=x%40example.com`, { redirect: 'manual' });
    const [first, second] = [await visit(), await visit()];
    expect([first.status, second.status]).toEqual([303, 303]);
    expect(first.headers.get('location')).not.toBe(second.headers.get('location'));
    expect(await (await fetch(first.headers.get('location')!)).text()).toContain('Pack');
    await world.stripe.paymentLinks.update(link.id, { active: false });
    expect((await visit()).status).toBe(410);
    await expect(
      world.stripe.paymentLinks.create({ line_items: [{ price: 'price_none', quantity: 1 }] }),
    ).rejects.toMatchObject({ code: 'resource_missing', param: 'line_items[0][price]' });
  });
});
