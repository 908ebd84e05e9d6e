import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DAY, START, SandboxWorld } from '../support/running-sandbox.js';

const MONTH = 31 * DAY; // January
let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

describe('the portal', () => {
  it('cancels, takes back, changes plan and card on its page', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    const portal = await world.stripe.billingPortal.sessions.create({
      customer: subscription.customer as string,
      return_url: 'http://127.0.0.1/back',
    });
    const page = await fetch(portal.url).then((response) => response.text());
    expect(page).toContain('Plan 2000');
    expect(page).toContain('http://127.0.0.1/back');
    await world.since();
    const act = (fields: Record<string, string>): Promise<{ status: number }> =>
      world.post(portal.url, { subscription: subscription.id, ...fields });
    expect((await act({ action: 'cancel' })).status).toBe(303);
    const canceling = await world.stripe.subscriptions.retrieve(subscription.id);
    expect(canceling).toMatchObject({ cancel_at: START + MONTH, cancel_at_period_end: false });
    await act({ action: 'resume' });
    await act({ action: 'change', price: big.id });
    expect(await world.stripe.subscriptions.retrieve(subscription.id)).toMatchObject({
      cancel_at: null,
      items: { data: [{ price: { id: big.id } }] },
    });
    expect((await act({ action: 'card', card: '4000000000000002', expiry: '12/34' })).status).toBe(402);
    expect((await act({ action: 'card', card: '5555555555554444', expiry: '12/34' })).status).toBe(303);
    expect(await fetch(portal.url).then((response) => response.text())).toContain('ending in 4444');
  });

  it('offers what its configuration allows, and cancels at once where that says so', async () => {
    const { id, customer } = await world.subscription(await world.price());
    const configuration = await world.stripe.billingPortal.configurations.create({
      features: {
        invoice_history: { enabled: false },
        payment_method_update: { enabled: false },
        subscription_cancel: { enabled: true, mode: 'immediately' },
        subscription_update: { enabled: false },
      },
    });
    const { url } = await world.stripe.billingPortal.sessions.create({
      customer: String(customer),
      configuration: configuration.id,
    });
    const page = await fetch(url).then((response) => response.text());
    for (const absent of ['Invoices', 'Card number', 'Another plan']) expect(page).not.toContain(absent);
    const card = { action: 'card', card: '5555555555554444', expiry: '12/34' };
    expect(await world.post(url, card)).toMatchObject({ status: 402, text: expect.stringContaining('cannot be done') });
    expect((await world.post(url, { action: 'cancel', subscription: id })).status).toBe(303);
    expect((await world.stripe.subscriptions.retrieve(id)).status).toBe('canceled');
    expect(await fetch(url).then((response) => response.text())).toContain('There is no running subscription.');
  });
});
