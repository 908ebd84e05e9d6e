import { describe, expect, test } from '@jest/globals';
import type { Json } from '#kernel/json.js';
import { normaliseDispute } from './money.js';

const reinstatedOf = (balance_transactions: Json): number | string => {
  const dispute = { id: 'du_1', payment_intent: 'pi_1', amount: 4900, currency: 'usd', status: 'lost' };
  const read = normaliseDispute({ ...dispute, balance_transactions }, '2026-11-04T00:00:00.000Z', true);
  return 'ok' in read ? read.ok.dispute.reinstated : read.unreadable;
};
const row = (amount: number, currency: string): Json => ({ amount, currency });

describe('what a bank gave back of a dispute', () => {
  test('is by its movements of money in the dispute’s currency, all of it where there are none', () => {
    expect(reinstatedOf([row(-4900, 'usd'), row(1000, 'usd')])).toBe(1000);
    expect(reinstatedOf([{ amount: 1000 }])).toBe(1000);
    expect(reinstatedOf([])).toBe(4900);
  });

  test('is the same share as in the currency that Stripe settles in', () => {
    expect(reinstatedOf([row(-3100, 'eur'), row(3100, 'eur')])).toBe(4900);
    expect(reinstatedOf([row(-3100, 'eur'), row(1550, 'eur')])).toBe(2450);
    expect(reinstatedOf([row(3100, 'eur')])).toBe(4900);
  });
});
