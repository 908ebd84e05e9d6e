import { describe, expect, test } from '@jest/globals';
import type { Catalog, PlanPolicy } from '#ledger/catalog.js';
import { catalog, catalogState } from '../../test/support/catalog.js';
import { received, stripeEvent, type StripeFixture } from '../../test/support/stripe-events.js';
import { translate } from './translate.js';
import type { Lookups } from './translation.js';

const [free, starter] = catalog.plans;
if (free === undefined || starter === undefined) throw new Error('the catalogue has two plans');

/** Starter gives 500 a month, pro 2000, both by the policy. */
function withPolicy(policy: PlanPolicy): Lookups {
  const pro = {
    ...starter!,
    id: 'pro',
    creditsPerMonth: 2000,
    monthly: { money: { amount: 8000, currency: 'usd' }, stripePriceId: 'price_pro_month' },
    yearly: { money: { amount: 80000, currency: 'usd' }, stripePriceId: 'price_pro_year' },
    policy,
  };
  const wanted: Catalog = { ...catalog, plans: [free!, { ...starter!, policy }, pro] };
  return {
    catalog: catalogState(wanted),
    customerOfStripe: new Map([['cus_1', 'acme']]),
    livemode: false,
    now: '2026-10-16T12:00:00.000Z',
  };
}

const commandsOf = (name: StripeFixture, change: Record<string, unknown>, policy: PlanPolicy) => {
  const result = translate(received(stripeEvent(name, {}, change)), withPolicy(policy));
  if (result.kind === 'park') throw new Error(`parked: ${result.reason.detail}`);
  return result.commands.map(({ stream, key, command }) => ({ stream, key, ...command }));
};
const creditsOf = (commands: readonly { type: string }[]) =>
  commands.filter(({ type }) => ['GrantCredits', 'TakeUnspent', 'RecordPaidPeriod'].includes(type));

const period = { start: 1790812800, end: 1793491200 }; // October 2026
const half = { start: 1792152000, end: 1793491200 }; // from the 16th, noon
type Line = { price: string; amount: number; quantity?: number; proration?: boolean; period?: object };

/** An invoice with these lines, in today's shape or that of before basil. */
function invoice(lines: readonly Line[], old = false): Record<string, unknown> {
  const data = lines.map(({ price, amount, quantity = 1, proration = true, period: of = half }, index) => {
    const common = { id: `il_${String(index)}`, object: 'line_item', amount, currency: 'usd', period: of, quantity };
    if (old) return { ...common, type: 'invoiceitem', proration, price: { id: price }, subscription_item: 'si_1' };
    const details = { invoice_item: 'ii_1', proration, subscription: 'sub_1' };
    return {
      ...common,
      parent: { invoice_item_details: details, type: 'invoice_item_details' },
      pricing: { price_details: { price, product: 'prod_1' }, type: 'price_details' },
    };
  });
  return { id: 'in_9', billing_reason: 'subscription_update', lines: { object: 'list', data, has_more: false } };
}

const upgrade = [
  { price: 'price_starter_month', amount: -1000 },
  { price: 'price_pro_month', amount: 4000 },
];

describe('a change of plan within a month', () => {
  test.each(['invoice.paid.endive', 'invoice.paid.acacia'] as const)(
    'to more grants the difference for the rest of the month (%s)',
    (shape) => {
      const commands = commandsOf(shape, invoice(upgrade, shape.endsWith('acacia')), {});
      expect(creditsOf(commands)).toEqual([
        expect.objectContaining({
          type: 'GrantCredits',
          key: 'proration:in_9:2026-11-01T00:00:00.000Z',
          amount: 750,
          source: 'subscription',
          expiresAt: '2026-11-01T00:00:00.000Z',
          costBasis: { amount: 3000, currency: 'usd' },
          paymentReference: 'in_9',
        }),
      ]);
      expect(commands).toContainEqual(expect.objectContaining({ type: 'RecordPayment', kind: 'upgrade' }));
    },
  );

  test('to more grants nothing where the plan says so', () => {
    expect(creditsOf(commandsOf('invoice.paid.endive', invoice(upgrade), { proratedUpgrade: false }))).toEqual([]);
  });

  const downgrade = [
    { price: 'price_pro_month', amount: -4000 },
    { price: 'price_starter_month', amount: 1000 },
  ];

  test('to less takes nothing, and where the plan says so what is unspent of the difference', () => {
    const credit = { ...invoice(downgrade), amount_paid: 0, total: -3000 };
    expect(creditsOf(commandsOf('invoice.paid.endive', credit, {}))).toEqual([]);
    expect(creditsOf(commandsOf('invoice.paid.endive', credit, { downgradeClawback: true }))).toEqual([
      expect.objectContaining({
        type: 'TakeUnspent',
        amount: 750,
        endsAt: '2026-11-01T00:00:00.000Z',
        cause: { kind: 'downgrade', id: 'in_9' },
      }),
    ]);
  });

  test('of quantity counts the seats', () => {
    const seats = [
      { price: 'price_starter_month', amount: -1000, quantity: 1 },
      { price: 'price_starter_month', amount: 3000, quantity: 3 },
    ];
    expect(creditsOf(commandsOf('invoice.paid.endive', invoice(seats), {}))).toMatchObject([{ amount: 500 }]);
  });

  test('from month to year grants the first month of the year; the rest of the old month is no loss', () => {
    const year = { start: half.start, end: half.start + 365 * 86_400 };
    const lines = [
      { price: 'price_starter_month', amount: -1000 },
      { price: 'price_starter_year', amount: 20000, period: year },
    ];
    const body = invoice(lines.slice(0, 1));
    const line = (stripeEvent('invoice.paid.endive').data.object['lines'] as { data: object[] }).data[0];
    const full = { ...line, amount: 20000, period: year, pricing: { price_details: { price: 'price_starter_year' } } };
    const { data } = body['lines'] as { data: object[] };
    const mixed = { ...body, lines: { data: [...data, full], has_more: false } };
    expect(creditsOf(commandsOf('invoice.paid.endive', mixed, {}))).toMatchObject([
      { type: 'GrantCredits', amount: 500, key: `drip:si_1:${String(half.start)}:0` },
      { type: 'RecordPaidPeriod', interval: 'year' },
    ]);
  });

  const year = { start: half.start, end: 1821744000 }; // until 24 September 2027

  test('of a year’s plan adds the difference to each of its months that is left', () => {
    const lines = [
      { price: 'price_starter_year', amount: -16000, period: year },
      { price: 'price_pro_year', amount: 64000, period: year },
    ];
    expect(creditsOf(commandsOf('invoice.paid.endive', invoice(lines), {}))).toMatchObject([
      { type: 'GrantCredits', amount: 1500, expiresAt: '2026-10-24T00:00:00.000Z' },
      {
        ...{ type: 'RecordPaidPeriod', interval: 'year', creditsPerMonth: 1500, cost: { amount: 48000 } },
        ...{ periodStart: '2026-09-24T00:00:00.000Z', agreedAt: '2026-10-16T12:00:00.000Z' },
      },
    ]);
  });

  describe('of a year’s plan to less', () => {
    const [back, charged] = [
      { price: 'price_pro_year', amount: -64000, period: year },
      { price: 'price_starter_year', amount: 16000, period: year },
    ];
    const paid = (lines: readonly Line[], policy: PlanPolicy) =>
      commandsOf('invoice.paid.endive', { ...invoice(lines), amount_paid: 0, total: -48000 }, policy).filter(
        ({ type }) => ['TakeUnspent', 'ReducePaidPeriod'].includes(type),
      );
    const reduced = {
      ...{ type: 'ReducePaidPeriod', invoiceId: 'in_9', creditsPerMonth: 1500 },
      ...{ since: '2026-10-16T12:00:00.000Z', periodEnd: '2027-09-24T00:00:00.000Z' },
    };

    test('the months to come are fewer by the difference, whatever the policy', () => {
      expect(paid([back, charged], {})).toMatchObject([reduced]);
      expect(paid([back], {})).toMatchObject([{ ...reduced, creditsPerMonth: 2000 }]);
    });

    test('the rest of the present month is taken as far as it is unspent, where the policy says so', () => {
      expect(paid([back, charged], { downgradeClawback: true })).toMatchObject([
        {
          ...{ type: 'TakeUnspent', amount: 375, since: '2026-10-16T12:00:00.000Z' },
          ...{ endsAt: '2026-10-24T00:00:00.000Z', cause: { kind: 'downgrade', id: 'in_9' } },
        },
        reduced,
      ]);
    });

    test('a month that began since, or begins within the hour, may have been granted whole', () => {
      const start = Date.parse('2026-09-20T00:00:00.000Z') / 1000;
      const since = { start, end: Date.parse('2027-09-16T13:30:00.000Z') / 1000 };
      const lines = [back, charged].map((line) => ({ ...line, period: since }));
      expect(paid(lines, {})).toMatchObject([
        // It is 12:00, and the next month begins at 13:30.
        { type: 'ReducePaidPeriod', wholeUntil: '2026-10-16T13:00:00.000Z' },
      ]);
      const sooner = lines.map((line) => ({ ...line, period: { ...since, end: since.end - 3000 } }));
      expect(paid(sooner, {})).toMatchObject([
        { type: 'TakeUnspent', amount: 1500, endsAt: '2026-11-16T12:40:00.000Z', since: '2026-10-16T12:40:00.000Z' },
        { type: 'ReducePaidPeriod' },
      ]);
    });

    test('and to more and to less again, on one invoice, counts each from its own time', () => {
      const later = { ...year, start: year.start + 86_400 };
      const lines = [
        back,
        charged,
        { ...charged, amount: -16000, period: later },
        { ...back, amount: 64000, period: later },
      ];
      const last = { ...year, start: year.start + 2 * 86_400 };
      const found = commandsOf('invoice.paid.endive', invoice([...lines, { ...back, period: last }]), {
        downgradeClawback: true,
      });
      expect(found.filter(({ type }) => type === 'ReducePaidPeriod')).toMatchObject([
        reduced,
        { since: '2026-10-18T12:00:00.000Z', creditsPerMonth: 2000 },
      ]);
      expect(found.filter(({ type }) => type === 'TakeUnspent')).toMatchObject([
        { amount: 375 + 367, since: '2026-10-18T12:00:00.000Z', endsAt: '2026-10-24T00:00:00.000Z' },
      ]);
      expect(found.filter(({ type }) => type === 'RecordPaidPeriod')).toMatchObject([{ creditsPerMonth: 1500 }]);
    });
  });

  test('on the next invoice, when the old month is over, still gives what was paid for', () => {
    const past = { start: 1789560000, end: 1790812800 };
    const lines = upgrade.map((line) => ({ ...line, period: past }));
    expect(creditsOf(commandsOf('invoice.paid.endive', invoice(lines), {}))).toMatchObject([
      { type: 'GrantCredits', expiresAt: '2026-11-16T12:00:00.000Z' },
    ]);
  });

  describe('of a year’s plan on the invoice of the next year, when the old year is over', () => {
    const past = { start: Date.parse('2026-07-11T00:00:00.000Z') / 1000, end: period.start };
    const lines = (amounts: readonly [number, number]) =>
      [
        { price: 'price_starter_year', amount: amounts[0] },
        { price: 'price_pro_year', amount: amounts[1] },
      ].map((line) => ({ ...line, period: past }));

    test('to more gives the difference of each month that was paid for, until the month ends that it is heard of in', () => {
      expect(creditsOf(commandsOf('invoice.paid.endive', invoice(lines([-4500, 18000])), {}))).toMatchObject([
        {
          type: 'GrantCredits',
          amount: 1500,
          effectiveAt: '2026-07-11T00:00:00.000Z',
          expiresAt: '2026-11-01T00:00:00.000Z',
        },
        {
          ...{ type: 'RecordPaidPeriod', creditsPerMonth: 1500, cost: { amount: 13500 } },
          ...{ periodStart: '2026-07-01T00:00:00.000Z', periodEnd: '2026-10-01T00:00:00.000Z' },
        },
      ]);
    });

    test('to less takes nothing: its months have ended', () => {
      const commands = commandsOf('invoice.paid.endive', invoice(lines([4500, -18000])), { downgradeClawback: true });
      expect(creditsOf(commands)).toEqual([]);
      expect(commands).toContainEqual(expect.objectContaining({ type: 'ReducePaidPeriod', creditsPerMonth: 1500 }));
    });
  });

  test('to a price that no plan has is parked', () => {
    const lines = [{ price: 'price_x', amount: 100 }];
    const result = translate(received(stripeEvent('invoice.paid.endive', {}, invoice(lines))), withPolicy({}));
    expect(result).toMatchObject({ reason: { code: 'unknown_price', subject: 'price_x' } });
  });
});

describe('a renewal', () => {
  test('takes unspent credits along where the plan says so', () => {
    const [plain] = creditsOf(commandsOf('invoice.paid.endive', {}, {}));
    expect(plain).not.toHaveProperty('rollover');
    const [rolling] = creditsOf(commandsOf('invoice.paid.endive', {}, { rolloverCap: 200 }));
    expect(rolling).toMatchObject({ rollover: { cap: 200, endedAt: '2026-10-01T00:00:00.000Z' } });
    expect(period.start * 1000).toBe(Date.parse('2026-10-01T00:00:00.000Z'));
  });
});

test.each(['customer.subscription.resumed.endive', 'customer.subscription.paused.endive'] as const)(
  '%s comes after the changes of the same second',
  (name) => {
    const [observed] = commandsOf(name, {}, {});
    expect(observed).toMatchObject({ type: 'ObserveSubscription', snapshot: { stage: 2 } });
    const [change] = commandsOf('customer.subscription.updated.endive', {}, {});
    expect(change).toMatchObject({ snapshot: { stage: 1 } });
  },
);

describe('a trial', () => {
  const trial = { status: 'trialing', trial_start: 1790812800, trial_end: 1792368000 };

  test('grants what the plan gives to try, once for the subscription, until it ends', () => {
    const commands = commandsOf('customer.subscription.created.endive', trial, { trialCredits: 50 });
    expect(creditsOf(commands)).toEqual([
      expect.objectContaining({
        key: 'sub_1:trial_start',
        amount: 50,
        source: 'trial',
        expiresAt: '2026-10-19T00:00:00.000Z',
      }),
    ]);
  });

  test('is granted by its start alone, so that a change within it that comes first does not', () => {
    const update = (previous: Record<string, unknown> | undefined) => {
      const body = stripeEvent('customer.subscription.updated.endive', {}, trial);
      const data = { object: body.data.object, ...(previous === undefined ? {} : { previous_attributes: previous }) };
      const result = translate(received({ ...body, data }), withPolicy({ trialCredits: 50 }));
      return creditsOf(result.kind === 'commands' ? result.commands.map(({ command }) => command) : []).length;
    };
    expect(update({ items: {} })).toBe(0);
    expect(update({ status: 'trialing' })).toBe(0);
    expect(update({ status: 'active' })).toBe(1);
    expect(update(undefined)).toBe(1); // told by a repair, which knows of no change
    const soon = commandsOf('customer.subscription.trial_will_end.endive', trial, { trialCredits: 50 });
    expect(creditsOf(soon)).toEqual([]);
  });

  test('grants nothing by default, nor when it is over', () => {
    expect(creditsOf(commandsOf('customer.subscription.created.endive', trial, {}))).toEqual([]);
    const over = { ...trial, trial_end: 1790812801 };
    expect(creditsOf(commandsOf('customer.subscription.created.endive', over, { trialCredits: 50 }))).toEqual([]);
  });
});

test('the end of a subscription puts its customer on the free plan', () => {
  const [standing, fall] = commandsOf('customer.subscription.deleted.endive', {}, {});
  expect(standing).toMatchObject({ type: 'ObserveSubscription', snapshot: { status: 'canceled' } });
  expect(fall).toMatchObject({ type: 'StartFreePlan', stream: 'subscription-free_acme', planId: 'free' });
});

test('a cancellation at the end of the period and one at a date are the same', () => {
  const [atEnd] = commandsOf('customer.subscription.updated.acacia', {}, {});
  const [atDate] = commandsOf('customer.subscription.updated.endive', {}, {});
  expect({ ...atEnd, key: '' }).toEqual({ ...atDate, key: '' });
  expect(atEnd).toMatchObject({ snapshot: { cancelAt: '2026-11-01T00:00:00.000Z' } });
});
