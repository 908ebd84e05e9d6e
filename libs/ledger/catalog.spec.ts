import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { catalog, catalogState } from '../../test/support/ledger/catalog.js';
import {
  catalogDecider,
  emptyCatalog,
  planBoughtAt,
  planOfStripePrice,
  price,
  priceOf,
  type Catalog,
  type CatalogState,
} from './catalog.js';

const moment = { at: '2026-10-01T00:00:00.000Z', revision: 0, commandId: '', past: null };
const apply = (state: CatalogState, wanted: Catalog) => {
  const events = catalogDecider.decide(state, { type: 'ApplyCatalog', catalog: wanted }, moment);
  return { events, state: events.reduce((folded, event) => catalogDecider.evolve(folded, event, 0), state) };
};
const typesOf = (events: readonly { type: string }[]) => events.map(({ type }) => type);

describe('applying a catalogue', () => {
  test('publishes what is new, once', () => {
    const { events, state } = apply(emptyCatalog, catalog);
    expect(typesOf(events)).toEqual(['PlanPublished', 'PlanPublished', 'CreditProductPublished', 'CreditEventPriced']);
    expect(apply(state, catalog).events).toEqual([]);
    expect(apply(state, JSON.parse(JSON.stringify(catalog)) as Catalog).events).toEqual([]);
  });

  test('publishes again what has changed, retires what is gone, brings back what was retired', () => {
    const [free] = catalog.plans;
    if (free === undefined) throw new Error('no plan');
    const changed = { plans: [{ ...free, creditsPerMonth: 120 }], creditProducts: [], creditEvents: [] };
    const after = apply(catalogState(), changed);
    expect(typesOf(after.events)).toEqual([
      'PlanPublished',
      'PlanRetired',
      'CreditProductRetired',
      'CreditEventDisabled',
    ]);
    expect(after.state.plans.get('starter')?.active).toBe(false);
    expect(typesOf(apply(after.state, catalog).events)).toEqual([
      'PlanPublished',
      'PlanPublished',
      'CreditProductPublished',
      'CreditEventPriced',
    ]);
  });
});

describe('a price', () => {
  const tiered = {
    kind: 'tiered',
    tiers: [
      { upTo: 10, cost: 5 },
      { upTo: 20, cost: 0 },
      { upTo: null, cost: 1 },
    ],
  } as const;

  test('charges each unit at the tier it falls into', () => {
    expect([1, 10, 11, 20, 21, 30].map((quantity) => price(tiered, quantity))).toEqual([5, 50, 50, 50, 51, 60]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (quantity) => {
        let sum = 0;
        for (let unit = 1; unit <= quantity; unit += 1) sum += unit <= 10 ? 5 : unit <= 20 ? 0 : 1;
        expect(price(tiered, quantity)).toBe(sum);
      }),
    );
  });

  test('is refused beyond what an account can hold and for what is no quantity', () => {
    expect(price({ kind: 'flat', cost: 3 }, Number.MAX_SAFE_INTEGER)).toBeNull();
    expect(price({ kind: 'flat', cost: 1 }, Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
    const two = {
      kind: 'tiered',
      tiers: [
        { upTo: 1, cost: Number.MAX_SAFE_INTEGER },
        { upTo: null, cost: 1 },
      ],
    } as const;
    expect(price(two, 2)).toBeNull();
    for (const quantity of [0, -1, 0.5, NaN, Infinity, 2 ** 53])
      expect(price({ kind: 'flat', cost: 1 }, quantity)).toBeNull();
  });

  test('of a credit event depends on whether it is known and active', () => {
    expect(priceOf(catalogState(), 'api_call', 7)).toBe(7);
    expect(priceOf(catalogState(), 'other', 7)).toEqual({ rejected: 'credit_event_unknown' });
    expect(priceOf(catalogState(), 'api_call', 0)).toEqual({ rejected: 'price_out_of_range' });
    const disabled = apply(catalogState(), { ...catalog, creditEvents: [] }).state;
    expect(priceOf(disabled, 'api_call', 7)).toEqual({ rejected: 'credit_event_disabled' });
  });
});

test('a Stripe price leads to its plan and interval, also of a retired plan', () => {
  const retired = apply(catalogState(), { ...catalog, plans: [] }).state;
  for (const state of [catalogState(), retired]) {
    expect(planOfStripePrice(state, 'price_starter_month')).toMatchObject({
      plan: { id: 'starter' },
      interval: 'month',
    });
    expect(planOfStripePrice(state, 'price_starter_year')).toMatchObject({ interval: 'year' });
    expect(planOfStripePrice(state, 'price_x')).toBeNull();
  }
});

test('a Stripe price that was replaced still leads to its plan, at what it costs', () => {
  const dearer = (amount: number, stripePriceId: string | null) => ({
    ...catalog,
    plans: catalog.plans.map((plan) =>
      plan.monthly === null ? plan : { ...plan, monthly: { money: { amount, currency: 'usd' }, stripePriceId } },
    ),
  });
  const changed = apply(catalogState(), dearer(2500, null)).state;
  const { state } = apply(apply(changed, dearer(2500, 'price_new')).state, { ...catalog, plans: [] });
  expect(planOfStripePrice(state, 'price_starter_month')).toMatchObject({
    plan: { id: 'starter' },
    interval: 'month',
    price: { money: { amount: 2000 } },
  });
  expect(planOfStripePrice(state, 'price_new')).toMatchObject({
    interval: 'month',
    price: { money: { amount: 2500 } },
  });
});

test('a Stripe price bought the plan as it was at the time, at the earliest as it first had that price', () => {
  const starter = catalog.plans.find(({ id }) => id === 'starter')!;
  const yearly = starter.yearly!;
  const states = [
    [1, { creditsPerMonth: 500, yearly: null }],
    [3, { creditsPerMonth: 600 }],
    [5, { creditsPerMonth: 700, yearly: { ...yearly, stripePriceId: 'price_new' } }],
    [7, { creditsPerMonth: 800, yearly: { ...yearly, stripePriceId: 'price_new' } }],
  ] as const;
  const day = (date: number) => `2026-10-0${String(date)}T00:00:00.000Z` as const;
  const state = states.reduce((known, [date, more]) => {
    const wanted = { ...catalog, plans: [{ ...starter, ...more }] };
    const events = catalogDecider.decide(
      known,
      { type: 'ApplyCatalog', catalog: wanted },
      { ...moment, at: day(date) },
    );
    return events.reduce((folded, event) => catalogDecider.evolve(folded, event, 0), known);
  }, emptyCatalog);
  const bought = (price: string, dates: readonly number[]) =>
    dates.map((date) => planBoughtAt(state, price, day(date))?.plan.creditsPerMonth);
  const dates = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  expect(bought('price_starter_month', dates)).toEqual([500, 500, 500, 600, 600, 700, 700, 800, 800]);
  expect(bought('price_starter_year', dates)).toEqual([600, 600, 600, 600, 600, 700, 700, 800, 800]);
  expect(bought('price_new', dates)).toEqual([700, 700, 700, 700, 700, 700, 700, 800, 800]);
  expect(planBoughtAt(state, 'price_x', day(1))).toBeNull();
});
