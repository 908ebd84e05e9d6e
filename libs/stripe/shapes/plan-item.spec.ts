import { describe, expect, test } from '@jest/globals';
import type { Catalog, Plan, PlanPolicy } from '#ledger/catalog.js';
import { catalog, catalogState } from '../../../test/support/ledger/catalog.js';
import { permutations } from '../../../test/support/permutations.js';
import { received, stripeEvent } from '../../../test/support/stripe/events.js';
import { objectIn } from './fields.js';
import { normaliseSubscription } from './subscription.js';
import { compareSubscription } from '../reconciliation/compare.js';
import { translate } from '../translations/registry.js';
import type { Lookups } from '../translations/translation.js';

const starter = catalog.plans.find(({ id }) => id === 'starter')!;
const price = (id: string, amount: number) => ({ money: { amount, currency: 'usd' }, stripePriceId: `price_${id}` });
const plan = (id: string, creditsPerMonth: number, amount: number, policy: PlanPolicy = {}): Plan => ({
  ...starter,
  ...{ id, creditsPerMonth, monthly: price(id, amount), yearly: price(`${id}_year`, amount * 10), policy },
});
const wanted: Catalog = {
  ...catalog,
  plans: [
    ...catalog.plans,
    plan('pro', 2000, 8000, { trialCredits: 50 }),
    plan('dear', 2000, 9000),
    plan('seats', 100, 500, { trialCredits: 5 }),
    plan('addon', 0, 20_000),
  ],
};
const lookups: Lookups = {
  catalog: catalogState(wanted),
  customerOfStripe: new Map([['cus_1', 'acme']]),
  customerKey: 'customer_id',
  livemode: false,
  now: '2026-10-01T00:00:10.000Z',
};

type Item = { readonly id: string; readonly price: string; readonly quantity?: unknown; readonly end?: number };
const october = { current_period_start: 1_790_812_800, current_period_end: 1_793_491_200 };
const rowOf = ({ id, price, quantity = 1, end = october.current_period_end }: Item) => ({
  ...{ id, object: 'subscription_item', price: { id: price }, quantity, ...october, current_period_end: end },
});

function eventOf(items: readonly Item[], change: Record<string, unknown> = {}) {
  const list = { object: 'list', data: items.map(rowOf), has_more: false };
  return stripeEvent('customer.subscription.created.endive', {}, { items: list, ...change });
}
function seenOf(items: readonly Item[], change = {}) {
  const result = translate(received(eventOf(items, change)), lookups);
  if (result.kind === 'park') return result.reason;
  const [observed] = result.commands.flatMap(({ command }) =>
    command.type === 'ObserveSubscription' ? [command.snapshot] : [],
  );
  const [trial] = result.commands.flatMap(({ command }) => (command.type === 'AgreeTrial' ? [command.amount] : []));
  return { ...observed, trial };
}

const pro: Item = { id: 'si_p', price: 'price_pro' };
describe.each<readonly [string, readonly Item[], object]>([
  ['an add-on of the catalogue', [{ id: 'si_a', price: 'price_addon' }, pro], { planId: 'pro', itemId: 'si_p' }],
  [
    'add-ons that are unknown, one without a whole quantity',
    [{ id: 'si_a', price: 'price_x', quantity: 0.5 }, { id: 'si_b', price: 'price_y' }, pro],
    { planId: 'pro', itemId: 'si_p', quantity: 1 },
  ],
  [
    'more credits by more seats',
    [pro, { id: 'si_s', price: 'price_seats', quantity: 21 }],
    { planId: 'seats', itemId: 'si_s', quantity: 21 },
  ],
  [
    'a year that ends at another time',
    [
      { id: 'si_s', price: 'price_seats' },
      { id: 'si_y', price: 'price_pro_year', end: 1_822_348_800 },
    ],
    { planId: 'pro', interval: 'year', periodEnd: '2027-10-01T00:00:00.000Z' },
  ],
  ['as many credits for a higher price', [pro, { id: 'si_d', price: 'price_dear' }], { planId: 'dear' }],
  ['the same twice', [{ ...pro, id: 'si_z' }, pro, { ...pro, id: 'si_q' }], { planId: 'pro', itemId: 'si_p' }],
  ['only an add-on', [{ id: 'si_a', price: 'price_addon', quantity: 3 }], { planId: 'addon', quantity: 3 }],
])('the plan of a subscription with %s', (_what, items, expected) => {
  test('does not depend on the order of its items', () => {
    for (const order of permutations(items)) expect(seenOf(order)).toMatchObject(expected);
  });

  test('is the one that a reconciliation compares', () => {
    const read = normaliseSubscription(objectIn(eventOf(items.toReversed()).data.object as never));
    const [observed] = [seenOf(items)];
    if (!('ok' in read)) throw new Error(read.unreadable);
    const standing = { ...observed, pastDueSince: null } as never;
    expect(compareSubscription(read.ok, { standing } as never, lookups.catalog)).toBeNull();
  });
});

test('a trial gives what the plans of all items give to try', () => {
  const trial = { status: 'trialing', trial_start: 1_790_812_800, trial_end: 1_791_417_600 };
  const items = [{ id: 'si_s', price: 'price_seats', quantity: 3 }, pro, { id: 'si_x', price: 'price_x' }];
  for (const order of permutations(items)) expect(seenOf(order, trial)).toMatchObject({ planId: 'pro', trial: 65 });
});

test('a subscription of which no item has a plan waits for the same price in any order', () => {
  for (const order of permutations([
    { id: 'si_1', price: 'price_x' },
    { id: 'si_2', price: 'price_y' },
  ]))
    expect(seenOf(order)).toMatchObject({ code: 'unknown_price', subject: 'price_x' });
  expect(seenOf([{ ...pro, quantity: 0.5 }])).toMatchObject({ code: 'unknown_shape' });
  expect(seenOf([])).toMatchObject({ code: 'unknown_shape' });
});
