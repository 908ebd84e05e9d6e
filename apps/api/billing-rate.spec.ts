import { expect, test } from '@jest/globals';
import { ManualClock } from '../../test/support/manual-clock.js';
import { BillingRate } from './billing-rate.js';
import { Problem } from './problems.js';

test('five a minute for each customer and route, then a wait that is told', async () => {
  const clock = new ManualClock();
  const rate = new BillingRate(clock);
  const taken = (route: 'checkout' | 'portal', customer: string): number | null | 'yes' => {
    try {
      rate.take(route, customer);
      return 'yes';
    } catch (error) {
      return error instanceof Problem && error.code === 'rate_limited' ? error.retryAfterSeconds : null;
    }
  };
  expect(taken('checkout', 'acme')).toBe('yes');
  await clock.sleep(10_000);
  expect([1, 2, 3, 4].map(() => taken('checkout', 'acme'))).toEqual(['yes', 'yes', 'yes', 'yes']);
  expect(taken('checkout', 'acme')).toBe(50);
  expect([taken('portal', 'acme'), taken('checkout', 'other')]).toEqual(['yes', 'yes']);
  await clock.sleep(49_999);
  expect(taken('checkout', 'acme')).toBe(1);
  await clock.sleep(1);
  expect([taken('checkout', 'acme'), taken('checkout', 'acme')]).toEqual(['yes', 10]);
});
