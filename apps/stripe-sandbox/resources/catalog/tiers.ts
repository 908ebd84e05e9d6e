import { invalid } from '../../core/api/errors.js';
import type { Price, PriceTier } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';

const decimal = /^\d{1,12}(\.\d{1,12})?$/;
/** Twelve digits, which no currency's prices exceed. */
const greatest = 999_999_999_999;

/** `amount` and its decimal form from `key` or `key_decimal`; null when neither is given. */
export function amountFrom(params: Params, key: string): { amount: number | null; decimal: string } | null {
  const text = params.text(`${key}_decimal`);
  if (text !== undefined && params.has(key)) {
    throw invalid(
      `You may only specify one of these parameters: ${params.name(key)}, ${params.name(`${key}_decimal`)}.`,
      params.name(key),
    );
  }
  if (text !== undefined) {
    if (!decimal.test(text)) throw invalid(`Invalid decimal: ${text}`, params.name(`${key}_decimal`));
    return { amount: /\.0*[1-9]/.test(text) ? null : Math.trunc(Number(text)), decimal: text };
  }
  const amount = params.integer(key);
  if (amount === undefined) return null;
  if (amount < 0)
    throw invalid('This value must be greater than or equal to 0.', params.name(key), 'parameter_invalid_integer');
  if (amount > greatest)
    throw invalid(
      `This value must be less than or equal to ${greatest} (it currently is '${amount}').`,
      params.name(key),
      'parameter_invalid_integer',
    );
  return { amount, decimal: String(amount) };
}

function tierFrom(params: Params): PriceTier {
  const upTo = params.required('up_to');
  const limit = upTo === 'inf' ? null : params.requiredInteger('up_to');
  const [unit, flat] = [amountFrom(params, 'unit_amount'), amountFrom(params, 'flat_amount')];
  if (unit === null && flat === null)
    throw invalid('Each tier needs `unit_amount` or `flat_amount`.', params.name('unit_amount'), 'parameter_missing');
  return {
    flat_amount: flat?.amount ?? null,
    flat_amount_decimal: flat?.decimal ?? null,
    unit_amount: unit?.amount ?? null,
    unit_amount_decimal: unit?.decimal ?? null,
    up_to: limit,
  };
}

/** The tiers of a price, each reaching further than the one before and the last without an end; none for a plain price. */
export function tiersFrom(params: Params): { mode: 'graduated' | 'volume' | null; tiers: readonly PriceTier[] } {
  const scheme = params.oneOf('billing_scheme', ['per_unit', 'tiered']) ?? 'per_unit';
  const mode = params.oneOf('tiers_mode', ['graduated', 'volume']);
  const tiers = params.children('tiers')?.map(tierFrom) ?? [];
  if (scheme === 'per_unit') {
    if (tiers.length > 0) throw invalid('`tiers` needs `billing_scheme=tiered`.', 'tiers');
    return { mode: null, tiers: [] };
  }
  if (mode === undefined) throw invalid('Missing required param: tiers_mode.', 'tiers_mode', 'parameter_missing');
  if (tiers.length === 0) throw invalid('Missing required param: tiers.', 'tiers', 'parameter_missing');
  const ends = tiers.map(({ up_to: end }) => end ?? Infinity);
  if (ends.at(-1) !== Infinity || ends.some((end, index) => end <= (ends[index - 1] ?? 0)))
    throw invalid('The tiers must go up, and the last must have `up_to=inf`.', 'tiers');
  return { mode, tiers };
}

/** `quantity` times a decimal amount, rounded half up to a minor unit. */
function times(amount: string | null, quantity: number): number {
  const [whole = '0', decimals = ''] = (amount ?? '0').split('.');
  const scale = 10n ** BigInt(decimals.length);
  const scaled = (BigInt(whole) * scale + BigInt(decimals === '' ? '0' : decimals)) * BigInt(quantity);
  return Number((2n * scaled + scale) / (2n * scale));
}

/** The money of `quantity` units at a price, in minor units; unit prices may have decimals below one. */
export function priceAmount(price: Price, quantity: number): number {
  if (price.billing_scheme !== 'tiered') return times(price.unit_amount_decimal, quantity);
  const { tiers } = price.sandbox;
  const reached = Math.max(
    0,
    tiers.findIndex(({ up_to: end }) => end === null || quantity <= end),
  );
  const cost = (tier: PriceTier, units: number): number =>
    times(tier.unit_amount_decimal, units) + times(tier.flat_amount_decimal, 1);
  const last = tiers[reached];
  if (last === undefined || quantity === 0) return 0;
  if (price.tiers_mode === 'volume') return cost(last, quantity);
  const start = (index: number): number => tiers[index - 1]?.up_to ?? 0;
  const below = tiers
    .slice(0, reached)
    .reduce((sum, tier, index) => sum + cost(tier, (tier.up_to ?? 0) - start(index)), 0);
  return below + cost(last, quantity - start(reached));
}
