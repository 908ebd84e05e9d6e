import { expect, test } from '@jest/globals';
import { catalog, catalogState } from '../../../test/support/ledger/catalog.js';
import { onSale, withKnownPrices } from './catalog.js';

const fileWithoutIds = {
  ...catalog,
  plans: catalog.plans.map((plan) => ({
    ...plan,
    monthly: plan.monthly && { ...plan.monthly, stripePriceId: null },
    yearly: plan.yearly && { ...plan.yearly, money: { amount: 1, currency: 'usd' }, stripePriceId: null },
  })),
};

test('a price that is recorded stays where the file names none, unless its amount has changed', () => {
  const [, starter] = withKnownPrices(fileWithoutIds, catalogState()).plans;
  expect(starter?.monthly?.stripePriceId).toBe('price_starter_month');
  expect(starter?.yearly?.stripePriceId).toBeNull();
});

test('a price that the file names is taken from the file', () => {
  const state = catalogState(fileWithoutIds);
  expect(withKnownPrices(catalog, state)).toEqual(catalog);
});

test('what is on sale is what was applied', () => {
  expect(onSale(catalogState())).toEqual(catalog);
});
