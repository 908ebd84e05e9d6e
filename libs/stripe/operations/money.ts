import type { Money } from '#kernel/amount.js';
import { isSupportedCurrency } from '#kernel/currency.js';

/** The most that one payment can be: Stripe takes eight digits. */
export const MAX_CHARGE = 99_999_999;

/** Currencies whose last digits must be zeros: three decimals of which Stripe uses two, and those it keeps with two unused ones. */
const steps: { readonly [currency: string]: number } = { bhd: 10, jod: 10, kwd: 10, omr: 10, tnd: 10, isk: 100 };

/** Stripe takes only multiples of this, in minor units. */
export const chargeStep = (currency: string): number => (Object.hasOwn(steps, currency) ? (steps[currency] ?? 1) : 1);

/** Why Stripe would not take this amount; null when it would. */
export function unchargeable({ amount, currency }: Money): 'currency' | 'amount' | null {
  if (!isSupportedCurrency(currency)) return 'currency';
  const whole = Number.isSafeInteger(amount) && amount >= 1 && amount <= MAX_CHARGE;
  return whole && amount % chargeStep(currency) === 0 ? null : 'amount';
}

/**
 * What `credits` cost at the rate of a pack, rounded up to what Stripe takes, so never cheaper than the pack. Exact for any
 * numbers; may exceed what can be charged.
 */
export function atRateOf(pack: { readonly credits: number; readonly price: Money }, credits: number): Money {
  const step = BigInt(chargeStep(pack.price.currency)) * BigInt(pack.credits);
  const product = BigInt(credits) * BigInt(pack.price.amount);
  const steps = (product + step - 1n) / step;
  return { amount: Number(steps * BigInt(chargeStep(pack.price.currency))), currency: pack.price.currency };
}
