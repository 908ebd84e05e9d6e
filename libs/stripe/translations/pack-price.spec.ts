import { describe, expect, test } from '@jest/globals';
import { catalogDecider, type Catalog } from '#ledger/catalog.js';
import { catalog, catalogState } from '../../../test/support/ledger/catalog.js';
import { oneOffLines, received, stripeEvent, type StripeFixture } from '../../../test/support/stripe/events.js';
import { translate } from './registry.js';
import type { Lookups } from './translation.js';

const [pack] = catalog.creditProducts;
/** A pack of 1,000 credits for 5.00; `listed`: with a price at Stripe. */
const catalogAt = (amount: number, listed = false): Catalog => ({
  ...catalog,
  creditProducts: [
    { ...pack!, price: { amount, currency: 'usd' }, stripePriceId: listed ? 'price_pack' : pack!.stripePriceId },
  ],
});
const lookupsOf = (state = catalogState()): Lookups => ({
  ...{
    catalog: state,
    customerOfStripe: new Map(),
    customerKey: 'customer_id',
    livemode: false,
    now: '2026-10-01T00:00:10.000Z',
  },
});

const metadata = (quantity?: number) => ({
  ...{ credit_product: 'credits_1000', customer_id: 'acme', top_up: 'true' },
  ...(quantity === undefined ? {} : { quantity: String(quantity) }),
});
const endOf = (name: StripeFixture, change: Record<string, unknown>, lookups = lookupsOf()) => {
  const result = translate(received(stripeEvent(name, {}, change)), lookups);
  if (result.kind === 'park') return result.reason;
  const [grant] = result.commands.flatMap(({ command }) => (command.type === 'GrantCredits' ? [command] : []));
  return { credits: grant?.amount, cost: grant?.costBasis?.amount };
};

type Way = (charged: number, quantity?: number, change?: object, lookups?: Lookups) => ReturnType<typeof endOf>;
const session: Way = (charged, quantity, change = {}, lookups = lookupsOf()) =>
  endOf(
    'checkout.session.completed.endive',
    { metadata: metadata(quantity), amount_subtotal: charged, ...change },
    lookups,
  );
const intent: Way = (charged, quantity, change = {}, lookups = lookupsOf()) =>
  endOf(
    'payment_intent.succeeded.endive',
    { metadata: metadata(quantity), amount_received: charged, ...change },
    lookups,
  );
const invoice: Way = (charged, quantity, change = {}, lookups = lookupsOf()) =>
  endOf(
    'invoice.paid.endive',
    { metadata: metadata(quantity), parent: null, ...oneOffLines(charged), ...change },
    lookups,
  );

describe.each([
  ['session', session],
  ['intent', intent],
  ['invoice', invoice],
] as const)('a number of packs that is sold by %s', (_name, grantOf) => {
  test('is granted where it costs what was charged', () => {
    expect(grantOf(500)).toMatchObject({ credits: 1000 });
    expect(grantOf(1500, 3)).toMatchObject({ credits: 3000 });
  });

  test.each([
    [1000, 3, '3 × credits_1000 costs 1500 usd; charged before discount and tax: 1000 usd'],
    [1500, undefined, '1 × credits_1000 costs 500 usd; charged before discount and tax: 1500 usd'],
    [499, 1, '1 × credits_1000 costs 500 usd; charged before discount and tax: 499 usd'],
    [0, 2, '2 × credits_1000 costs 1000 usd; charged before discount and tax: 0 usd'],
  ])('waits with both figures where %s was charged for %s of them', (charged, quantity, detail) => {
    const reason = grantOf(charged, quantity);
    expect(reason).toMatchObject({ code: 'amount_mismatch', subject: 'credits_1000' });
    expect(reason).toMatchObject({ detail: expect.stringContaining(detail) });
  });

  test('is granted at a price that the pack had before, or has by now', () => {
    const moment = { at: '2026-02-01T00:00:00.000Z', revision: 1, commandId: '', past: null };
    const state = catalogState();
    const changed = catalogDecider
      .decide(state, { type: 'ApplyCatalog', catalog: catalogAt(700) }, moment)
      .reduce((before, event, index) => catalogDecider.evolve(before, event, index), state);
    for (const charged of [1000, 1400])
      expect(grantOf(charged, 2, {}, lookupsOf(changed))).toMatchObject({ credits: 2000 });
    expect(grantOf(1200, 2, {}, lookupsOf(changed))).toMatchObject({ code: 'amount_mismatch' });
  });

  test('is granted as named where the pack has no price in the currency', () => {
    expect(grantOf(4711, 2, { currency: 'eur' })).toMatchObject({ credits: 2000 });
  });

  test('is not compared where only a number of credits is named', () => {
    const named = { metadata: { credits: '70', customer_id: 'acme', top_up: 'true' } };
    expect(grantOf(4711, 2, named)).toMatchObject({ credits: 70 });
  });
});

describe('what was charged before discount and tax', () => {
  test('is the subtotal of a session, with an included tax or without', () => {
    const off = { amount_total: 595, total_details: { amount_discount: 500, amount_tax: 95 } };
    expect(session(1000, 2, off)).toMatchObject({ credits: 2000, cost: 500 });
    const included = { amount_total: 1000, total_details: { amount_tax: 160 } };
    expect(session(840, 2, included)).toMatchObject({ credits: 2000, cost: 840 });
    expect(session(1000, 2, { amount_subtotal: undefined })).toMatchObject({ credits: 2000 });
  });

  test('is that of the pack’s own lines, whatever stands beside them', () => {
    const known = lookupsOf(catalogState(catalogAt(500, true)));
    const data = [
      { id: 'li_1', amount_subtotal: 1000, price: { id: 'price_pack' } },
      { id: 'li_2', amount_subtotal: 900, price: { id: 'price_shirt' } },
    ];
    expect(session(1900, 2, { line_items: { data, has_more: false } }, known)).toMatchObject({ credits: 2000 });
    const { lines } = oneOffLines(1000) as { lines: { data: [Record<string, unknown>] } };
    const [own] = lines.data;
    const priced = { ...own, pricing: { price_details: { price: 'price_pack' } }, discount_amounts: [{ amount: 100 }] };
    const beside = { lines: { data: [{ ...own, amount: 900 }, priced], has_more: false } };
    expect(invoice(0, 2, beside, known)).toMatchObject({ credits: 2000, cost: 900 });
  });

  test('is the amount of an intent without what its details say of tax and discount', () => {
    const details = { discount_amount: 100, tax: { total_tax_amount: 190 } };
    expect(intent(1090, 2, { amount_details: details })).toMatchObject({ credits: 2000 });
    const data = [{ discount_amount: 100, tax: { total_tax_amount: 90 } }, { tax: { total_tax_amount: 100 } }];
    expect(intent(1090, 2, { amount_details: { line_items: { data } } })).toMatchObject({ credits: 2000 });
    expect(intent(1190, 2)).toMatchObject({ code: 'amount_mismatch' });
  });

  test('is not read from an intent of a session or an invoice, which are compared themselves', () => {
    expect(intent(1190, 2, { payment_details: { order_reference: 'cs_1' } })).toMatchObject({ credits: 2000 });
    expect(intent(1190, 2, { invoice: 'in_1' })).toMatchObject({ credits: 2000 });
  });
});

test("a session whose price Stripe converted to the buyer's currency is compared in the price's own", () => {
  const currency_conversion = { amount_subtotal: 1000, amount_total: 1000, fx_rate: '0.9', source_currency: 'usd' };
  const paid = { currency: 'eur', amount_total: 900, total_details: { amount_tax: 0 }, currency_conversion };
  const usd = lookupsOf(catalogState(catalogAt(500)));
  expect(session(900, 2, paid, usd)).toMatchObject({ credits: 2000, cost: 900 });
  expect(session(900, 3, paid, usd)).toMatchObject({ code: 'amount_mismatch' });
});
