import { describe, expect, it } from '@jest/globals';
import { checkChargeable, decimalsOf, formatMoney, share } from './money.js';

describe('money', () => {
  it("keeps Stripe's table of decimals", () => {
    expect(['usd', 'jpy', 'kwd', 'isk', 'mga', 'ugx', 'xyz'].map(decimalsOf)).toEqual([2, 0, 3, 2, 0, null, null]);
  });

  it('rounds shares half away from zero, exactly for large amounts', () => {
    expect([share(5, 1, 2), share(-5, 1, 2), share(10, 1, 3), share(7, 0, 3), share(7, 3, 0)]).toEqual([
      3, -3, 3, 0, 0,
    ]);
    expect(share(Number.MAX_SAFE_INTEGER, 3, 3)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('refuses amounts that cannot be charged', () => {
    for (const [amount, currency] of [
      [49, 'usd'],
      [100_000_000, 'usd'],
      [5124, 'kwd'],
      [150, 'isk'],
    ] as const) {
      expect(() => checkChargeable(amount, currency)).toThrow();
    }
    expect(() => checkChargeable(5120, 'kwd')).not.toThrow();
  });

  it('is written for people', () => {
    expect([formatMoney(1250, 'usd'), formatMoney(1200, 'jpy'), formatMoney(5120, 'kwd')]).toEqual([
      '12.50 USD',
      '1,200 JPY',
      '5.120 KWD',
    ]);
  });
});
