import { expect, test } from '@jest/globals';
import { ruleFor, type Ignorable, type IgnoreRule } from './ignore-rule.js';

const invoice: Ignorable = {
  type: 'invoice.paid',
  prices: [
    { price: 'price_1', product: 'prod_1' },
    { price: 'price_2', product: 'prod_1' },
  ],
  metadata: [{ app: 'shop' }, { team: 'b' }],
};
const bare: Ignorable = { type: 'payment_intent.succeeded', prices: [], metadata: [{}] };
const applies = (rule: Omit<IgnoreRule, 'reason'>, event: Ignorable): boolean =>
  ruleFor([{ ...rule, reason: 'x' }], event) !== null;

test.each<[Omit<IgnoreRule, 'reason'>, boolean]>([
  [{ type: 'invoice.paid' }, true],
  [{ type: 'invoice.*' }, true],
  [{ type: 'invoice' }, false],
  [{ type: 'inv*' }, false],
  [{ type: 'invoice_payment.*' }, false],
  // A line of ours beside it is not taken along.
  [{ price: 'price_1' }, false],
  [{ product: 'prod_1' }, true],
  [{ product: 'prod_1', type: 'customer.*' }, false],
  [{ metadata: { app: 'shop' } }, true],
  [{ metadata: { team: '*' } }, true],
  [{ metadata: { app: 'shop', team: 'b' } }, false],
  [{ metadata: { app: 'other' } }, false],
  [{ metadata: { toString: '*' } }, false],
  [{}, false],
])('%j takes an invoice: %s', (rule, expected) => {
  expect(applies(rule, invoice)).toBe(expected);
});

test('a rule about prices takes nothing that names none', () => {
  expect(applies({ price: 'price_1' }, bare)).toBe(false);
  expect(applies({ product: 'prod_1' }, bare)).toBe(false);
});
