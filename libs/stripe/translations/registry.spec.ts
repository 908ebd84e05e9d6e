import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readdirSync } from 'node:fs';
import { catalogState } from '../../../test/support/ledger/catalog.js';
import { oneOffLines, received, stripeEvent, stripeFixtures } from '../../../test/support/stripe/events.js';
import { translate, translatedTypes } from './registry.js';
import type { Lookups } from './translation.js';

const lookups: Lookups = {
  catalog: catalogState(),
  customerOfStripe: new Map([['cus_1', 'acme']]),
  customerKey: 'customer_id',
  livemode: false,
  now: '2026-10-01T00:00:10.000Z',
};
const nobody = { ...lookups, customerOfStripe: new Map() };
type Fixture = (typeof stripeFixtures)[number];
const translated = (name: Fixture, change = {}, known = lookups, envelope = {}) =>
  translate(received(stripeEvent(name, envelope, change)), known);
const commandsOf = (name: Fixture, change = {}, known = lookups) => {
  const result = translated(name, change, known);
  if (result.kind === 'park') throw new Error(`parked: ${result.reason.detail}`);
  return result.commands.map(({ stream, key, command }) => ({ stream, key, ...command }));
};
const line = (
  change: Record<string, unknown>,
  invoice: 'invoice.paid.acacia' | 'invoice.paid.endive' = 'invoice.paid.endive',
) => {
  const { lines } = stripeEvent(invoice).data.object as { lines: { data: Record<string, unknown>[] } };
  return { lines: { ...lines, data: [{ ...lines.data[0], ...change }] } };
};

test('every translated type has a recorded payload, every recorded payload is of a translated type', () => {
  const files = readdirSync(new URL('../../../test/fixtures/stripe/', import.meta.url));
  expect(files.map((file) => file.replace(/\.json$/, '')).sort()).toEqual([...stripeFixtures].sort());
  expect(new Set(stripeFixtures.map((name) => stripeEvent(name).type))).toEqual(new Set(translatedTypes));
});

const bought = { credit_product: 'credits_1000', customer_id: 'acme', top_up: 'true' };
const ways: readonly [Fixture, Record<string, unknown>][] = [
  ['checkout.session.completed.endive', { created: 1_790_812_800 }],
  [
    'invoice.paid.endive',
    {
      ...{ parent: null, metadata: bought, status_transitions: { paid_at: 1_790_812_800 }, status: 'paid' },
      ...oneOffLines(500),
    },
  ],
  ['payment_intent.succeeded.endive', { metadata: bought, amount_received: 500 }],
];

describe('whom metadata names', () => {
  const known = { ...nobody, customerKey: 'scrip_customer' };
  const mine = { customer_id: 'theirs', scrip_customer: 'acme' };
  const theirs = { customer_id: 'theirs' };
  test.each([
    ['customer.created.endive', (metadata: object) => ({ metadata })],
    ['customer.subscription.created.endive', (metadata: object) => ({ metadata })],
    ['invoice.paid.endive', (metadata: object) => ({ parent: null, metadata })],
    ['invoice.created.endive', (metadata: object) => ({ parent: null, metadata })],
    ['payment_intent.payment_failed.endive', (metadata: object) => ({ metadata })],
    [
      'checkout.session.completed.endive',
      (metadata: object) => ({ client_reference_id: null, metadata: { ...metadata, credits: '5' } }),
    ],
  ] as const)('is read of %s by the key of the installation alone', (name, withMetadata) => {
    const translatedArguments = JSON.stringify(translated(name, withMetadata(mine), known));
    expect(translatedArguments).toContain('acme');
    expect(translatedArguments).not.toContain('theirs');
    expect(JSON.stringify(translated(name, withMetadata(theirs), known))).not.toContain('theirs');
  });
});

describe.each(ways)('a pack that is bought by %s', (name, change) => {
  test('lasts as long as was sold, also when it could only be recorded after its end', () => {
    const { creditProducts } = lookups.catalog;
    const product = creditProducts.get('credits_1000')!;
    const lasting = new Map([['credits_1000', { ...product, item: { ...product.item, expiresAfterDays: 30 } }]]);
    const lasts = (now: string) => {
      const known = { ...lookups, now, catalog: { ...lookups.catalog, creditProducts: lasting } };
      const result = translated(name, change, known, { created: 1_790_812_800 });
      const list = result.kind === 'commands' ? result.commands : [];
      const [grant] = list.flatMap(({ command }) => (command.type === 'GrantCredits' ? [command] : []));
      return [grant?.effectiveAt, grant?.expiresAt];
    };
    const start = '2026-10-01T00:00:00.000Z';
    expect(lasts('2026-10-02T00:00:00.000Z')).toEqual([start, '2026-10-31T00:00:00.000Z']);
    expect(lasts('2026-10-30T23:59:59.999Z')).toEqual([start, '2026-10-31T00:00:00.000Z']);
    expect(lasts('2026-10-31T00:00:00.000Z')).toEqual([start, '2026-11-30T00:00:00.000Z']);
    expect(lasts('2026-09-30T23:59:00.000Z')[0]).toBe('2026-09-30T23:59:00.000Z');
  });
});

describe('a paid Checkout session in payment mode', () => {
  test('grants the product, records the payment with tax, links the customer; old and new shape alike', () => {
    const now = commandsOf('checkout.session.completed.endive', {}, nobody);
    expect(now).toEqual([
      expect.objectContaining({
        stream: 'account-acme',
        key: 'intent:pi_1',
        type: 'GrantCredits',
        amount: 2000,
        source: 'purchase',
        expiresAt: null,
        costBasis: { amount: 1000, currency: 'usd' },
        paymentReference: 'pi_1',
      }),
      expect.objectContaining({
        stream: 'payment-pi_1',
        key: 'session:cs_test_1',
        type: 'RecordPayment',
        money: { amount: 1190, currency: 'usd' },
      }),
      expect.objectContaining({
        stream: 'stripeCustomer-cus_1',
        type: 'NameStripeCustomer',
        stripeCustomerId: 'cus_1',
      }),
    ]);
    const translatedArguments = JSON.stringify(commandsOf('checkout.session.completed.acacia', {}, nobody));
    expect(JSON.parse(translatedArguments.replaceAll('evt_session_old', 'evt_session_new'))).toEqual(now);
  });

  test('is dated when it was paid: by the event that says so, or by its charge where the session holds that', () => {
    const datesOf = (...translatedArguments: Parameters<typeof commandsOf>) => {
      const [grant, payment] = commandsOf(...translatedArguments);
      return [grant, payment].map((command) => ({ ...command }) as { effectiveAt?: string; paidAt?: string });
    };
    const paidLate = datesOf('checkout.session.async_payment_succeeded.endive');
    expect(paidLate).toMatchObject([{ key: 'intent:pi_1' }, { paidAt: '2026-10-03T07:33:20.000Z' }]);
    const payment_intent = { id: 'pi_1', latest_charge: { id: 'ch_1', created: 1_790_812_802 } };
    expect(datesOf('checkout.session.completed.endive', { payment_intent })).toMatchObject([
      { effectiveAt: '2026-10-01T00:00:02.000Z' },
      { paidAt: '2026-10-01T00:00:02.000Z' },
    ]);
  });

  test('the customer comes from metadata or the link where client_reference_id is missing', () => {
    const byMetadata = { client_reference_id: null, metadata: { customer_id: 'acme', credits: '70' } };
    expect(commandsOf('checkout.session.completed.endive', byMetadata, nobody)[0]).toMatchObject({ amount: 70 });
    const byLink = { client_reference_id: null, metadata: { credits: '70' } };
    expect(commandsOf('checkout.session.completed.endive', byLink)[0]).toMatchObject({ stream: 'account-acme' });
    expect(translated('checkout.session.completed.endive', byLink, nobody)).toMatchObject({
      reason: { code: 'unknown_customer', subject: 'cus_1' },
    });
  });

  test('while unpaid it only links', () => {
    const commands = commandsOf('checkout.session.completed.endive', { payment_status: 'unpaid' });
    expect(commands.map(({ type }) => type)).toEqual(['NameStripeCustomer']);
  });

  test('one for a subscription only links', () => {
    const commands = commandsOf('checkout.session.completed.subscription.endive');
    expect(commands.map(({ type }) => type)).toEqual(['NameStripeCustomer']);
  });

  test('a full discount grants credits that cost nothing and records no payment', () => {
    const free = {
      amount_total: 0,
      total_details: { amount_tax: 0 },
      payment_intent: null,
      payment_status: 'no_payment_required',
    };
    const commands = commandsOf('checkout.session.completed.endive', free);
    expect(commands.map(({ type }) => type)).toEqual(['GrantCredits', 'NameStripeCustomer']);
    expect(commands[0]).toMatchObject({ costBasis: null, paymentReference: 'cs_test_1' });
  });

  test.each([
    [{ metadata: { credit_product: 'gone' } }, 'unknown_price', 'gone'],
    [{ metadata: {} }, 'unknown_price', 'cs_test_1'],
    [{ metadata: { credits: '1e3' } }, 'unknown_shape', null],
    [{ metadata: { credit_product: 'credits_1000', quantity: '0' } }, 'unknown_shape', null],
    [{ metadata: { credit_product: 'credits_1000', quantity: '9007199254740991' } }, 'unknown_shape', null],
    [{ currency: 'ugx' }, 'unsupported_currency', 'ugx'],
    [{ amount_total: 'much' }, 'unknown_shape', 'cs_test_1'],
    [{ amount_total: 10.5 }, 'unknown_shape', 'cs_test_1'],
    [{ payment_status: null }, 'unknown_shape', null],
  ])('%j is parked as %s', (change, code, subject) => {
    expect(translated('checkout.session.completed.endive', change)).toMatchObject({
      kind: 'park',
      reason: { code, subject },
    });
  });
});

describe('a paid invoice of a subscription', () => {
  test('grants per line until the end of its period; old and new shape alike', () => {
    const now = commandsOf('invoice.paid.endive');
    expect(now).toEqual([
      expect.objectContaining({
        stream: 'account-acme',
        key: 'allotment:si_1:1790812800:1793491200:price_starter_month:1',
        type: 'GrantPeriod',
        ...{ subscriptionId: 'sub_1', itemId: 'si_1', interval: 'month', creditsPerMonth: 500, prorated: false },
        plan: { id: 'starter', credits: 500, quantity: 1 },
        ...{ periodStart: '2026-10-01T00:00:00.000Z', periodEnd: '2026-11-01T00:00:00.000Z' },
        cost: { amount: 1950, currency: 'usd' },
      }),
      expect.objectContaining({
        stream: 'subscription-sub_1',
        type: 'RecordPaidPeriod',
        planId: 'starter',
        interval: 'month',
        first: true,
      }),
      expect.objectContaining({
        stream: 'invoice-in_1',
        type: 'RecordInvoicePaid',
        paid: { amount: 2320, currency: 'usd' },
      }),
      expect.objectContaining({ stream: 'payment-in_1', type: 'RecordPayment', paymentIntentId: null }),
      expect.objectContaining({ stream: 'payment-pi_sub_1', type: 'LinkInvoice', invoiceId: 'in_1', currency: 'usd' }),
      expect.objectContaining({ stream: 'payment-in_1', type: 'LinkInvoice', invoiceId: 'pi_sub_1' }),
    ]);
    expect(commandsOf('invoice.paid.acacia')).toEqual(now);
  });

  test('an invoice issued again for the same item and period has the same key', () => {
    const again = commandsOf('invoice.paid.endive', { id: 'in_2' });
    expect(again[0]?.key).toBe(commandsOf('invoice.paid.endive')[0]?.key);
  });

  test('a yearly price grants all its months', () => {
    const change = {
      period: { start: 1790812800, end: 1822348800 },
      pricing: { price_details: { price: 'price_starter_year' } },
      amount: 20000,
      discount_amounts: [],
    };
    expect(commandsOf('invoice.paid.endive', line(change))[0]).toMatchObject({
      ...{
        type: 'GrantPeriod',
        key: 'allotment:si_1:1790812800:1822348800:price_starter_year:1',
        interval: 'year',
        creditsPerMonth: 500,
      },
      ...{ periodEnd: '2027-10-01T00:00:00.000Z', cost: { amount: 20000, currency: 'usd' } },
    });
  });

  test.each([
    ['a trial', { amount: 0, discount_amounts: [] }, 'invoice.paid.endive'],
    [
      'a trial of an unknown price',
      { amount: 0, pricing: { price_details: { price: 'price_x' } } },
      'invoice.paid.endive',
    ],
    ['what is given back', { amount: -2000 }, 'invoice.paid.endive'],
    [
      'an invoice item',
      { parent: { invoice_item_details: { invoice_item: 'ii_1', proration: false } } },
      'invoice.paid.endive',
    ],
  ] as const)('%s grants nothing but is recorded', (_what, change, shape) => {
    const commands = commandsOf(shape, line(change, shape));
    expect(commands.map(({ type }) => type)).toEqual([
      'RecordInvoicePaid',
      'RecordPayment',
      'LinkInvoice',
      'LinkInvoice',
    ]);
  });

  test('paid by a coupon or a balance it still grants', () => {
    const commands = commandsOf('invoice.paid.endive', {
      ...line({ discount_amounts: [{ amount: 2000 }] }),
      amount_paid: 0,
      total: 0,
    });
    expect(commands[0]).toMatchObject({ type: 'GrantPeriod', creditsPerMonth: 500, cost: null });
    expect(commands.some(({ type }) => type === 'RecordPayment')).toBe(false);
  });

  test('an included tax is no cost of the credits', () => {
    const taxed = line({ discount_amounts: [], taxes: [{ amount: 319, tax_behavior: 'inclusive' }] });
    expect(commandsOf('invoice.paid.endive', taxed)[0]).toMatchObject({ cost: { amount: 1681, currency: 'usd' } });
  });

  test('without a subscription it is recorded only, unless its metadata sells credits', () => {
    const manual = { ...oneOffLines(1950), parent: null, metadata: { credits: '5' } };
    expect(commandsOf('invoice.paid.endive', manual).map(({ type }) => type)).toEqual([
      'RecordInvoicePaid',
      'LinkInvoice',
      'LinkInvoice',
    ]);
    const sale = { ...manual, metadata: { credits: '5', top_up: 'true' } };
    expect(commandsOf('invoice.paid.endive', sale)).toMatchObject([
      { type: 'GrantCredits', amount: 5, key: 'invoice:in_1' },
      { type: 'RecordInvoicePaid' },
      { type: 'RecordPayment', kind: 'top_up' },
      { type: 'LinkInvoice' },
      { type: 'LinkInvoice' },
    ]);
  });

  test.each([
    [line({ pricing: { price_details: { price: 'price_x' } } }), 'unknown_price', 'price_x'],
    [line({ period: null }), 'unknown_shape', null],
    [{ lines: { data: [], has_more: true } }, 'lines_incomplete', 'in_1'],
    [{ currency: 'ugx' }, 'unsupported_currency', 'ugx'],
    [{ customer: null }, 'unknown_customer', null],
  ])('%# is parked as %s', (change, code, subject) => {
    expect(translated('invoice.paid.endive', change)).toMatchObject({ kind: 'park', reason: { code, subject } });
  });
});

test('an event of the other mode or of a connected account is parked, an unknown type means nothing', () => {
  expect(translated('invoice.paid.endive', {}, lookups, { livemode: true })).toMatchObject({
    reason: { code: 'wrong_mode' },
  });
  const event = received(stripeEvent('invoice.paid.endive'));
  const payload = { ...(event.payload as object), account: 'acct_1' };
  expect(translate({ ...event, payload }, lookups)).toMatchObject({ reason: { code: 'connected_account' } });
  expect(translated('invoice.paid.endive', {}, lookups, { type: 'product.created' })).toEqual({
    kind: 'commands',
    commands: [],
  });
  expect(translated('invoice.paid.endive', {}, lookups, { type: 'toString' })).toEqual({
    kind: 'commands',
    commands: [],
  });
});

test.each(['in_\u0000', 'in 1', 'x'.repeat(256), '', 'in_ü'])('an id that can name no stream (%#) is none', (id) => {
  expect(translated('invoice.paid.endive', { id })).toMatchObject({ kind: 'park', reason: { code: 'unknown_shape' } });
  expect(translated('refund.updated.endive', { payment_intent: id, charge: null })).toMatchObject({ kind: 'park' });
});

test('no change of any field makes a translation throw, and no grant has an impossible amount', () => {
  const odd = fc.oneof(
    fc.constant(null),
    fc.constant(undefined),
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.boolean(),
    fc.constant([]),
    fc.constant({}),
    fc.constant('__proto__'),
    fc.constant(1e300),
    fc.constant([null]),
    fc.constant({ data: [null, 1, {}] }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...stripeFixtures),
      fc.array(fc.tuple(fc.nat(), odd), { minLength: 1, maxLength: 4 }),
      (name, mutations) => {
        const body = stripeEvent(name);
        for (const [choice, value] of mutations) mutate(body.data, choice, value);
        const result = translate({ ...received(body), payload: { data: body.data } as never }, lookups);
        if (result.kind === 'park') return;
        for (const { command } of result.commands) {
          if (command.type === 'GrantCredits')
            expect(Number.isSafeInteger(command.amount) && command.amount > 0).toBe(true);
          if (command.type === 'RecordPayment') expect(command.money.amount + command.total).toBeGreaterThan(0);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

/** Puts `value` into one of the places of a tree, chosen by number. */
function mutate(tree: object, choice: number, value: unknown): void {
  const places: [Record<string, unknown>, string][] = [];
  const walk = (node: unknown): void => {
    if (node === null || typeof node !== 'object') return;
    for (const key of Object.keys(node)) {
      places.push([node as Record<string, unknown>, key]);
      walk((node as Record<string, unknown>)[key]);
    }
  };
  walk(tree);
  const place = places[choice % places.length];
  if (place !== undefined) place[0][place[1]] = structuredClone(value);
}
