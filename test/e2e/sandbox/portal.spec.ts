import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, START, SandboxWorld } from '../../support/processes/running-sandbox.js';

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
    for (const absent of ['Invoices', 'Card number', 'Update plan']) expect(page).not.toContain(absent);
    const card = { action: 'card', card: '5555555555554444', expiry: '12/34' };
    expect(await world.post(url, card)).toMatchObject({ status: 402, text: expect.stringContaining('cannot be done') });
    expect((await world.post(url, { action: 'cancel', subscription: id })).status).toBe(303);
    expect((await world.stripe.subscriptions.retrieve(id)).status).toBe('canceled');
    expect(await fetch(url).then((response) => response.text())).toContain('There is no running subscription.');
  });
});

const textOf = (url: string): Promise<string> => fetch(url).then((response) => response.text());

describe('what ends or costs something in the portal', () => {
  it('asks before it cancels, and does nothing until it is answered', async () => {
    const subscription = await world.subscription(await world.price());
    const { url } = await world.stripe.billingPortal.sessions.create({ customer: String(subscription.customer) });
    const [, link] = /href="([^"]*flow=subscription_cancel[^"]*)"/.exec(await textOf(url))!;
    const asks = await textOf(link!.replaceAll('&amp;', '&'));
    expect(asks).toContain('Cancel Plan 2000?');
    expect(asks).toContain('It stays until 1 Feb 2026');
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).cancel_at).toBeNull();
    expect(
      await world.post(link!.replaceAll('&amp;', '&'), { action: 'cancel', subscription: subscription.id }),
    ).toMatchObject({
      status: 303,
      location: `${url}?done=cancel`,
    });
    expect(await textOf(`${url}?done=cancel`)).toContain('Your plan is cancelled.');
  });

  it('offers the invoice that waits to be paid', async () => {
    const subscription = await world.subscription(await world.price(), 'pm_card_chargeCustomerFail', {
      payment_behavior: 'allow_incomplete',
    });
    const invoice = await world.latestInvoice(subscription.id);
    const { url } = await world.stripe.billingPortal.sessions.create({ customer: String(subscription.customer) });
    expect(await textOf(url)).toMatch(new RegExp(`href="${invoice.hosted_invoice_url!}">\\s*Pay \\$20.00 for invoice`));
  });
});

describe('deep links into the portal', () => {
  const linkTo = async (
    subscription: Stripe.Subscription,
    flow_data: Stripe.BillingPortal.SessionCreateParams['flow_data'],
  ): Promise<Stripe.BillingPortal.Session> =>
    world.stripe.billingPortal.sessions.create({
      customer: String(subscription.customer),
      return_url: 'http://127.0.0.1/back',
      ...(flow_data === undefined ? {} : { flow_data }),
    });

  it('cancel, and go on to where they were told', async () => {
    const subscription = await world.subscription(await world.price());
    const session = await linkTo(subscription, {
      type: 'subscription_cancel',
      subscription_cancel: { subscription: subscription.id },
      after_completion: { type: 'redirect', redirect: { return_url: 'http://127.0.0.1/sorry' } },
    });
    expect(session.flow).toEqual({
      after_completion: {
        hosted_confirmation: null,
        redirect: { return_url: 'http://127.0.0.1/sorry' },
        type: 'redirect',
      },
      customer_update: null,
      subscription_cancel: { retention: null, subscription: subscription.id },
      subscription_pause: null,
      subscription_update: null,
      subscription_update_confirm: null,
      type: 'subscription_cancel',
    });
    const page = await textOf(session.url);
    expect(page).toContain('Cancel Plan 2000?');
    expect(page).toContain('href="http://127.0.0.1/back"');
    const answer = await world.post(session.url, { action: 'cancel', subscription: subscription.id });
    expect(answer.location).toBe('http://127.0.0.1/sorry');
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).cancel_at).toBe(START + MONTH);
  });

  it('choose a plan', async () => {
    const [small, big, other] = [
      await world.price(2000),
      await world.price(6000),
      await world.price(100, 'month', 'eur'),
    ];
    const subscription = await world.subscription(small);
    const session = await linkTo(subscription, {
      type: 'subscription_update',
      subscription_update: { subscription: subscription.id },
    });
    const page = await textOf(session.url);
    expect(page).toContain(`value="${big.id}"`);
    expect(page).not.toContain(other.id);
    const asks = await world.post(session.url, { action: 'preview', subscription: subscription.id, price: big.id });
    expect(asks.text).toContain('$40.00 today');
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).items.data[0]?.price.id).toBe(small.id);
    const change = { action: 'change', subscription: subscription.id, price: big.id };
    expect((await world.post(session.url, change)).location).toBe(`${session.url}?done=change`);
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).items.data[0]?.price.id).toBe(big.id);
  });

  it('confirm one change, with its seats, and say that it is done', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    const item = subscription.items.data[0]!.id;
    const session = await linkTo(subscription, {
      type: 'subscription_update_confirm',
      subscription_update_confirm: {
        subscription: subscription.id,
        items: [{ id: item, price: big.id, quantity: 3 }],
      },
      after_completion: { type: 'hosted_confirmation', hosted_confirmation: { custom_message: 'Enjoy your seats.' } },
    });
    expect(session.flow?.subscription_update_confirm).toEqual({
      discounts: null,
      items: [{ id: item, price: big.id, quantity: 3 }],
      subscription: subscription.id,
    });
    const page = await textOf(session.url);
    expect(page).toContain('$160.00 today');
    const fields = Object.fromEntries(
      [...page.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
    );
    const { location } = await world.post(session.url, { ...fields, action: 'change' });
    expect(await textOf(location!)).toContain('Enjoy your seats.');
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).items.data[0]).toMatchObject({
      quantity: 3,
      price: { id: big.id },
    });
  });

  it('confirm a change with something off', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    const { id: coupon } = await world.stripe.coupons.create({ percent_off: 50, duration: 'forever' });
    const session = await linkTo(subscription, {
      type: 'subscription_update_confirm',
      subscription_update_confirm: {
        subscription: subscription.id,
        items: [{ id: subscription.items.data[0]!.id, price: big.id }],
        discounts: [{ coupon }],
      },
    });
    expect(session.flow?.subscription_update_confirm?.discounts).toEqual([{ coupon, promotion_code: null }]);
    const page = await textOf(session.url);
    expect(page).toContain('$10.00 today'); // half of the new price, less the old one's
    const fields = Object.fromEntries(
      [...page.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
    );
    await world.post(session.url, { ...fields, action: 'change' });
    const changed = await world.stripe.subscriptions.retrieve(subscription.id, { expand: ['discounts'] });
    expect(changed.discounts).toMatchObject([{ source: { coupon } }]);
    expect((await world.latestInvoice(subscription.id)).total).toBe(1000);
  });

  it('take another card', async () => {
    const subscription = await world.subscription(await world.price());
    const session = await linkTo(subscription, { type: 'payment_method_update' });
    expect(await textOf(session.url)).toContain('Card number');
    const wrong = await world.post(session.url, { action: 'card', card: '4242424242424241', expiry: '12/34' });
    expect(wrong).toMatchObject({ status: 402, text: expect.stringContaining('card number is incorrect') });
    const saved = await world.post(session.url, { action: 'card', card: '5555555555554444', expiry: '12/34' });
    expect(saved.location).toBe(`${session.url}?done=card`);
    expect(await textOf(saved.location!)).toContain('ending in 4444');
  });

  it('are refused for what is missing, of somebody else, over, or not allowed', async () => {
    const [mine, others] = [
      await world.subscription(await world.price()),
      await world.subscription(await world.price()),
    ];
    const refused = (flow: Stripe.BillingPortal.SessionCreateParams['flow_data'], param: string): Promise<void> =>
      expect(linkTo(mine, flow)).rejects.toMatchObject({ type: 'StripeInvalidRequestError', param });
    await refused({ type: 'subscription_cancel' }, 'flow_data[subscription_cancel]');
    const cancel = (id: string) =>
      ({ type: 'subscription_cancel', subscription_cancel: { subscription: id } }) as const;
    await refused(cancel(others.id), 'flow_data[subscription_cancel][subscription]');
    const confirm = { subscription: mine.id, items: [{ id: others.items.data[0]!.id }] };
    await refused(
      { type: 'subscription_update_confirm', subscription_update_confirm: confirm },
      'flow_data[subscription_update_confirm][items][0][id]',
    );
    await world.stripe.subscriptions.cancel(mine.id);
    await refused(cancel(mine.id), 'flow_data[subscription_cancel][subscription]');
    const { id: configuration } = await world.stripe.billingPortal.configurations.create({
      features: { subscription_cancel: { enabled: false } },
    });
    const customer = String(others.customer);
    await expect(
      world.stripe.billingPortal.sessions.create({ customer, configuration, flow_data: cancel(others.id) }),
    ).rejects.toMatchObject({ param: 'flow_data[type]' });
  });
});
