import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Stripe from 'stripe';
import { eventually } from '../../support/eventually.js';
import { DAY, SandboxWorld, START } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

const ready = (stripe: Stripe, id: string): Promise<Stripe.TestHelpers.TestClock> =>
  eventually(
    () => stripe.testHelpers.testClocks.retrieve(id),
    ({ status }) => status === 'ready',
  );

/** A customer with a card and a monthly plan, who lives by a clock that starts at `at`. */
async function clocked(at: number, stripe = world.stripe) {
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: at, name: 'a year' });
  const customer = await stripe.customers.create({
    test_clock: clock.id,
    payment_method: 'pm_card_visa',
    invoice_settings: { default_payment_method: 'pm_card_visa' },
  });
  const price = await stripe.prices.create({
    currency: 'usd',
    unit_amount: 1000,
    recurring: { interval: 'month' },
    product_data: { name: 'Plan' },
  });
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  return { clock, customer, subscription };
}

describe('test clocks', () => {
  it('live apart from the time of everybody else', async () => {
    const { stripe } = world;
    const past = START - 400 * DAY;
    const { clock, customer, subscription } = await clocked(past);
    expect([customer.test_clock, subscription.test_clock]).toEqual([clock.id, clock.id]);
    expect(subscription.items.data[0]?.current_period_start).toBe(past);
    const other = await world.subscription(await world.price());
    expect(await world.since()).toContain('test_helpers.test_clock.created');

    await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: past + 59 * DAY });
    await ready(stripe, clock.id);
    const advancing = await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: past + 95 * DAY });
    expect(advancing).toMatchObject({
      status: 'advancing',
      status_details: { advancing: { target_frozen_time: past + 95 * DAY } },
    });
    expect(await ready(stripe, clock.id)).toMatchObject({ frozen_time: past + 95 * DAY, status_details: {} });
    const { data: invoices } = await stripe.invoices.list({ customer: customer.id });
    expect(invoices.map(({ status, amount_paid: paid }) => [status, paid])).toEqual(Array(4).fill(['paid', 1000]));
    expect(invoices.map((invoice) => invoice.test_clock)).toEqual(Array(4).fill(clock.id));
    expect((await stripe.invoices.list({ subscription: other.id })).data).toHaveLength(1);
    const types = await world.since();
    expect(types[0]).toBe('test_helpers.test_clock.advancing');
    expect(types.at(-1)).toBe('test_helpers.test_clock.ready');
    expect(types.filter((type) => type === 'invoice.paid')).toHaveLength(3);
  });

  it('retry a payment and give up, without anybody waiting', async () => {
    const { stripe } = world;
    const { clock, customer, subscription } = await clocked(START);
    const failing = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: customer.id });
    await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: failing.id } });
    await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: START + 33 * DAY });
    await ready(stripe, clock.id);
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('past_due');
    await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: START + 60 * DAY });
    await ready(stripe, clock.id);
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('canceled');
  });

  it('never go back, and are one thing at a time', async () => {
    const { testClocks } = world.stripe.testHelpers;
    const { id } = await testClocks.create({ frozen_time: START });
    await expect(testClocks.advance(id, { frozen_time: START })).rejects.toMatchObject({ statusCode: 400 });
    await expect(testClocks.advance('clock_none', { frozen_time: START })).rejects.toMatchObject({ statusCode: 404 });
    await expect(world.stripe.customers.create({ test_clock: 'clock_none' })).rejects.toMatchObject({
      param: 'test_clock',
    });
  });

  it('keep their customers out of the lists of the others, and take them along when they are deleted', async () => {
    const { stripe } = world;
    const { clock, customer, subscription } = await clocked(START);
    await stripe.customers.create();
    const seen = async (params: Stripe.CustomerListParams): Promise<string[]> =>
      (await stripe.customers.list(params)).data.map(({ id }) => id);
    expect(await seen({})).not.toContain(customer.id);
    expect(await seen({ test_clock: clock.id })).toEqual([customer.id]);
    expect((await stripe.subscriptions.list()).data).toEqual([]);
    await stripe.testHelpers.testClocks.del(clock.id);
    expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ deleted: true });
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('canceled');
    expect((await world.since()).at(-1)).toBe('test_helpers.test_clock.deleted');
  });

  it('are kept over a restart, with the work that waits for them', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sandbox-'));
    const file = { SANDBOX_DATA_FILE: join(directory, 'sandbox.json') };
    const before = await SandboxWorld.start(file);
    const { clock, customer } = await clocked(START, before.stripe);
    await before.close();
    const after = await SandboxWorld.start(file);
    try {
      await after.stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: START + 40 * DAY });
      await ready(after.stripe, clock.id);
      expect((await after.stripe.invoices.list({ customer: customer.id })).data).toHaveLength(2);
    } finally {
      await after.close();
      await rm(directory, { recursive: true });
    }
  });
});

describe('tiered prices', () => {
  const tiers = [
    { up_to: 5, unit_amount: 700 },
    { up_to: 10, unit_amount: 500, flat_amount: 100 },
    { up_to: 'inf' as const, unit_amount_decimal: Stripe.Decimal.from('249.5') },
  ];
  const tiered = (mode: 'graduated' | 'volume') =>
    world.stripe.prices.create({
      currency: 'usd',
      billing_scheme: 'tiered',
      tiers_mode: mode,
      tiers,
      recurring: { interval: 'month' },
      product_data: { name: 'Seats' },
      lookup_key: mode,
    });

  it.each([
    ['graduated', 3, 2100],
    ['graduated', 5, 3500],
    ['graduated', 7, 3500 + 100 + 1000],
    ['graduated', 13, 3500 + 100 + 2500 + 749],
    ['volume', 5, 3500],
    ['volume', 6, 3100],
    ['volume', 13, 3244],
  ] as const)('%s: %i seats are %i', async (mode, quantity, amount) => {
    const price = await tiered(mode);
    const customer = await world.customer();
    const subscription = await world.stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id, quantity }],
      expand: ['latest_invoice'],
    });
    expect(subscription.latest_invoice).toMatchObject({ amount_paid: amount, status: 'paid' });
  });

  it('show their tiers when asked to, and are found by lookup key', async () => {
    const { id } = await tiered('graduated');
    const [found] = (await world.stripe.prices.list({ lookup_keys: ['graduated'], expand: ['data.tiers'] })).data;
    expect(found).toMatchObject({ id, billing_scheme: 'tiered', tiers_mode: 'graduated', unit_amount: null });
    expect(found?.tiers?.map(({ up_to: upTo, unit_amount: unit }) => [upTo, unit])).toEqual([
      [5, 700],
      [10, 500],
      [null, null],
    ]);
    expect(await world.stripe.prices.retrieve(id)).not.toHaveProperty('tiers');
  });

  it.each([
    ['no end', [{ up_to: 5, unit_amount: 1 }]],
    [
      'the wrong order',
      [
        { up_to: 5, unit_amount: 1 },
        { up_to: 5, unit_amount: 1 },
        { up_to: 'inf' as const, unit_amount: 1 },
      ],
    ],
    ['nothing to pay', [{ up_to: 'inf' as const }]],
  ])('refuse tiers with %s', async (_, wrong) => {
    const params = { currency: 'usd', billing_scheme: 'tiered', tiers_mode: 'volume', tiers: wrong } as const;
    await expect(
      world.stripe.prices.create({ ...params, tiers: [...wrong], product_data: { name: 'X' } }),
    ).rejects.toMatchObject({ statusCode: 400 });
  });
});

describe('lists', () => {
  it('are walked to their end by the client itself, both ways', async () => {
    const made: string[] = [];
    for (let index = 0; index < 23; index += 1) made.push((await world.stripe.customers.create()).id);
    const walked: string[] = [];
    for await (const { id } of world.stripe.customers.list({ limit: 5 })) walked.push(id);
    expect(walked).toEqual([...made].reverse());
    const all = await world.stripe.customers.list({ limit: 10 }).autoPagingToArray({ limit: 100 });
    expect(all).toHaveLength(23);
    const upwards: string[] = [];
    for await (const { id } of world.stripe.customers.list({ limit: 4, ending_before: made[0]! })) upwards.push(id);
    expect(new Set(upwards)).toEqual(new Set(made.slice(1)));
  });
});
