import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Catalog, Plan } from '#ledger/catalog.js';
import { catalog, catalogState } from '../../../../test/support/ledger/catalog.js';
import { permutations } from '../../../../test/support/permutations.js';
import { received, stripeEvent } from '../../../../test/support/stripe/events.js';
import { translate } from '../registry.js';
import type { Lookups } from '../translation.js';

const starter = catalog.plans.find(({ id }) => id === 'starter')!;
const plan = (id: string, creditsPerMonth: number, amount: number): Plan => ({
  ...starter,
  ...{
    id,
    creditsPerMonth,
    yearly: null,
    monthly: { money: { amount, currency: 'usd' }, stripePriceId: `price_${id}` },
  },
});
const wanted: Catalog = { ...catalog, plans: [...catalog.plans, plan('pro', 2000, 8000), plan('addon', 0, 1000)] };
const lookups: Lookups = {
  catalog: catalogState(wanted),
  customerOfStripe: new Map([['cus_1', 'acme']]),
  customerKey: 'customer_id',
  livemode: false,
  now: '2026-10-01T00:00:10.000Z',
};

const october = { start: 1_790_812_800, end: 1_793_491_200 };
const september = { start: 1_788_220_800, end: 1_790_812_800 };

type Line = {
  readonly price: string | null;
  readonly amount: number;
  readonly quantity?: number | null;
  readonly item?: string | null;
  readonly subscription?: string | null;
  readonly proration?: boolean;
  readonly period?: { readonly start: number; readonly end: number } | null;
  readonly usage?: 'metered' | 'licensed';
  /** Whether Stripe names what it credits. */
  readonly credits?: boolean;
};

/** A line in today's shape, or in that of before basil. */
function lineOf(line: Line, index: number, old: boolean): Record<string, unknown> {
  const { price, amount, quantity = 1, item = `si_${String(index)}`, subscription = 'sub_1', proration = false } = line;
  const id = `il_${String(line.price)}_${String(line.item)}_${String(amount)}`; // not by its place
  const common = { id, object: 'line_item', amount, currency: 'usd', quantity };
  const period = line.period === undefined ? october : line.period;
  const credited_items = line.credits === true ? { invoice: 'in_0', invoice_line_items: ['il_0'] } : null;
  const proration_details = { credited_items };
  if (old) {
    const recurring = { interval: 'month', usage_type: line.usage ?? 'licensed' };
    const type = item === null ? 'invoiceitem' : 'subscription';
    const ids = { subscription, ...(item === null ? {} : { subscription_item: item }) };
    return {
      ...common,
      period,
      type,
      proration,
      proration_details,
      ...ids,
      price: price === null ? null : { id: price, recurring },
    };
  }
  const own = { invoice_item: 'ii_1', proration, proration_details, subscription };
  const parent =
    item === null ? { invoice_item_details: own } : { subscription_item_details: { ...own, subscription_item: item } };
  return {
    ...common,
    period,
    parent,
    pricing: price === null ? null : { price_details: { price, product: 'prod_1' } },
  };
}

function invoiceOf(lines: readonly Line[], old: boolean, change: Record<string, unknown> = {}) {
  const data = lines.map((line, index) => lineOf(line, index, old));
  const total = lines.reduce((sum, { amount }) => sum + amount, 0);
  const paid = Math.max(0, total);
  return stripeEvent(
    old ? 'invoice.paid.acacia' : 'invoice.paid.endive',
    {},
    {
      ...{ created: october.start, total, amount_paid: paid, amount_due: paid, billing_reason: 'subscription_cycle' },
      ...{ lines: { object: 'list', data, has_more: false }, ...change },
    },
  );
}

const translated = (lines: readonly Line[], old: boolean, change = {}, known = lookups) =>
  translate(received(invoiceOf(lines, old, change)), known);
function commandsOf(...translatedArguments: Parameters<typeof translated>) {
  const result = translated(...translatedArguments);
  if (result.kind === 'park') throw new Error(`${result.reason.code}: ${result.reason.detail}`);
  return result.commands.map(({ stream, key, command }) => ({ stream, key, ...command }));
}
const ofType = (list: ReturnType<typeof commandsOf>, ...types: readonly string[]) =>
  list.filter(({ type }) => types.includes(type));

const pro: Line = { price: 'price_pro', amount: 8000, item: 'si_pro' };
const money: readonly (readonly [string, Line])[] = [
  ['an add-on', { price: 'price_x', amount: 1000 }],
  ['an add-on of the catalogue without credits', { price: 'price_addon', amount: 1000 }],
  ['usage of the month before', { price: 'price_usage', amount: 7, period: september, quantity: 70, usage: 'metered' }],
  ['usage whose quantity is unknown', { price: 'price_usage', amount: 7, period: september, quantity: null }],
  ['usage of a part of a unit', { price: 'price_usage', amount: 7, period: september, quantity: 0.5 }],
  ['a fee without a price', { price: null, amount: 2500, item: null }],
  ['a fee of the subscription by a price', { price: 'price_fee', amount: 2500, item: null }],
  ['a fee of nobody', { price: 'price_fee', amount: 2500, item: null, subscription: null }],
  ['a discount', { price: null, amount: -500, item: null }],
  ['something that is given back', { price: 'price_x', amount: -500, proration: true }],
  ['a rest of an add-on', { price: 'price_x', amount: 300, proration: true }],
  ['nothing', { price: 'price_x', amount: 0 }],
  ['nothing without a price', { price: null, amount: 0, item: null, period: { start: 0, end: 0 } }],
  ['something without a period', { price: 'price_x', amount: 10, period: null }],
];

describe.each([
  ['today', false],
  ['before basil', true],
] as const)('an invoice in the shape of %s', (_shape, old) => {
  const alone = ofType(commandsOf([pro], old), 'GrantPeriod');

  test('waits for no unknown price beside a plan that is given back and paid for again', () => {
    const back: Line = { price: 'price_pro', amount: -4000, proration: true, item: null };
    const again = [back, pro, { price: 'price_x', amount: 1000, item: 'si_x' }];
    for (const lines of permutations(again)) {
      expect(translated(lines, old).kind).toBe('commands');
      expect(ofType(commandsOf(lines, old), 'GrantPeriod')).toMatchObject([{ creditsPerMonth: 2000 }]);
    }
  });

  test('says nothing of a period that had ended by the time of a change, neither by its credits nor by its policy', () => {
    const strict = { ...plan('strict', 3000, 9000), policy: { proratedUpgrade: false, downgradeClawback: true } };
    const known = { ...lookups, catalog: catalogState({ ...wanted, plans: [...wanted.plans, strict] }) };
    const changes: readonly Line[] = [
      { price: 'price_pro', amount: -4000, proration: true },
      { price: 'price_pro', amount: 8000, quantity: 2, proration: true },
    ];
    const [alone] = ofType(commandsOf(changes, old, {}, known), 'ChangePeriod');
    expect(alone).toMatchObject({ periods: [{ parts: [{ credits: 2000 }], grants: true, takesBack: false }] });
    for (const start of [october.end, october.end + 11 * 86_400]) {
      const period = { start, end: october.end };
      const after: readonly Line[] = [
        { price: 'price_pro', amount: 0, quantity: 2, proration: true, credits: true, period },
        { price: 'price_strict', amount: 0, proration: true, item: 'si_9', period },
      ];
      expect(ofType(commandsOf([...changes, ...after], old, {}, known), 'ChangePeriod')).toEqual([alone]);
    }
  });

  test('takes the cost and the lines of a change from the plans that give credits, whatever an add-on of 0 credits costs', () => {
    const back: Line = { price: 'price_pro', amount: -4000, proration: true };
    const more: Line = { price: 'price_pro', amount: 8000, quantity: 2, proration: true };
    const addOn: Line = { price: 'price_addon', amount: 300, proration: true };
    const [alone] = ofType(commandsOf([back, more], old), 'ChangePeriod');
    expect(alone).toMatchObject({ periods: [{ cost: { amount: 4000 }, lines: [{}, {}] }] });
    for (const lines of permutations([back, more, addOn]))
      expect(ofType(commandsOf(lines, old), 'ChangePeriod')).toMatchObject([
        {
          periods: [
            { cost: { amount: 4000 }, parts: [{ credits: 2000 }], lines: [{ amount: expect.any(Number) }, {}] },
          ],
        },
      ]);
  });

  test.each(money)('grants its plan beside %s, in either order', (_what, beside) => {
    expect(alone).toMatchObject([{ creditsPerMonth: 2000, cost: { amount: 8000, currency: 'usd' } }]);
    for (const lines of [
      [pro, beside],
      [beside, pro],
    ]) {
      const commands = commandsOf(lines, old);
      const paid = 8000 + beside.amount;
      expect(ofType(commands, 'GrantPeriod')).toEqual(alone);
      expect(ofType(commands, 'RecordInvoicePaid', 'RecordPayment')).toMatchObject([
        { paid: { amount: paid, currency: 'usd' }, total: { amount: paid } },
        { money: { amount: paid, currency: 'usd' } },
      ]);
    }
  });

  test('grants the same with any lines beside its plan, in any order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(money.map(([, line]) => line)), fc.nat(), (beside, place) => {
        const lines = beside.toSpliced(place % (beside.length + 1), 0, pro);
        expect(ofType(commandsOf(lines, old), 'GrantPeriod')).toEqual(alone);
      }),
      { numRuns: 60 },
    );
  });

  test('grants each of several plans by its own line, in any order', () => {
    const lines: readonly Line[] = [
      pro,
      { price: 'price_starter_month', amount: 4000, item: 'si_seats', quantity: 2 },
      { price: 'price_x', amount: 100 },
    ];
    for (const order of permutations(lines)) {
      const grants = ofType(commandsOf(order, old), 'GrantPeriod');
      expect(grants.toSorted((a, b) => (a.key < b.key ? -1 : 1))).toMatchObject([
        { key: 'allotment:si_pro:1790812800:1793491200:price_pro:1', creditsPerMonth: 2000, cost: { amount: 8000 } },
        {
          key: 'allotment:si_seats:1790812800:1793491200:price_starter_month:2',
          creditsPerMonth: 1000,
          cost: { amount: 4000 },
        },
      ]);
    }
  });

  test('grants the lines of several subscriptions, each to its own', () => {
    const other: Line = { price: 'price_starter_month', amount: 2000, item: 'si_b', subscription: 'sub_b' };
    for (const header of [{}, old ? { subscription: null } : { parent: null }]) {
      const commands = commandsOf([pro, other], old, { ...header, metadata: { customer_id: 'acme' } });
      expect(ofType(commands, 'RecordPaidPeriod')).toMatchObject([
        { stream: 'subscription-sub_1', planId: 'pro' },
        { stream: 'subscription-sub_b', planId: 'starter' },
      ]);
      expect(ofType(commands, 'GrantPeriod')).toHaveLength(2);
      expect(ofType(commands, 'RecordPayment')).toMatchObject([{ kind: 'subscription', money: { amount: 10_000 } }]);
    }
  });

  test('changes several subscriptions, each by a fact of its own', () => {
    const changed = (subscription: string): readonly Line[] => [
      { price: 'price_starter_month', amount: -1000, proration: true, subscription },
      { price: 'price_pro', amount: 4000, proration: true, subscription },
    ];
    const lines = [...changed('sub_1'), ...changed('sub_b')];
    for (const order of permutations(lines)) {
      const changes = ofType(commandsOf(order, old, { metadata: { customer_id: 'acme' } }), 'ChangePeriod');
      expect(changes.toSorted((a, b) => (a.key < b.key ? -1 : 1))).toMatchObject([
        { key: 'change:in_1:sub_1', subscriptionId: 'sub_1', periods: [{ parts: [{ credits: 1500 }] }] },
        { key: 'change:in_1:sub_b', subscriptionId: 'sub_b', periods: [{ parts: [{ credits: 1500 }] }] },
      ]);
    }
  });

  const [free, paid] = [
    { price: 'price_starter_month', amount: 0, proration: true, item: 'si_a' },
    { price: 'price_pro', amount: 4000, proration: true, item: 'si_a' },
  ] as const satisfies readonly Line[];
  const less = { ...paid, amount: -4000 };
  const freePro = { ...paid, amount: 0 };
  test.each<readonly [string, readonly Line[], readonly number[]]>([
    ['gives back beside what is charged', [free, paid], [1500]],
    ['is charged beside what is given back', [less, free], [-1500]],
    ['gives back where it names what it credits', [{ ...free, credits: true }, paid], [1500]],
    ['gives back alone where it names what it credits', [{ ...free, credits: true }], [-500]],
    ['is charged beside one of 0.00 that names what it credits', [{ ...free, credits: true }, freePro], [1500]],
    ['says nothing alone', [free], []],
    ['says nothing beside another that says nothing', [free, freePro], []],
    ['says nothing where it may be either', [{ ...free, item: null }, paid, { ...less, item: 'si_b' }], [0]],
    ['has nothing to do with other items', [free, { ...paid, item: 'si_b' }], [2000]],
    ['nor with other times', [{ ...free, period: { ...october, start: october.start + 60 } }, paid], [2000]],
    ['gives back beside a period that begins then', [free, { ...paid, proration: false }], [-500]],
  ])('has a line of 0.00 that %s', (_what, lines, credits) => {
    for (const order of permutations(lines)) {
      const [change] = ofType(commandsOf(order, old), 'ChangePeriod') as readonly object[];
      const expected = credits.filter((each) => each !== 0).map((each) => ({ credits: each }));
      if (expected.length === 0) expect(change).toBeUndefined();
      else expect(change).toMatchObject({ periods: [{ parts: expected }] });
    }
  });

  test('waits for an unknown price beside a plan of 0.00 that is given back', () => {
    const back: Line = { ...free, credits: true };
    expect(translated([back, { ...paid, price: 'price_new' }], old)).toMatchObject({
      reason: { code: 'unknown_price' },
    });
  });

  test('names a period by what is bought, and by itself where it gives back what was bought for the same time', () => {
    const keyOf = (lines: readonly Line[], change = {}) =>
      ofType(commandsOf(lines, old, change), 'GrantPeriod')[0]!.key;
    const name = 'allotment:si_pro:1790812800:1793491200:price_pro:1';
    const back: Line = { price: 'price_starter_month', amount: -1000, proration: true, item: 'si_pro' };
    expect(keyOf([pro])).toBe(name);
    expect(keyOf([pro], { id: 'in_2' })).toBe(name);
    expect(keyOf([{ ...pro, quantity: 2 }])).toBe('allotment:si_pro:1790812800:1793491200:price_pro:2');
    expect(keyOf([back, pro])).toBe(`${name}:in_1`);
    expect(keyOf([pro, { ...back, item: null }], { id: 'in_2' })).toBe(`${name}:in_2`);
    expect(keyOf([{ ...back, item: 'si_b' }, pro])).toBe(name);
    expect(keyOf([{ ...back, period: september }, pro])).toBe(name);
  });

  test('waits only where none of its lines has a plan and one might', () => {
    const unknown: Line = { price: 'price_new', amount: 900 };
    const waits = { kind: 'park', reason: { code: 'unknown_price', subject: 'price_new' } };
    const fee: Line = { price: null, amount: 2500, item: null };
    for (const order of permutations([unknown, fee, { price: 'price_zz', amount: 5 }]))
      expect(translated(order, old)).toMatchObject(waits);
    expect(translated([unknown, { ...pro, amount: 0 }], old)).toMatchObject({ kind: 'commands' });
    expect(translated([{ ...unknown, amount: 0 }], old)).toMatchObject({ kind: 'commands' });
  });

  test.each(money.filter(([, { price }]) => price !== 'price_x'))(
    'of nothing but %s waits for nothing',
    (_what, line) => {
      const commands = commandsOf([line], old);
      expect(ofType(commands, 'GrantCredits', 'GrantPeriod')).toEqual([]);
      expect(ofType(commands, 'RecordInvoicePaid')).toHaveLength(1);
      expect(ofType(commands, 'RecordPayment')).toHaveLength(line.amount > 0 ? 1 : 0);
    },
  );

  test('waits where a known plan is given back and an unknown price stands in its place', () => {
    const back: Line = { ...pro, amount: -4000, proration: true };
    const instead: Line = { ...pro, price: 'price_new', amount: 6000, proration: true };
    for (const order of permutations([back, instead, { price: null, amount: 100, item: null }]))
      expect(translated(order, old)).toMatchObject({ reason: { code: 'unknown_price', subject: 'price_new' } });
    // An add-on beside the change of a plan.
    const addOn: Line = { price: 'price_x', amount: 300, proration: true };
    const changed: Line = { ...pro, price: 'price_starter_month', amount: 1000, proration: true };
    expect(translated([back, changed, addOn], old)).toMatchObject({ kind: 'commands' });
  });

  test('goes on when its price comes into the catalogue', () => {
    const known = { ...lookups, catalog: catalogState({ ...wanted, plans: [...wanted.plans, plan('new', 70, 900)] }) };
    const lines = [{ price: 'price_new', amount: 900 }];
    expect(translated(lines, old)).toMatchObject({ kind: 'park' });
    expect(ofType(commandsOf(lines, old, {}, known), 'GrantPeriod')).toMatchObject([{ creditsPerMonth: 70 }]);
  });

  test('sells credits for what its lines without a plan cost', () => {
    const sale = { ...(old ? { subscription: null } : { parent: null }), metadata: { top_up: 'true', credits: '5' } };
    const pack: Line = { price: null, amount: 300, item: null, subscription: null, quantity: 0.5 };
    const grants = ofType(commandsOf([pro, pack], old, sale), 'GrantCredits', 'GrantPeriod');
    expect(grants).toMatchObject([
      { source: 'purchase', amount: 5, costBasis: { amount: 300 } },
      { type: 'GrantPeriod', creditsPerMonth: 2000, cost: { amount: 8000 } },
    ]);
  });

  test('is parked where a line of a plan cannot be read', () => {
    expect(translated([{ ...pro, quantity: 0.5 }], old)).toMatchObject({ reason: { code: 'unknown_shape' } });
    expect(translated([{ ...pro, period: null }], old)).toMatchObject({ reason: { code: 'unknown_shape' } });
  });
});

test('a line of before items had ids is that of its subscription', () => {
  const { subscription_item: _, ...line } = lineOf(pro, 0, true);
  const lines = { object: 'list', data: [line], has_more: false };
  const commands = commandsOf([], true, { lines });
  const key = 'allotment:sub_1:1790812800:1793491200:price_pro:1';
  expect(ofType(commands, 'GrantPeriod')).toMatchObject([{ key, creditsPerMonth: 2000 }]);
});
