import { invalid } from './api/errors.js';

const zeroDecimal = new Set('bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' '));
const threeDecimal = new Set('bhd jod kwd omr tnd'.split(' '));
const twoDecimal = new Set(
  (
    'usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc cve czk ' +
    'dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr ' +
    'lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar ' +
    'sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah uyu uzs wst xcd yer zar zmw'
  ).split(' '),
);
const hundreds = new Set(['isk']);
const leastCharge: Readonly<Record<string, number>> = { usd: 50, eur: 50, gbp: 30, jpy: 50, chf: 50, cad: 50, aud: 50 };
const greatestCharge = 99_999_999;

/** Decimals of a currency by Stripe's own table, which differs from ISO 4217. Null for a currency it does not know. */
export function decimalsOf(currency: string): 0 | 2 | 3 | null {
  if (zeroDecimal.has(currency)) return 0;
  if (threeDecimal.has(currency)) return 3;
  return twoDecimal.has(currency) ? 2 : null;
}

/** The currency in lower case, or Stripe's refusal. */
export function checkedCurrency(value: string, param = 'currency'): string {
  const currency = value.toLowerCase();
  if (decimalsOf(currency) === null) throw invalid(`Invalid currency: ${value}.`, param);
  return currency;
}

/** Refuses an amount that cannot be charged in this currency: too small, too large, or not in its steps. */
export function checkChargeable(amount: number, currency: string, param = 'amount'): void {
  if (amount < 0) throw invalid('This value must be greater than or equal to 0.', param, 'parameter_invalid_integer');
  checkSteps(amount, currency, param);
  const least = leastCharge[currency] ?? 1;
  if (amount < least) {
    throw invalid(`Amount must be at least ${formatMoney(least, currency)}`, param, 'amount_too_small');
  }
  if (amount > greatestCharge) {
    throw invalid(`Amount must be no more than ${formatMoney(greatestCharge, currency)}`, param, 'amount_too_large');
  }
}

/** Three-decimal currencies end in 0, the Icelandic króna is a multiple of 100. */
export const stepOf = (currency: string): number =>
  threeDecimal.has(currency) ? 10 : hundreds.has(currency) ? 100 : 1;

export function checkSteps(amount: number, currency: string, param: string): void {
  const step = stepOf(currency);
  if (amount % step !== 0) throw invalid(`Invalid amount: amounts in ${currency} must be a multiple of ${step}`, param);
}

/** `amount × numerator ÷ denominator`, rounded half away from zero; negative amounts mirror positive ones. */
export function share(amount: number, numerator: number, denominator: number): number {
  if (denominator === 0) return 0;
  const product = BigInt(Math.abs(amount)) * BigInt(Math.max(0, numerator)) * 2n + BigInt(denominator);
  const size = Number(product / (2n * BigInt(denominator)));
  return amount < 0 ? -size : size;
}

/** For people: `12.50 USD`, `1,200 JPY`. */
export function formatMoney(amount: number, currency: string): string {
  const decimals = decimalsOf(currency) ?? 2;
  const text = (amount / 10 ** decimals).toLocaleString('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return `${text} ${currency.toUpperCase()}`;
}
