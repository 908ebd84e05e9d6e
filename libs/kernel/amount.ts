import { assert } from './assert.js';

/** Credits in the unit's smallest step: a safe integer ≥ 0, checked by `isAmount` where it comes in. */
export type Amount = number;

/** The greatest grant and the greatest total of an account, so that no sum of two amounts of one account overflows. */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;

/** Minor units of a currency (Stripe's own table of decimals), currency in lower case. */
export type Money = { readonly amount: number; readonly currency: string };

/** Refuses what is not an integer from 0 to 2^53−1. */
export function isAmount(value: unknown): value is Amount {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/**
 * `value × numerator ÷ denominator`, rounded half up, exact for all safe integers.
 * Promises a result between 0 and `value` when `0 ≤ numerator ≤ denominator`.
 */
export function proportion(value: number, numerator: number, denominator: number): number {
  assert(denominator > 0, 'proportion of nothing');
  const product = value * numerator;
  if (Number.isSafeInteger(product) && product <= MAX_AMOUNT / 2) {
    return Math.floor((2 * product + denominator) / (2 * denominator));
  }
  const d = BigInt(denominator);
  return Number((2n * BigInt(value) * BigInt(numerator) + d) / (2n * d));
}
