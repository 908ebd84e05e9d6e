import { describe, expect, test } from '@jest/globals';
import { catalog, catalogState } from '../../../test/support/ledger/catalog.js';
import { saleOf, sessionParams } from './checkout.js';
import { atRateOf, unchargeable } from './money.js';

const state = catalogState();
const who = { customerId: 'acme', stripeCustomerId: 'cus_1', intentId: 'billing.1', customerKey: 'customer_id' };
const settings = { successUrl: 'https://a.example', cancelUrl: 'https://b.example', automaticTax: false, taxRates: [] };

describe('a sale', () => {
  test('of a plan carries its price, its trial, and who pays', () => {
    const sale = saleOf({ mode: 'subscription', plan: 'starter', interval: 'year' }, state);
    if ('rejected' in sale) throw new Error(sale.rejected);
    expect(sessionParams(sale, who, settings)).toMatchObject({
      mode: 'subscription',
      customer: 'cus_1',
      client_reference_id: 'acme',
      line_items: [{ price: 'price_starter_year', quantity: 1 }],
      subscription_data: { metadata: { customer_id: 'acme' }, trial_period_days: 14 },
    });
  });

  test('names the customer under the key of the installation, wherever Stripe keeps metadata', () => {
    const sales = [
      saleOf({ mode: 'subscription', plan: 'starter', interval: 'year' }, state),
      saleOf({ mode: 'credits', creditProduct: 'credits_1000', quantity: 3 }, state),
    ];
    for (const sale of sales) {
      if ('rejected' in sale) throw new Error(sale.rejected);
      const params = sessionParams(sale, { ...who, customerKey: 'scrip_customer' }, settings);
      const written = [params, params.subscription_data, params.payment_intent_data]
        .filter((part) => part !== undefined)
        .map(({ metadata }) => metadata);
      for (const metadata of written) {
        expect(metadata).toMatchObject({ scrip_customer: 'acme' });
        expect(metadata).not.toHaveProperty('customer_id');
      }
    }
  });

  test('of a pack names what was sold on the session alone', () => {
    const sale = saleOf({ mode: 'credits', creditProduct: 'credits_1000', quantity: 3 }, state);
    if ('rejected' in sale) throw new Error(sale.rejected);
    const params = sessionParams(sale, who, { ...settings, taxRates: ['txr_1'] });
    expect(params.metadata).toMatchObject({ customer_id: 'acme', credit_product: 'credits_1000', quantity: '3' });
    expect(params.payment_intent_data?.metadata).toEqual({ customer_id: 'acme' });
    expect(params.line_items).toEqual([
      {
        quantity: 3,
        tax_rates: ['txr_1'],
        price_data: { currency: 'usd', unit_amount: 500, product_data: { name: '1,000 credits' } },
      },
    ]);
    expect(params.automatic_tax).toBeUndefined();
    expect(sessionParams(sale, who, { ...settings, automaticTax: true }).automatic_tax).toEqual({ enabled: true });
  });

  test('of what is not on sale is refused', () => {
    const gone = catalogState({ ...catalog, creditProducts: [] });
    expect(saleOf({ mode: 'credits', credits: 10 }, gone)).toEqual({ rejected: 'credits_not_for_sale' });
    expect(saleOf({ mode: 'subscription', plan: 'free', interval: 'month' }, state)).toEqual({
      rejected: 'plan_not_for_sale',
    });
    expect(saleOf({ mode: 'credits', creditProduct: 'credits_1000', quantity: 10_000_000 }, state)).toEqual({
      rejected: 'amount_not_chargeable',
    });
    const ugx = {
      ...catalog,
      creditProducts: catalog.creditProducts.map((pack) => ({ ...pack, price: { amount: 500, currency: 'ugx' } })),
    };
    expect(saleOf({ mode: 'credits', credits: 10 }, catalogState(ugx))).toEqual({ rejected: 'currency_unsupported' });
  });
});

describe('money', () => {
  test.each([
    ['usd', 1, 1],
    ['usd', 1000, 500],
    ['usd', 1001, 501],
    ['jpy', 3, 2],
    ['kwd', 3, 10],
    ['kwd', 21, 20],
    ['isk', 201, 200],
  ])('at the rate of 1,000 for 500 in %s, %d credits cost %d', (currency, credits, amount) => {
    expect(atRateOf({ credits: 1000, price: { amount: 500, currency } }, credits)).toEqual({ amount, currency });
    expect(unchargeable({ amount, currency })).toBeNull();
  });

  test.each([
    [{ amount: 0, currency: 'usd' }, 'amount'],
    [{ amount: 100_000_000, currency: 'usd' }, 'amount'],
    [{ amount: 1.5, currency: 'usd' }, 'amount'],
    [{ amount: 5125, currency: 'kwd' }, 'amount'],
    [{ amount: 50, currency: 'isk' }, 'amount'],
    [{ amount: 100, currency: 'ugx' }, 'currency'],
    [{ amount: 100, currency: 'toString' }, 'currency'],
  ])('%j cannot be charged', (money, why) => {
    expect(unchargeable(money)).toBe(why);
  });
});
