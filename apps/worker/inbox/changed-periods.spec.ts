import { describe, expect, test } from '@jest/globals';
import { instantOf } from '#kernel/instant.js';
import type { Catalog, Plan, PlanPolicy } from '#ledger/catalog.js';
import { catalog } from '../../../test/support/ledger/catalog.js';
import { InboxWorld } from '../../../test/support/worlds/inbox-world.js';
import { permutations } from '../../../test/support/permutations.js';
import { stripeEvent, type StripeEventBody } from '../../../test/support/stripe/events.js';

const [free, starter] = catalog.plans;
/** Pro gives 5,000 a month for 49.00, plus 12,000 for 99.00; a year costs ten months. */
function catalogOf(policy: PlanPolicy = {}): Catalog {
  const plan = (id: string, creditsPerMonth: number, amount: number): Plan => ({
    ...starter!,
    ...{ id, creditsPerMonth, policy },
    monthly: { money: { amount, currency: 'usd' }, stripePriceId: `${id}.month` },
    yearly: { money: { amount: amount * 10, currency: 'usd' }, stripePriceId: `${id}.year` },
  });
  return { ...catalog, plans: [free!, plan('pro', 5000, 4900), plan('plus', 12_000, 9900)] };
}

const seconds = (text: string): number => Date.parse(text) / 1000;
const november = [seconds('2026-11-01'), seconds('2026-12-01')] as const;
const year = [november[0], seconds('2027-11-01')] as const;

type Line = {
  readonly price: string;
  readonly amount: number;
  readonly of: readonly [number, number];
  readonly proration?: true;
  readonly quantity?: number;
  readonly discount?: number;
  readonly subscription?: string;
};

function lineOf({ price, amount, of, proration, quantity = 1, discount = 0, subscription = 'sub_1' }: Line): object {
  const own = { proration: proration === true, proration_details: { credited_items: null }, subscription };
  const item = `si_${subscription}`;
  return {
    ...{ id: `il_${price}_${String(amount)}_${item}`, object: 'line_item', amount, currency: 'usd', quantity },
    period: { start: of[0], end: of[1] },
    discount_amounts: [{ amount: discount, discount: 'di_1' }],
    parent:
      proration === true
        ? { invoice_item_details: own }
        : { subscription_item_details: { ...own, subscription_item: item } },
    pricing: { price_details: { price, product: 'prod_1' } },
  };
}

function invoice(id: string, created: number, lines: readonly Line[]): StripeEventBody {
  const total = lines.reduce((sum, { amount, discount = 0 }) => sum + amount - discount, 0);
  const paid = Math.max(0, total);
  return stripeEvent(
    'invoice.paid.endive',
    { id: `evt_${id}`, created },
    {
      ...{
        id,
        created,
        total,
        amount_paid: paid,
        amount_due: paid,
        billing_reason: 'subscription_update',
        payments: null,
      },
      status_transitions: { paid_at: created },
      lines: { object: 'list', data: lines.map(lineOf), has_more: false },
    },
  );
}

/** What can be spent and is owed at these times, once all was reported, each twice, at the time of the last. */
async function balancesAfter(events: readonly StripeEventBody[], times: readonly string[], policy?: PlanPolicy) {
  const world = new InboxWorld();
  world.clock.set(instantOf(Math.max(...events.map(({ created }) => created)) * 1000));
  await world.applyCatalog(catalogOf(policy));
  await world.deliver(stripeEvent('checkout.session.completed.subscription.endive'));
  for (const body of events) {
    await world.deliver(body);
    await world.deliver({ ...body, id: `${body.id}_again` });
    await world.drain();
  }
  const balances = [];
  for (const time of times) {
    world.clock.set(instantOf(seconds(time) * 1000));
    await world.run({ type: 'RecordDue' });
    const { balance, waiting } = await world.ledger();
    balances.push({ ...balance, waiting });
  }
  return balances;
}

/** The same in every order. */
async function expectEnds(
  events: readonly StripeEventBody[],
  expected: { readonly [time: string]: number },
  policy?: PlanPolicy,
): Promise<void> {
  const ends = Object.values(expected).map((available) => ({ available, held: 0, debt: 0, waiting: [] }));
  for (const order of permutations(events))
    expect(await balancesAfter(order, Object.keys(expected), policy)).toEqual(ends);
}

const month = (plan: string, more: Partial<Line> = {}): Line => ({
  ...{ price: `${plan}.month`, amount: plan === 'pro' ? 4900 : 9900, of: november },
  ...more,
});
const yearOf = (plan: string): Line => ({
  ...month(plan),
  price: `${plan}.year`,
  amount: plan === 'pro' ? 49_000 : 99_000,
  of: year,
});
const back = (line: Line): Line => ({ ...line, amount: -line.amount, proration: true });
const [bought, monthOfPro] = [november[0], month('pro')];
const two = month('pro', { amount: 9800, quantity: 2 });

describe.each<readonly [string, readonly (readonly Line[])[], number, number]>([
  ['a month to a year', [[monthOfPro], [back(monthOfPro), yearOf('pro')]], 5000, 5000],
  ['a month to a year of a greater plan', [[monthOfPro], [back(monthOfPro), yearOf('plus')]], 12_000, 12_000],
  ['a month to a year of a smaller plan', [[month('plus')], [back(month('plus')), yearOf('pro')]], 5000, 5000],
  ['a year to a month', [[yearOf('pro')], [back(yearOf('pro')), monthOfPro]], 5000, 0],
  ['a month to one of a greater plan', [[monthOfPro], [back(monthOfPro), month('plus')]], 12_000, 0],
  ['a month to one with more seats', [[monthOfPro], [back(monthOfPro), two]], 10_000, 0],
  [
    'a month to a year and back',
    [[monthOfPro], [back(monthOfPro), yearOf('pro')], [back(yearOf('pro')), monthOfPro]],
    5000,
    0,
  ],
])('%s, in the second in which it began', (_what, invoices, now, later) => {
  const events = invoices.map((lines, index) => invoice(`in_${String(index + 1)}`, bought, lines));

  test.each<PlanPolicy>([{}, { downgradeClawback: true }, { proratedUpgrade: false }])(
    'gives what was bought last, and what was given back counts against it (%j)',
    async (policy) => {
      await expectEnds(events, { '2026-11-02': now, '2026-12-02': later }, policy);
    },
  );
});

test.each([8000, 1000])(
  'a year that was paid at 5,000 is given back at 5,000, though its plan has %i since',
  async (now) => {
    const rest = [seconds('2027-02-01'), year[1]] as const;
    const world = new InboxWorld();
    world.clock.set(instantOf(bought * 1000));
    await world.applyCatalog(catalogOf());
    await world.deliver(stripeEvent('checkout.session.completed.subscription.endive'));
    await world.deliver(invoice('in_1', bought, [yearOf('pro')]));
    await world.drain();
    const { plans, ...others } = catalogOf();
    const changed = plans.map((plan) => (plan.id === 'pro' ? { ...plan, creditsPerMonth: now } : plan));
    await world.applyCatalog({ ...others, plans: changed });
    world.clock.set(instantOf(rest[0] * 1000));
    const lines: readonly Line[] = [
      { price: 'pro.year', amount: -36_750, of: rest, proration: true },
      { price: 'plus.year', amount: 74_250, of: rest, proration: true },
    ];
    await world.deliver(invoice('in_2', rest[0], lines));
    await world.drain();
    for (const time of ['2027-02-02', '2027-10-02']) {
      world.clock.set(instantOf(seconds(time) * 1000));
      await world.run({ type: 'RecordDue' });
      expect(await world.ledger()).toMatchObject({ balance: { available: 12_000, debt: 0 }, waiting: [] });
    }
  },
);

test('what is reported late bought what the catalogue said when it was paid', async () => {
  const half = seconds('2026-11-16');
  const rest = [half, november[1]] as const;
  const changed = { ...catalogOf(), plans: catalogOf().plans.map((plan) => ({ ...plan, creditsPerMonth: 20_000 })) };
  const events = [
    invoice('in_1', bought, [monthOfPro]),
    invoice('in_2', half, [
      { price: 'pro.month', amount: -2450, of: rest, proration: true },
      { price: 'plus.month', amount: 4950, of: rest, proration: true },
    ]),
  ];
  for (const order of permutations(events)) {
    const world = new InboxWorld();
    world.clock.set(instantOf(bought * 1000));
    await world.applyCatalog(catalogOf());
    world.clock.set(instantOf((half + 60) * 1000));
    await world.applyCatalog(changed);
    await world.deliver(stripeEvent('checkout.session.completed.subscription.endive'));
    for (const body of order) {
      await world.deliver(body);
      await world.drain();
    }
    expect(await world.ledger()).toMatchObject({ balance: { available: 5000 + 3500 }, waiting: [] });
  }
});

test('an invoice that is issued again grants nothing again', async () => {
  const events = ['in_1', 'in_2'].map((id) => invoice(id, bought, [monthOfPro]));
  await expectEnds(events, { '2026-11-02': 5000 });
});

test('two subscriptions that change on one invoice change both', async () => {
  const other = { subscription: 'sub_2' };
  const rest = [seconds('2026-11-16'), november[1]] as const;
  const half = (more: Partial<Line>): readonly Line[] => [
    { price: 'pro.month', amount: -2450, of: rest, proration: true, ...more },
    { price: 'plus.month', amount: 4950, of: rest, proration: true, ...more },
  ];
  const events = [
    invoice('in_1', bought, [monthOfPro]),
    invoice('in_2', bought, [{ ...monthOfPro, ...other }]),
    invoice('in_3', rest[0], [...half({}), ...half(other)]),
  ];
  await expectEnds(events, { '2026-11-17': 17_000 });
});

test('a plan that was free by a coupon is given back with 0.00', async () => {
  const since = bought + 60;
  const rest = [since, november[1]] as const;
  const events = [
    invoice('in_1', bought, [{ ...monthOfPro, discount: 4900 }]),
    invoice('in_2', since, [
      { price: 'pro.month', amount: 0, of: rest, proration: true },
      { price: 'plus.month', amount: 9900, of: rest, proration: true },
    ]),
  ];
  await expectEnds(events, { '2026-11-02': 12_000 });
});
