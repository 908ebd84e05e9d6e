import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DAY, START, SandboxWorld } from '../../support/processes/running-sandbox.js';

const ACACIA = '2024-09-30.acacia';
let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

type Json = Record<string, unknown>;
type Sent = { status: number; body: Json & { error?: Json } };

/** A request as an older or another client would write it. */
async function send(
  method: string,
  path: string,
  form: string | Record<string, string> = '',
  headers: Record<string, string> = {},
): Promise<Sent> {
  const text = typeof form === 'string' ? form : new URLSearchParams(form).toString();
  const url = `${world.sandbox.url}/v1/${path}${method === 'POST' || text === '' ? '' : `?${text}`}`;
  const response = await fetch(url, {
    method,
    headers: { authorization: 'Bearer sk_test_1', 'content-type': 'application/x-www-form-urlencoded', ...headers },
    ...(method === 'POST' ? { body: text } : {}),
  });
  return { status: response.status, body: (await response.json()) as Sent['body'] };
}

const old = (method: string, path: string, form: string | Record<string, string> = ''): Promise<Sent> =>
  send(method, path, form, { 'stripe-version': ACACIA });

describe('older clients', () => {
  it.each(['True', 'TRUE', 'true'])('write %s for true', async (word) => {
    const made = await send('POST', 'products', { name: 'A', active: word });
    expect([made.status, made.body['active']]).toEqual([200, true]);
    expect((await send('GET', 'products', { active: 'False' })).body['data']).toEqual([]);
  });

  it.each(['1', 'yes', 'on'])('are refused %s for true', async (word) => {
    expect(await send('POST', 'products', { name: 'A', active: word })).toMatchObject({
      status: 400,
      body: { error: { type: 'invalid_request_error', message: `Invalid boolean: ${word}`, param: 'active' } },
    });
  });

  it.each(['10.0', '1e3', '0x10', ' 10', '١٠'])('are refused %j for an integer', async (word) => {
    expect(await send('GET', 'products', { limit: word })).toMatchObject({
      status: 400,
      body: { error: { code: 'parameter_invalid_integer', param: 'limit' } },
    });
  });

  it('write lists of objects without indexes', async () => {
    const [one, two] = [await world.price(1000), await world.price(2000)];
    const customer = await world.customer();
    const made = await send(
      'POST',
      'subscriptions',
      `customer=${customer.id}&items[][price]=${one.id}&items[][quantity]=2&items[][price]=${two.id}`,
    );
    expect(made.body).toMatchObject({
      items: {
        data: [
          { price: { id: one.id }, quantity: 2 },
          { price: { id: two.id }, quantity: 1 },
        ],
      },
    });
  });

  it('may expand what a later version has no longer', async () => {
    const subscription = await world.subscription(await world.price());
    const path = `subscriptions/${subscription.id}`;
    const paths =
      'expand[]=latest_invoice.payment_intent.latest_charge&expand[]=latest_invoice.lines.data.price.product';
    expect((await old('GET', path, paths)).body).toMatchObject({
      current_period_end: START + 31 * DAY,
      latest_invoice: {
        subscription: subscription.id,
        payment_intent: { object: 'payment_intent', status: 'succeeded', latest_charge: { object: 'charge' } },
        lines: { data: [{ price: { product: { object: 'product', name: 'Plan 2000' } } }] },
      },
    });
    const charges = await old('GET', 'charges', 'expand[]=data.invoice.subscription');
    expect(charges.body).toMatchObject({ data: [{ invoice: { subscription: { id: subscription.id } } }] });
    for (const [version, field] of [
      ['2025-03-31.basil', 'payment_intent'],
      [ACACIA, 'payments'],
    ] as const) {
      const refused = await send('GET', path, `expand[]=latest_invoice.${field}`, { 'stripe-version': version });
      expect(refused).toMatchObject({
        status: 400,
        body: { error: { message: `This property cannot be expanded (latest_invoice.${field}).` } },
      });
    }
  });

  it('see the next invoice by its former address', async () => {
    const [small, big] = [await world.price(2000), await world.price(6000)];
    const subscription = await world.subscription(small);
    const customer = subscription.customer as string;
    const next = await old('GET', 'invoices/upcoming', { customer });
    expect(next.body).toMatchObject({ amount_due: 2000, subscription: subscription.id, paid: false });
    expect(next.body['id']).toBeUndefined();
    const changed = await old('GET', 'invoices/upcoming', {
      customer,
      subscription: subscription.id,
      'subscription_items[0][id]': subscription.items.data[0]!.id,
      'subscription_items[0][price]': big.id,
      subscription_proration_behavior: 'none',
    });
    expect(changed.body['amount_due']).toBe(6000);
    expect((await old('GET', 'invoices/upcoming/lines', { customer })).body).toMatchObject({
      data: [{ amount: 2000 }],
    });
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).items.data[0]?.price.id).toBe(small.id);
    await world.stripe.subscriptions.cancel(subscription.id);
    expect(await old('GET', 'invoices/upcoming', { customer })).toMatchObject({
      status: 404,
      body: { error: { code: 'invoice_upcoming_none' } },
    });
    expect(await send('GET', 'invoices/upcoming', { customer })).toMatchObject({
      status: 404,
      body: { error: { code: 'resource_missing', message: "No such invoice: 'upcoming'" } },
    });
  });

  it('name a coupon where there are discounts now', async () => {
    const coupon = await world.stripe.coupons.create({ percent_off: 50, duration: 'forever' });
    const [price, customer] = [await world.price(), await world.customer()];
    const form = { customer: customer.id, 'items[0][price]': price.id, coupon: coupon.id };
    const made = await old('POST', 'subscriptions', form);
    expect(made.body).toMatchObject({ discount: { coupon: { id: coupon.id } } });
    const path = `subscriptions/${String(made.body['id'])}`;
    expect((await old('GET', 'invoices/upcoming', { customer: customer.id })).body['amount_due']).toBe(1000);
    expect((await old('POST', path, { coupon: '' })).body['discount']).toBeNull();
    expect(await old('POST', path, { coupon: 'none' })).toMatchObject({
      status: 400,
      body: { error: { code: 'resource_missing', param: 'coupon' } },
    });
    expect(await send('POST', path, { coupon: coupon.id })).toMatchObject({
      status: 400,
      body: { error: { code: 'parameter_unknown', param: 'coupon' } },
    });
  });

  it.each(['2099-01-01', '2020-08-27', 'latest', '2024-06'])('are refused version %s', async (version) => {
    const refused = await send('GET', 'customers', '', { 'stripe-version': version });
    expect(refused.status).toBe(400);
    expect(refused.body.error?.['message']).toContain(version);
  });
});

describe('what the sandbox does not serve', () => {
  it.each(['customers', 'subscriptions', 'invoices', 'charges', 'payment_intents', 'products', 'prices'])(
    'says so for a search of %s',
    async (things) => {
      expect(await send('GET', `${things}/search`, { query: "email:'a@b.c'" })).toMatchObject({
        status: 404,
        body: { error: { type: 'invalid_request_error', message: expect.stringContaining('does not serve search') } },
      });
    },
  );

  it.each(['stripe-account', 'stripe-context'])('refuses the header %s, and does nothing', async (header) => {
    expect(await send('POST', 'customers', {}, { [header]: 'acct_1' })).toMatchObject({
      status: 403,
      body: { error: { type: 'invalid_request_error', code: 'account_invalid' } },
    });
    expect((await world.stripe.customers.list()).data).toEqual([]);
  });

  it('refuses JSON, and does nothing', async () => {
    const refused = await send('POST', 'customers', '{"name":"A"}', { 'content-type': 'application/json' });
    expect([refused.status, refused.body.error?.['message']]).toEqual([
      400,
      expect.stringContaining('application/x-www-form-urlencoded'),
    ]);
    expect((await world.stripe.customers.list()).data).toEqual([]);
  });
});

describe('what is over', () => {
  it('keeps its metadata open: a cancelled subscription', async () => {
    const subscription = await world.subscription(await world.price());
    await world.stripe.subscriptions.cancel(subscription.id);
    await world.since();
    const changed = await world.stripe.subscriptions.update(subscription.id, {
      metadata: { seen: 'yes' },
      cancellation_details: { feedback: 'too_expensive' },
    });
    expect(changed).toMatchObject({
      status: 'canceled',
      metadata: { seen: 'yes' },
      cancellation_details: { feedback: 'too_expensive', reason: 'cancellation_requested' },
    });
    expect(await world.since()).toEqual(['customer.subscription.updated']);
    await expect(
      world.stripe.subscriptions.update(subscription.id, { metadata: { a: 'b' }, cancel_at_period_end: true }),
    ).rejects.toMatchObject({
      statusCode: 400,
      message: 'A canceled subscription can only update its cancellation_details and metadata.',
    });
  });

  it('keeps its metadata open: an expired session, a cancelled intent, a void invoice', async () => {
    const customer = await world.customer();
    const metadata = { seen: 'yes' };
    const session = await world.stripe.checkout.sessions.create({
      mode: 'subscription',
      success_url: 'https://example.com',
      line_items: [{ price: (await world.price()).id, quantity: 1 }],
    });
    await world.stripe.checkout.sessions.expire(session.id);
    const intent = await world.stripe.paymentIntents.create({ amount: 1000, currency: 'usd' });
    await world.stripe.paymentIntents.cancel(intent.id);
    const invoice = await world.stripe.invoices.create({ customer: customer.id });
    await world.stripe.invoiceItems.create({ customer: customer.id, invoice: invoice.id, amount: 99, currency: 'usd' });
    await world.stripe.invoices.finalizeInvoice(invoice.id);
    await world.stripe.invoices.voidInvoice(invoice.id);
    for (const changed of [
      await world.stripe.checkout.sessions.update(session.id, { metadata }),
      await world.stripe.paymentIntents.update(intent.id, { metadata }),
      await world.stripe.invoices.update(invoice.id, { metadata }),
    ])
      expect(changed.metadata).toEqual(metadata);
  });

  it('is missing the second time', async () => {
    const subscription = await world.subscription(await world.price());
    const product = await world.stripe.products.create({ name: 'A' });
    const customer = subscription.customer as string;
    for (const [path, noun] of [
      [`subscriptions/${subscription.id}`, 'subscription'],
      [`customers/${customer}`, 'customer'],
      [`products/${product.id}`, 'product'],
    ] as const) {
      expect((await send('DELETE', path)).status).toBe(200);
      expect(await send('DELETE', path)).toMatchObject({
        status: 404,
        body: {
          error: {
            type: 'invalid_request_error',
            code: 'resource_missing',
            param: 'id',
            message: `No such ${noun}: '${path.split('/')[1]}'`,
          },
        },
      });
    }
    expect(await send('POST', `customers/${customer}`, { name: 'B' })).toMatchObject({ status: 404 });
    expect(await send('GET', `customers/${customer}`)).toMatchObject({ status: 200, body: { deleted: true } });
    const later = { customer };
    for (const [path, form] of [
      ['payment_methods/pm_card_visa/attach', later],
      ['payment_intents', { ...later, amount: '1000', currency: 'usd' }],
      ['setup_intents', later],
      ['invoices', later],
      ['invoiceitems', { ...later, amount: '1000', currency: 'usd' }],
      ['billing_portal/sessions', later],
    ] as const) {
      expect(await send('POST', path, form)).toMatchObject({
        status: 400,
        body: { error: { code: 'resource_missing', param: 'customer', message: `No such customer: '${customer}'` } },
      });
    }
  });
});

describe('payment methods', () => {
  it('that were detached are used no more, also not by what was paid with them', async () => {
    const subscription = await world.subscription(await world.price());
    const customer = subscription.customer as string;
    const [method] = (await world.stripe.customers.listPaymentMethods(customer)).data;
    const id = method!.id;
    await world.stripe.subscriptions.update(subscription.id, { default_payment_method: id });
    await world.stripe.paymentMethods.detach(id);
    expect((await world.stripe.subscriptions.retrieve(subscription.id)).default_payment_method).toBeNull();
    const message = expect.stringContaining('may not be used again');
    await expect(world.stripe.paymentMethods.attach(id, { customer })).rejects.toMatchObject({ message });
    for (const form of [
      { customer, amount: '1000', currency: 'usd', confirm: 'true', payment_method: id },
      { amount: '1000', currency: 'usd', payment_method: id },
    ]) {
      expect(await send('POST', 'payment_intents', form)).toMatchObject({
        status: 400,
        body: { error: { type: 'invalid_request_error', param: 'payment_method', message } },
      });
    }
    const path = `subscriptions/${subscription.id}`;
    expect(await send('POST', path, { default_payment_method: id })).toMatchObject({
      status: 400,
      body: { error: { param: 'default_payment_method', message } },
    });
    await world.since();
    await world.advance(32 * DAY);
    expect(world.types()).toContain('invoice.payment_failed');
  });

  it('of another customer are refused', async () => {
    const subscription = await world.subscription(await world.price());
    const other = await world.customer();
    const [theirs] = (await world.stripe.customers.listPaymentMethods(other.id)).data;
    const id = theirs!.id;
    const customer = subscription.customer as string;
    const invoice = await world.stripe.invoices.create({ customer });
    await world.stripe.invoiceItems.create({ customer, invoice: invoice.id, amount: 990, currency: 'usd' });
    const notTheirs = `The customer does not have a payment method with the ID ${id}. The payment method must be attached to the customer.`;
    const intent = { amount: '1000', currency: 'usd', confirm: 'true' };
    for (const [path, form, param, message] of [
      ['payment_intents', { ...intent, customer, payment_method: id }, 'payment_method', notTheirs],
      ['payment_intents', { ...intent, payment_method: id }, 'payment_method', expect.stringContaining('belongs to')],
      ['setup_intents', { customer, confirm: 'true', payment_method: id }, 'payment_method', notTheirs],
      [`invoices/${invoice.id}/pay`, { payment_method: id }, 'payment_method', notTheirs],
      [`subscriptions/${subscription.id}`, { default_payment_method: id }, 'default_payment_method', notTheirs],
      ['invoices', { customer, default_payment_method: id }, 'default_payment_method', notTheirs],
      [
        `customers/${customer}`,
        { 'invoice_settings[default_payment_method]': id },
        'invoice_settings[default_payment_method]',
        notTheirs,
      ],
    ] as const) {
      expect(await send('POST', path, form)).toMatchObject({ status: 400, body: { error: { param, message } } });
    }
  });

  it('that paid for nobody are used up', async () => {
    const method = await world.stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } });
    const intent = { amount: 1000, currency: 'usd', confirm: true, payment_method: method.id };
    expect((await world.stripe.paymentIntents.create(intent)).status).toBe('succeeded');
    await expect(world.stripe.paymentIntents.create(intent)).rejects.toMatchObject({ param: 'payment_method' });
  });
});

describe('bounds', () => {
  it('of test clocks: three customers, two intervals, two years', async () => {
    const { testClocks } = world.stripe.testHelpers;
    const clock = await testClocks.create({ frozen_time: START });
    const alone = await testClocks.create({ frozen_time: START });
    await expect(testClocks.advance(alone.id, { frozen_time: START + 732 * DAY })).rejects.toMatchObject({
      param: 'frozen_time',
    });
    for (let index = 0; index < 3; index += 1) await world.stripe.customers.create({ test_clock: clock.id });
    await expect(world.stripe.customers.create({ test_clock: clock.id })).rejects.toMatchObject({
      param: 'test_clock',
    });
    const [first] = (await world.stripe.customers.list({ test_clock: clock.id })).data;
    const price = await world.price();
    await world.stripe.subscriptions.create({
      customer: first!.id,
      items: [{ price: price.id }],
      collection_method: 'send_invoice',
      days_until_due: 30,
    });
    await expect(testClocks.advance(clock.id, { frozen_time: START + 59 * DAY + 1 })).rejects.toMatchObject({
      param: 'frozen_time',
    });
    expect((await testClocks.advance(clock.id, { frozen_time: START + 59 * DAY })).status).toBe('advancing');
  });

  it.each([
    [{ unit_amount: '1000000000000' }, 'unit_amount', 'parameter_invalid_integer'],
    [{ unit_amount: '-1' }, 'unit_amount', 'parameter_invalid_integer'],
    [{ unit_amount_decimal: '0.1234567890123' }, 'unit_amount_decimal', undefined],
    [{ unit_amount: '1', unit_amount_decimal: '1' }, 'unit_amount', undefined],
    [
      { unit_amount: '1', 'recurring[interval]': 'year', 'recurring[interval_count]': '4' },
      'recurring[interval_count]',
      undefined,
    ],
    [
      { unit_amount: '1', 'recurring[interval]': 'day', 'recurring[interval_count]': '0' },
      'recurring[interval_count]',
      undefined,
    ],
    [
      { unit_amount: '1', 'recurring[interval]': 'day', 'recurring[usage_type]': 'metered' },
      'recurring[meter]',
      'parameter_missing',
    ],
    [{ unit_amount: '1', lookup_key: 'x'.repeat(201) }, 'lookup_key', undefined],
  ])('of prices: %j', async (form: Record<string, string>, param, code) => {
    const product = await world.stripe.products.create({ name: 'A' });
    const made = await send('POST', 'prices', { product: product.id, currency: 'usd', ...form });
    expect(made).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error', param } } });
    expect(made.body.error?.['code']).toBe(code);
  });

  it.each([
    ['customers', 'limit=0', 'limit', 'parameter_invalid_integer'],
    ['customers', 'limit=101', 'limit', 'parameter_invalid_integer'],
    ['customers', 'limit=-1', 'limit', 'parameter_invalid_integer'],
    ['customers', 'starting_after=cus_none', 'starting_after', 'resource_missing'],
    ['events', 'ending_before=evt_none', 'ending_before', 'resource_missing'],
    ['invoices', 'starting_after=in_1&ending_before=in_2', 'starting_after', undefined],
  ])('of pages: %s?%s', async (path, query, param, code) => {
    const answer = await send('GET', path, query);
    expect(answer).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error', param } } });
    expect(answer.body.error?.['code']).toBe(code);
    if (code === 'resource_missing') expect(answer.body.error?.['message']).toMatch(/^No such (customer|event): '/);
  });

  it('of pages are no matter of what is filtered out meanwhile', async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1) made.push((await world.stripe.products.create({ name: 'A' })).id);
    const [oldest, second, third, fourth, newest] = made as [string, string, string, string, string];
    await world.stripe.products.update(third, { active: false });
    const page = async (query: Record<string, string>): Promise<unknown[]> =>
      ((await send('GET', 'products', { active: 'true', ...query })).body['data'] as Json[]).map(({ id }) => id);
    expect(await page({ starting_after: third })).toEqual([second, oldest]);
    expect(await page({ ending_before: third })).toEqual([newest, fourth]);
  });
});
