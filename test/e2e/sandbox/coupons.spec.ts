import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, HOUR, SandboxWorld } from '../../support/processes/running-sandbox.js';

const MONTH = 31 * DAY; // January
let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

const coupon = (more: Partial<Stripe.CouponCreateParams>): Promise<Stripe.Coupon> =>
  world.stripe.coupons.create({ duration: 'forever', ...more });
const subscribed = async (
  discounts: Stripe.SubscriptionCreateParams.Discount[],
  more: Partial<Stripe.SubscriptionCreateParams> = {},
): Promise<Stripe.Subscription> => world.subscription(await world.price(), 'pm_card_visa', { discounts, ...more });
/** What the invoices of a subscription came to, oldest first. */
const totals = async (subscription: string): Promise<number[]> =>
  (await world.stripe.invoices.list({ subscription, limit: 100 })).data.map(({ total }) => total).reverse();

describe('coupons and promotion codes', () => {
  it('are made, found, changed and deleted, each with its event', async () => {
    const made = await coupon({ id: 'SPRING', percent_off: 12.5, name: 'Spring', metadata: { a: '1' } });
    expect(made).toMatchObject({
      id: 'SPRING',
      object: 'coupon',
      amount_off: null,
      currency: null,
      duration: 'forever',
      percent_off: 12.5,
      times_redeemed: 0,
      valid: true,
    });
    const code = await world.stripe.promotionCodes.create({
      promotion: { type: 'coupon', coupon: made.id },
      code: 'SPRING26',
    });
    expect(code).toMatchObject({ active: true, code: 'SPRING26', promotion: { coupon: 'SPRING', type: 'coupon' } });
    await world.stripe.coupons.update(made.id, { metadata: { a: '2' } });
    await world.stripe.promotionCodes.update(code.id, { metadata: { b: '1' } });
    const found = await world.stripe.promotionCodes.list({ code: 'spring26', active: true });
    expect(found.data.map(({ id }) => id)).toEqual([code.id]);
    const whole = await world.stripe.promotionCodes.retrieve(code.id, { expand: ['promotion.coupon'] });
    expect((whole.promotion.coupon as Stripe.Coupon).name).toBe('Spring');
    expect(await world.stripe.coupons.del(made.id)).toEqual(
      expect.objectContaining({ id: 'SPRING', object: 'coupon', deleted: true }),
    );
    expect((await world.stripe.promotionCodes.retrieve(code.id)).active).toBe(false);
    await expect(world.stripe.coupons.retrieve(made.id)).rejects.toMatchObject({ code: 'resource_missing' });
    expect(await world.since()).toEqual([
      'coupon.created',
      'promotion_code.created',
      'coupon.updated',
      'promotion_code.updated',
      'coupon.deleted',
    ]);
  });

  it.each([
    [{}, 'percent_off'],
    [{ percent_off: 10, amount_off: 100, currency: 'usd' }, 'percent_off'],
    [{ percent_off: 101 }, 'percent_off'],
    [{ amount_off: 100 }, 'currency'],
    [{ amount_off: 1005, currency: 'kwd' }, 'amount_off'],
    [{ percent_off: 10, duration: 'repeating' }, 'duration_in_months'],
    [{ percent_off: 10, redeem_by: 1 }, 'redeem_by'],
  ] as const)('refuse %j', async (params, param) => {
    await expect(coupon(params)).rejects.toMatchObject({ type: 'StripeInvalidRequestError', param });
  });

  it('end by their time, by their number, and for whom they are not', async () => {
    const one = await coupon({ percent_off: 50, max_redemptions: 1 });
    await subscribed([{ coupon: one.id }]);
    expect(await world.stripe.coupons.retrieve(one.id)).toMatchObject({ times_redeemed: 1, valid: false });
    await expect(subscribed([{ coupon: one.id }])).rejects.toMatchObject({ code: 'coupon_expired' });
    const now = (await world.control<{ now: number }>('GET', '/clock')).now;
    const brief = await coupon({ percent_off: 50, redeem_by: now + DAY });
    await world.advance(DAY);
    await expect(subscribed([{ coupon: brief.id }])).rejects.toMatchObject({ code: 'coupon_expired' });
    const first = await world.stripe.promotionCodes.create({
      promotion: { type: 'coupon', coupon: (await coupon({ percent_off: 10 })).id },
      restrictions: { first_time_transaction: true },
    });
    const known = await subscribed([{ promotion_code: first.id }]);
    await expect(
      world.stripe.subscriptions.create({
        customer: String(known.customer),
        items: [{ price: known.items.data[0]!.price.id }],
        discounts: [{ promotion_code: first.id }],
      }),
    ).rejects.toMatchObject({ param: 'discounts[0][promotion_code]' });
    await expect(
      subscribed([{ coupon: (await coupon({ amount_off: 500, currency: 'eur' })).id }]),
    ).rejects.toMatchObject({ param: 'discounts[0][coupon]' });
  });
});

describe('a discounted subscription', () => {
  it('shows what is off on the invoice, on its lines and in its events', async () => {
    const { id } = await coupon({ percent_off: 25 });
    const subscription = await subscribed([{ coupon: id }]);
    const invoice = await world.latestInvoice(subscription.id);
    const discount = String(subscription.discounts[0]);
    expect(invoice).toMatchObject({
      amount_paid: 1500,
      discounts: [discount],
      subtotal: 2000,
      total: 1500,
      total_discount_amounts: [{ amount: 500, discount }],
      lines: { data: [{ amount: 2000, discount_amounts: [{ amount: 500, discount }] }] },
    });
    const whole = await world.stripe.subscriptions.retrieve(subscription.id, {
      expand: ['discounts', 'discounts.source.coupon'],
    });
    expect(whole.discounts[0]).toMatchObject({
      object: 'discount',
      customer: subscription.customer,
      end: null,
      source: { type: 'coupon', coupon: { id, percent_off: 25 } },
      subscription: subscription.id,
    });
    await world.settle();
    expect(world.objects<Stripe.Discount>('customer.discount.created')).toMatchObject([{ id: discount }]);
  });

  it.each([
    ['once', {}, [1500, 2000, 2000, 2000]],
    ['repeating', { duration_in_months: 3 }, [1500, 1500, 1500, 2000]],
    ['forever', {}, [1500, 1500, 1500, 1500]],
  ] as const)('pays less %s', async (duration, more, expected) => {
    const { id } = await world.stripe.coupons.create({ amount_off: 500, currency: 'usd', duration, ...more });
    const subscription = await subscribed([{ coupon: id }]);
    await world.advance(95 * DAY);
    expect(await totals(subscription.id)).toEqual(expected);
    const left = (await world.stripe.subscriptions.retrieve(subscription.id)).discounts;
    expect(left).toHaveLength(duration === 'forever' ? 1 : 0);
    const ended = world.objects('customer.discount.deleted');
    expect(ended).toHaveLength(duration === 'forever' ? 0 : 1);
  });

  it('keeps a coupon that is good once for what is paid after the trial', async () => {
    const { id } = await coupon({ percent_off: 50, duration: 'once' });
    const subscription = await subscribed([{ coupon: id }], { trial_period_days: 7 });
    await world.advance(7 * DAY + HOUR);
    expect(await totals(subscription.id)).toEqual([0, 1000]);
  });

  it('costs nothing with all of it off, and charges nobody', async () => {
    const subscription = await subscribed([{ coupon: (await coupon({ percent_off: 100 })).id }]);
    expect(await world.latestInvoice(subscription.id)).toMatchObject({ status: 'paid', total: 0, amount_paid: 0 });
    expect(subscription.status).toBe('active');
    await world.advance(MONTH + HOUR);
    expect(await totals(subscription.id)).toEqual([0, 0]);
    expect((await world.stripe.paymentIntents.list()).data).toEqual([]);
  });

  it('is taxed on what is left', async () => {
    const rate = await world.stripe.taxRates.create({ display_name: 'VAT', percentage: 10, inclusive: false });
    const { id } = await coupon({ percent_off: 50 });
    const subscription = await subscribed([{ coupon: id }], { default_tax_rates: [rate.id] });
    expect(await world.latestInvoice(subscription.id)).toMatchObject({
      subtotal: 2000,
      total: 1100,
      total_excluding_tax: 1000,
      total_taxes: [{ amount: 100, taxable_amount: 1000 }],
    });
  });

  it('spreads an amount over its lines, to the cent, and leaves other products alone', async () => {
    const [a, b, c] = [await world.price(1000), await world.price(500), await world.price(501)];
    const products = [String(a.product), String(b.product)];
    const { id } = await coupon({ amount_off: 1001, currency: 'usd', applies_to: { products } });
    const customer = await world.customer();
    const subscription = await world.stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: a.id }, { price: b.id }, { price: c.id }],
      discounts: [{ coupon: id }],
    });
    const { lines, total } = await world.latestInvoice(subscription.id);
    const off = lines.data.map((line) => line.discount_amounts!.reduce((sum, { amount }) => sum + amount, 0));
    expect([...off, total]).toEqual([667, 334, 0, 1000]);
  });

  it('gives back what was paid, and charges what will be, when its plan changes', async () => {
    const subscription = await subscribed([{ coupon: (await coupon({ percent_off: 50 })).id }]);
    await world.advance(15.5 * DAY);
    const big = await world.price(6000);
    await world.stripe.subscriptions.update(subscription.id, {
      items: [{ id: subscription.items.data[0]!.id, price: big.id }],
      proration_behavior: 'always_invoice',
    });
    const invoice = await world.latestInvoice(subscription.id);
    expect(invoice.lines.data.map(({ amount, discount_amounts: off }) => [amount, off])).toEqual([
      [-500, []],
      [1500, []],
    ]);
    expect(invoice.total).toBe(1000);
    expect(invoice.lines.data[0]?.parent?.invoice_item_details?.proration_details?.credited_items).toEqual({
      invoice: subscription.latest_invoice,
      invoice_line_items: [expect.stringMatching(/^il_/)],
    });
  });

  it('gives back in full what was paid in full, also when a discount came since', async () => {
    const subscription = await world.subscription(await world.price());
    await world.advance(15.5 * DAY);
    await world.stripe.subscriptions.update(subscription.id, {
      discounts: [{ coupon: (await coupon({ percent_off: 50 })).id }],
      items: [{ id: subscription.items.data[0]!.id, price: (await world.price(6000)).id }],
      proration_behavior: 'always_invoice',
    });
    const { lines } = await world.latestInvoice(subscription.id);
    expect(lines.data.map(({ amount }) => amount)).toEqual([-1000, 1500]);
  });

  it('takes other discounts, and none', async () => {
    const [a, b] = [await coupon({ percent_off: 50 }), await coupon({ percent_off: 10 })];
    const subscription = await subscribed([{ coupon: a.id }]);
    const kept = String(subscription.discounts[0]);
    await world.since();
    const two = await world.stripe.subscriptions.update(subscription.id, {
      discounts: [{ discount: kept }, { coupon: b.id }],
    });
    expect(two.discounts).toEqual([kept, expect.stringMatching(/^di_/)]);
    expect(await world.since()).toEqual(['customer.discount.created', 'customer.subscription.updated']);
    const preview = await world.stripe.invoices.createPreview({ subscription: subscription.id });
    expect(preview.total).toBe(900);
    await world.stripe.subscriptions.deleteDiscount(subscription.id);
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).discounts).toEqual([two.discounts[1]]);
    const none = await world.stripe.subscriptions.update(subscription.id, { discounts: '' });
    expect(none.discounts).toEqual([]);
  });

  it('is shown to older clients with its coupon inside', async () => {
    const subscription = await subscribed([{ coupon: (await coupon({ id: 'OLD', percent_off: 25 })).id }]);
    const read = async (path: string, version: string) =>
      (await (
        await fetch(`${world.sandbox.url}/v1/${path}`, {
          headers: { authorization: 'Bearer sk_test_1', 'stripe-version': version },
        })
      ).json()) as Record<string, unknown>;
    const old = await read(`subscriptions/${subscription.id}`, '2024-06-20');
    expect(old['discount']).toMatchObject({ id: subscription.discounts[0], coupon: { id: 'OLD', percent_off: 25 } });
    expect(old['discount']).not.toHaveProperty('source');
    const invoice = await read(`invoices/${String(subscription.latest_invoice)}`, '2024-06-20');
    expect(invoice).toMatchObject({ discount: { coupon: { id: 'OLD' } }, total_discount_amounts: [{ amount: 500 }] });
    const basil = await read(`subscriptions/${subscription.id}?expand[]=discounts`, '2025-03-31.basil');
    expect(basil['discounts']).toMatchObject([{ coupon: { id: 'OLD' } }]);
  });
});

describe('customers and invoices with discounts', () => {
  it('lets a customer keep a coupon for all that is billed, change it and give it up', async () => {
    const [a, b] = [await coupon({ percent_off: 20 }), await coupon({ percent_off: 30 })];
    const form = (path: string, body: string) =>
      fetch(`${world.sandbox.url}/v1/${path}`, {
        method: 'POST',
        body,
        headers: { authorization: 'Bearer sk_test_1' },
      });
    const customer = await world.customer();
    await world.since();
    await form(`customers/${customer.id}`, `coupon=${a.id}`);
    await form(`customers/${customer.id}`, `coupon=${b.id}`);
    expect(await world.since()).toEqual([
      'customer.discount.created',
      'customer.updated',
      'customer.discount.updated',
      'customer.updated',
    ]);
    const { id } = await world.stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: (await world.price()).id }],
    });
    expect((await world.latestInvoice(id)).total).toBe(1400);
    expect(await world.stripe.customers.deleteDiscount(customer.id)).toMatchObject({
      object: 'discount',
      deleted: true,
    });
    expect(await world.stripe.customers.retrieve(customer.id)).toMatchObject({ discount: null });
  });

  it('takes something off an invoice made by hand, and off nothing that is given back', async () => {
    const customer = await world.customer();
    await world.stripe.invoiceItems.create({ customer: customer.id, amount: 3000, currency: 'usd' });
    await world.stripe.invoiceItems.create({ customer: customer.id, amount: -1000, currency: 'usd' });
    const discounts = [{ coupon: (await coupon({ percent_off: 10 })).id }];
    const draft = await world.stripe.invoices.create({
      customer: customer.id,
      discounts,
      pending_invoice_items_behavior: 'include',
    });
    expect(draft).toMatchObject({ subtotal: 2000, total: 1700 });
    expect(await world.stripe.invoices.update(draft.id, { discounts: '' })).toMatchObject({
      total: 2000,
      discounts: [],
    });
    expect(await world.stripe.invoices.update(draft.id, { discounts })).toMatchObject({ total: 1700 });
    expect(await world.stripe.invoices.pay(draft.id)).toMatchObject({ amount_paid: 1700, status: 'paid' });
  });
});

describe('checkout with discounts', () => {
  const create = (more: Partial<Stripe.Checkout.SessionCreateParams>): Promise<Stripe.Checkout.Session> =>
    world.stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [{ quantity: 2, price_data: { currency: 'usd', unit_amount: 1500, product_data: { name: 'Pack' } } }],
      success_url: 'http://127.0.0.1/ok',
      ...more,
    });
  const card = { card: '4242 4242 4242 4242', expiry: '12 / 34', email: 'buyer@example.com' };

  it('takes a coupon off what is paid once, and off its invoice', async () => {
    const { id } = await coupon({ percent_off: 25 });
    const session = await create({ discounts: [{ coupon: id }], invoice_creation: { enabled: true } });
    expect(session).toMatchObject({
      amount_subtotal: 3000,
      amount_total: 2250,
      discounts: [{ coupon: id, promotion_code: null }],
      total_details: { amount_discount: 750 },
    });
    const items = await world.stripe.checkout.sessions.listLineItems(session.id);
    expect(items.data[0]).toMatchObject({ amount_discount: 750, amount_subtotal: 3000, amount_total: 2250 });
    expect(await fetch(session.url!).then((response) => response.text())).toContain('25% off');
    await world.post(session.url!, card);
    const done = await world.stripe.checkout.sessions.retrieve(session.id, { expand: ['invoice', 'payment_intent'] });
    expect(done).toMatchObject({
      payment_status: 'paid',
      payment_intent: { amount_received: 2250 },
      invoice: { total: 2250, amount_paid: 2250, subtotal: 3000 },
    });
    expect((await world.stripe.coupons.retrieve(id)).times_redeemed).toBe(1);
  });

  it('asks for no card when nothing is left to pay', async () => {
    const session = await create({ discounts: [{ coupon: (await coupon({ percent_off: 100 })).id }] });
    expect(session).toMatchObject({ amount_total: 0, payment_status: 'no_payment_required' });
    expect(await fetch(session.url!).then((response) => response.text())).not.toContain('Card number');
    expect((await world.post(session.url!, { email: 'buyer@example.com' })).status).toBe(303);
    expect(await world.stripe.checkout.sessions.retrieve(session.id)).toMatchObject({
      status: 'complete',
      payment_intent: null,
    });
  });

  it('takes a promotion code on its page where the shop allows them', async () => {
    const { id } = await coupon({ amount_off: 1000, currency: 'usd' });
    await world.stripe.promotionCodes.create({
      promotion: { type: 'coupon', coupon: id },
      code: 'LESS10',
      restrictions: { minimum_amount: 2000, minimum_amount_currency: 'usd' },
    });
    const session = await create({ allow_promotion_codes: true });
    const wrong = await world.post(session.url!, { action: 'code', code: 'MORE' });
    expect(wrong).toMatchObject({ status: 402, text: expect.stringContaining('This code is invalid.') });
    expect((await world.post(session.url!, { action: 'code', code: 'less10' })).status).toBe(303);
    expect((await world.stripe.checkout.sessions.retrieve(session.id)).amount_total).toBe(2000);
    await world.post(session.url!, { action: 'code', code: '' });
    expect((await world.stripe.checkout.sessions.retrieve(session.id)).amount_total).toBe(3000);
    await world.post(session.url!, { action: 'code', code: 'LESS10' });
    await world.post(session.url!, card);
    expect((await world.stripe.checkout.sessions.retrieve(session.id)).payment_status).toBe('paid');
    const small = await create({
      allow_promotion_codes: true,
      line_items: [{ price_data: { currency: 'usd', unit_amount: 1500, product_data: { name: 'Pack' } }, quantity: 1 }],
    });
    const tooSmall = await world.post(small.url!, { action: 'code', code: 'LESS10' });
    expect(tooSmall.text).toContain('20.00 USD or more');
    const shut = await create({});
    expect((await world.post(shut.url!, { action: 'code', code: 'LESS10' })).status).toBe(402);
  });

  it('starts a subscription with its discount', async () => {
    const { id } = await coupon({ percent_off: 50, duration: 'repeating', duration_in_months: 2 });
    const session = await create({
      mode: 'subscription',
      line_items: [{ price: (await world.price()).id, quantity: 1 }],
      discounts: [{ coupon: id }],
    });
    expect(session.amount_total).toBe(1000);
    await world.post(session.url!, card);
    const done = await world.stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription.discounts'] });
    const subscription = done.subscription as Stripe.Subscription;
    expect(subscription.discounts).toMatchObject([{ checkout_session: session.id, source: { coupon: id } }]);
    await world.advance(65 * DAY);
    expect(await totals(subscription.id)).toEqual([1000, 1000, 2000]);
  });
});
