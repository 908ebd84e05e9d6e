import { describe, expect, test } from '@jest/globals';
import type { Catalog, PlanPolicy } from '#ledger/catalog.js';
import { catalog, catalogState } from '../../../test/support/ledger/catalog.js';
import { received, stripeEvent, type StripeFixture } from '../../../test/support/stripe/events.js';
import { translate } from './registry.js';
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
    customerKey: 'customer_id',
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
  commands.filter(({ type }) => ['GrantCredits', 'GrantPeriod', 'ChangePeriod', 'RecordPaidPeriod'].includes(type));

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

const november = '2026-11-01T00:00:00.000Z';
const noon = '2026-10-16T12:00:00.000Z';
const downgrade = [
  { price: 'price_pro_month', amount: -4000 },
  { price: 'price_starter_month', amount: 1000 },
];
/** The one change that an invoice of these lines means. */
const changeOf = (lines: readonly Line[], policy: PlanPolicy, shape: StripeFixture = 'invoice.paid.endive') => {
  const found = creditsOf(commandsOf(shape, invoice(lines, shape.endsWith('acacia')), policy));
  expect(found.map(({ type }) => type)).toEqual(['ChangePeriod']);
  return found[0] as unknown as { periods: readonly object[] };
};

describe('a change of plan within a month', () => {
  test.each(['invoice.paid.endive', 'invoice.paid.acacia'] as const)(
    'to more sets the credits of a month by the new plan against those by the old one (%s)',
    (shape) => {
      expect(changeOf(upgrade, {}, shape)).toMatchObject({
        ...{ stream: 'account-acme', key: 'change:in_9:sub_1', changeId: 'in_9', paymentReference: 'in_9' },
        periods: [
          {
            ...{ end: november, interval: 'month', parts: [{ since: noon, credits: 1500 }] },
            ...{ cost: { amount: 3000, currency: 'usd' }, grants: true, takesBack: false },
          },
        ],
      });
      const commands = commandsOf(shape, invoice(upgrade, shape.endsWith('acacia')), {});
      expect(commands).toContainEqual(expect.objectContaining({ type: 'RecordPayment', kind: 'upgrade' }));
    },
  );

  test('to less has no cost; the policy of the plan that is changed to says what is granted and taken back', () => {
    const part = { since: noon, credits: -1500 };
    expect(changeOf(downgrade, { downgradeClawback: true, proratedUpgrade: false }).periods).toMatchObject([
      { end: november, interval: 'month', parts: [part], cost: null, grants: false, takesBack: true },
    ]);
  });

  test('names its plans with their seats; one that is given back and charged again as it was is none', () => {
    const [plans, starter, pro] = [
      (lines: readonly Line[]) =>
        (changeOf(lines, {}).periods as { parts: { plans: unknown }[] }[])[0]!.parts[0]!.plans,
      { id: 'starter', credits: 500 },
      { id: 'pro', credits: 2000 },
    ];
    const toPro = [
      { ...pro, quantity: 1 },
      { ...starter, quantity: -1 },
    ];
    expect(plans(upgrade)).toEqual(toPro);
    expect(plans(upgrade.toReversed())).toEqual(toPro);
    const seats = [
      { price: 'price_pro_month', amount: -4000, quantity: 1 },
      { price: 'price_pro_month', amount: 12_000, quantity: 3 },
    ];
    expect(plans(seats)).toEqual([
      { ...pro, quantity: -1 },
      { ...pro, quantity: 3 },
    ]);
    const same = [upgrade[1]!, { ...upgrade[1]!, amount: -3000 }];
    expect(creditsOf(commandsOf('invoice.paid.endive', invoice(same), {}))).toEqual([]);
  });

  test('of quantity counts the seats', () => {
    const seats = [
      { price: 'price_starter_month', amount: -1000, quantity: 1 },
      { price: 'price_starter_month', amount: 3000, quantity: 3 },
    ];
    expect(changeOf(seats, {}).periods).toMatchObject([{ parts: [{ credits: 1000 }] }]);
  });

  test('to and fro on one invoice is one change, each part from its own time; what comes to nothing is none', () => {
    const later = { start: half.start + 86_400, end: half.end };
    const back = downgrade.map((line) => ({ ...line, period: later }));
    expect(changeOf([...back, ...upgrade], {}).periods).toMatchObject([
      {
        parts: [
          { since: noon, credits: 1500 },
          { since: '2026-10-17T12:00:00.000Z', credits: -1500 },
        ],
      },
    ]);
    expect(creditsOf(commandsOf('invoice.paid.endive', invoice([...upgrade, ...downgrade]), {}))).toEqual([]);
  });

  test('to and fro in one second is what it comes to; seats that are given back otherwise than they are charged stay', () => {
    const partsOf = (lines: readonly Line[]): unknown => (changeOf(lines, {}).periods[0] as { parts: unknown }).parts;
    expect(partsOf([...upgrade, ...downgrade, ...upgrade])).toEqual(partsOf(upgrade));
    const seats = (from: number, to: number): readonly Line[] => [
      { price: 'price_pro_month', amount: -4000 * from, quantity: from },
      { price: 'price_pro_month', amount: 4000 * to, quantity: to },
    ];
    expect(partsOf([...seats(2, 3), ...seats(3, 2), ...seats(2, 4)])).toMatchObject([
      { plans: [{ quantity: -2 }, { quantity: 4 }] },
    ]);
  });

  test('from month to year takes the rest of the month first, then grants the year', () => {
    const year = { start: half.start, end: half.start + 365 * 86_400 };
    const body = invoice([{ price: 'price_starter_month', amount: -1000 }]);
    const line = (stripeEvent('invoice.paid.endive').data.object['lines'] as { data: object[] }).data[0];
    const full = { ...line, amount: 20000, period: year, pricing: { price_details: { price: 'price_starter_year' } } };
    const { data } = body['lines'] as { data: object[] };
    const mixed = { ...body, lines: { data: [...data, full], has_more: false } };
    expect(creditsOf(commandsOf('invoice.paid.endive', mixed, {}))).toMatchObject([
      { type: 'ChangePeriod', periods: [{ end: november, interval: 'month', parts: [{ credits: -500 }] }] },
      { type: 'GrantPeriod', interval: 'year', creditsPerMonth: 500, prorated: false },
      { type: 'RecordPaidPeriod', interval: 'year' },
    ]);
  });

  test('of a year’s plan is told with the end of the year', () => {
    const year = { start: half.start, end: 1821744000 }; // until 24 September 2027
    const lines = [
      { price: 'price_starter_year', amount: -16000, period: year },
      { price: 'price_pro_year', amount: 64000, period: year },
    ];
    expect(changeOf(lines, {}).periods).toMatchObject([
      {
        ...{ end: '2027-09-24T00:00:00.000Z', interval: 'year', cost: { amount: 48000 } },
        parts: [{ since: noon, credits: 1500 }],
      },
    ]);
  });

  test('beside something else than a plan counts by its plans; alone, an unknown price is parked', () => {
    const other = { price: 'price_x', amount: 100 };
    expect(changeOf([...upgrade, other], {}).periods).toMatchObject([
      { parts: [{ credits: 1500 }], cost: { amount: 3000 } },
    ]);
    const result = translate(received(stripeEvent('invoice.paid.endive', {}, invoice([other]))), withPolicy({}));
    expect(result).toMatchObject({ reason: { code: 'unknown_price', subject: 'price_x' } });
  });
});

describe('a first period before a fixed billing date', () => {
  test.each([
    ['paid in part is a share', 1000, true],
    ['paid whole, as that of a price by the week, is not', 2000, false],
  ])('%s', (_what, amount, prorated) => {
    const line = (stripeEvent('invoice.paid.endive').data.object['lines'] as { data: object[] }).data[0];
    const body = { lines: { data: [{ ...line, amount, period: half }], has_more: false } };
    expect(creditsOf(commandsOf('invoice.paid.endive', body, {}))[0]).toMatchObject({ type: 'GrantPeriod', prorated });
  });

  test('that is told as a proration is granted whatever the policy says of changes', () => {
    const body = { ...invoice(upgrade.slice(1)), billing_reason: 'subscription_create' };
    expect(creditsOf(commandsOf('invoice.paid.endive', body, { proratedUpgrade: false }))).toMatchObject([
      { type: 'ChangePeriod', periods: [{ grants: true }] },
    ]);
  });
});

describe('a renewal', () => {
  test('takes unspent credits along where the plan says so', () => {
    const [plain] = creditsOf(commandsOf('invoice.paid.endive', {}, {}));
    expect(plain).toMatchObject({ rolloverCap: 0 });
    const [rolling] = creditsOf(commandsOf('invoice.paid.endive', {}, { rolloverCap: 200 }));
    expect(rolling).toMatchObject({ rolloverCap: 200, periodStart: '2026-10-01T00:00:00.000Z' });
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
  const agreedIn = (commands: ReturnType<typeof commandsOf>) => commands.filter(({ type }) => type === 'AgreeTrial');

  test('gives what the plan gives to try, once for the subscription, until it ends', () => {
    const commands = commandsOf('customer.subscription.created.endive', trial, { trialCredits: 50 });
    const time = { subscriptionId: 'sub_1', start: '2026-10-01T00:00:00.000Z', end: '2026-10-19T00:00:00.000Z' };
    expect(agreedIn(commands)).toEqual([
      expect.objectContaining({ key: 'sub_1:trial_start', stream: 'account-acme', amount: 50, ...time }),
    ]);
    expect(commands).toContainEqual(expect.objectContaining({ type: 'MoveTrial', ...time }));
  });

  test('is granted by its start alone, so that a change within it that comes first does not', () => {
    const update = (previous: Record<string, unknown> | undefined, change: object = {}) => {
      const body = stripeEvent('customer.subscription.updated.endive', {}, { ...trial, ...change });
      const data = { object: body.data.object, ...(previous === undefined ? {} : { previous_attributes: previous }) };
      const result = translate(received({ ...body, data }), withPolicy({ trialCredits: 50 }));
      return result.kind === 'commands' ? result.commands.map(({ command }) => command.type) : [];
    };
    const gives = (...args: Parameters<typeof update>) => update(...args).includes('AgreeTrial');
    expect(gives({ items: {} })).toBe(false);
    expect(gives({ status: 'trialing' })).toBe(false);
    expect(gives({ status: 'incomplete' })).toBe(true);
    expect(gives(undefined)).toBe(true); // reported by a repair, which knows of no change
    // Who pays already is given time, and no trial.
    expect(gives({ status: 'active' }, { trial_start: 1791417600 })).toBe(false);
    expect(gives(undefined, { trial_start: 1791417600 })).toBe(false);
    expect(update({ trial_end: 1792368001 })).toContain('MoveTrial');
    expect(update({ status: 'trialing' }, { status: 'active' })).toContain('MoveTrial');
    const nearEnd = commandsOf('customer.subscription.trial_will_end.endive', trial, { trialCredits: 50 });
    expect(agreedIn(nearEnd)).toEqual([]);
  });

  test('gives nothing by default', () => {
    expect(agreedIn(commandsOf('customer.subscription.created.endive', trial, {}))).toEqual([]);
  });
});

test('the end of a subscription puts its customer on the free plan', () => {
  const list = commandsOf('customer.subscription.deleted.endive', {}, {});
  const [standing, plan, ended, fall, entered] = list.filter(({ type }) => type !== 'NameStripeCustomer');
  expect(standing).toMatchObject({ type: 'ObserveSubscription', snapshot: { status: 'canceled' } });
  expect(plan).toMatchObject({ type: 'ObservePlan', stream: 'usage-acme', snapshot: { status: 'canceled' } });
  expect(ended).toMatchObject({ type: 'EndSubscription', stream: 'account-acme', subscriptionId: 'sub_1' });
  expect(fall).toMatchObject({ type: 'StartFreePlan', stream: 'subscription-free_acme', planId: 'free' });
  expect(entered).toMatchObject({ type: 'EnterFreePlan', stream: 'usage-acme', planId: 'free' });
});

test('a cancellation at the end of the period and one at a date are the same', () => {
  const [atEnd] = commandsOf('customer.subscription.updated.acacia', {}, {});
  const [atDate] = commandsOf('customer.subscription.updated.endive', {}, {});
  expect({ ...atEnd, key: '' }).toEqual({ ...atDate, key: '' });
  expect(atEnd).toMatchObject({ snapshot: { cancelAt: '2026-11-01T00:00:00.000Z' } });
});
