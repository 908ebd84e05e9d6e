import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DAY, SandboxWorld } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

describe('the sandbox itself', () => {
  const life = async (): Promise<string> => {
    await world.reset();
    await world.subscription(await world.price());
    await world.advance(40 * DAY);
    return JSON.stringify(
      world.received.map(({ event }) => [
        event.id,
        event.type,
        event.created,
        (event.data.object as { id?: string }).id,
      ]),
    );
  };

  it('does the same again from the same seed', async () => {
    expect(await life()).toBe(await life());
  });

  it('shows what it holds on a page', async () => {
    await world.stripe.customers.create();
    const page = await fetch(world.sandbox.url).then((response) => response.text());
    expect(page).toContain('customer.created');
  });

  it('serves hosted invoices and their PDF', async () => {
    const customer = await world.stripe.customers.create();
    await world.stripe.invoiceItems.create({
      customer: customer.id,
      amount: 2000,
      currency: 'usd',
      description: 'Work',
    });
    const draft = await world.stripe.invoices.create({
      customer: customer.id,
      pending_invoice_items_behavior: 'include',
    });
    const invoice = await world.stripe.invoices.finalizeInvoice(draft.id);
    expect(await fetch(invoice.hosted_invoice_url!).then((response) => response.text())).toContain('$20.00');
    const pdf = await fetch(invoice.invoice_pdf!);
    expect(pdf.headers.get('content-type')).toBe('application/pdf');
    expect((await world.post(invoice.hosted_invoice_url!, { card: '4242424242424242', expiry: '12/34' })).status).toBe(
      303,
    );
    expect((await world.stripe.invoices.retrieve(invoice.id)).status).toBe('paid');
  });

  it('keeps its world over a restart', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sandbox-'));
    const file = { SANDBOX_DATA_FILE: join(directory, 'sandbox.json') };
    const before = await SandboxWorld.start(file);
    const subscription = await before.subscription(await before.price());
    await before.advance(10 * DAY);
    const then = (await before.control<{ now: number }>('GET', '/clock')).now;
    await before.close();
    const after = await SandboxWorld.start({ ...file, SANDBOX_START_TIME: '' });
    try {
      const kept = await after.stripe.subscriptions.retrieve(subscription.id);
      expect(JSON.stringify(kept)).toBe(JSON.stringify(subscription));
      expect((await after.control<{ now: number }>('GET', '/clock')).now).toBeGreaterThanOrEqual(then);
      await after.advance(25 * DAY);
      expect(
        (await after.stripe.invoices.list({ subscription: subscription.id })).data.map(({ status }) => status),
      ).toEqual(['paid', 'paid']);
    } finally {
      await after.close();
      await rm(directory, { recursive: true });
    }
  });
});
