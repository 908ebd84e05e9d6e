import { expect, test } from '@jest/globals';
import { isSupportedCurrency } from './currency.js';

test.each(['usd', 'eur', 'jpy', 'kwd', 'isk', 'xof', 'mru', 'zwg'])('%s is supported', (currency) => {
  expect(isSupportedCurrency(currency)).toBe(true);
});

test.each(['zzz', 'xxx', 'xts', 'xau', 'ugx', 'USD', 'us', 'usdc', '', 'toString', ' '])('"%s" is not', (currency) => {
  expect(isSupportedCurrency(currency)).toBe(false);
});
