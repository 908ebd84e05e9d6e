import { invalid } from '../../core/api/errors.js';
import type { Coupon, Discount, PromotionCode } from '../../core/model.js';
import { checkSteps, checkedCurrency } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { customerOf } from '../customers/customers.js';
import { endDiscount } from './discounts.js';

const durations = ['forever', 'once', 'repeating'] as const;

function amountsOf(params: Params, base: string | null): Record<string, number> {
  const options = params.child('currency_options');
  const amounts = (options?.keys() ?? []).map((currency): [string, number] => {
    const amount = options?.child(currency)?.requiredInteger('amount_off') ?? 0;
    return [checkedCurrency(currency, params.name('currency_options')), amount];
  });
  return Object.fromEntries(amounts.filter(([currency]) => currency !== base));
}

function termsOf(params: Params): Pick<Coupon, 'percent_off' | 'amount_off' | 'currency'> {
  const percent = params.text('percent_off');
  const amount = params.integer('amount_off');
  if ((percent === undefined) === (amount === undefined))
    throw invalid('A coupon takes off either `percent_off` or `amount_off`.', 'percent_off', 'parameter_missing');
  if (percent !== undefined) {
    const value = Number(percent);
    if (!(value > 0 && value <= 100))
      throw invalid('Invalid percent_off: must be above 0 and at most 100', 'percent_off');
    params.accept('currency');
    return { percent_off: value, amount_off: null, currency: null };
  }
  const currency = checkedCurrency(params.required('currency'));
  if (amount === undefined || amount < 1) throw invalid('Invalid positive integer', 'amount_off');
  checkSteps(amount, currency, 'amount_off');
  return { percent_off: null, amount_off: amount, currency };
}

function createCoupon(tx: Tx, params: Params): Coupon {
  const id = params.text('id') ?? tx.code('coupon', 8);
  if (tx.get('coupon', id) !== null) throw invalid('Coupon already exists.', 'id', 'resource_already_exists');
  const duration = params.oneOf('duration', durations) ?? 'once';
  const months = params.integer('duration_in_months');
  if ((duration === 'repeating') !== (months !== undefined))
    throw invalid('`duration_in_months` goes with the duration `repeating`, and only with it.', 'duration_in_months');
  if (months !== undefined && months < 1) throw invalid('Invalid positive integer', 'duration_in_months');
  const redeemBy = params.integer('redeem_by') ?? null;
  if (redeemBy !== null && redeemBy <= tx.now) throw invalid('`redeem_by` must be in the future.', 'redeem_by');
  const terms = termsOf(params);
  const coupon: Coupon = {
    id,
    object: 'coupon',
    ...terms,
    created: tx.now,
    duration,
    duration_in_months: months ?? null,
    livemode: false,
    max_redemptions: params.integer('max_redemptions') ?? null,
    metadata: params.metadata(),
    name: params.emptyable('name') ?? null,
    redeem_by: redeemBy,
    times_redeemed: 0,
    valid: true,
    sandbox: {
      products: [...(params.child('applies_to')?.texts('products') ?? [])],
      amounts: amountsOf(params, terms.currency),
    },
  };
  if (redeemBy !== null) tx.schedule(redeemBy, { task: 'end_redemption', id });
  return tx.create('coupon', coupon, 'coupon.created');
}

function updateCoupon(tx: Tx, id: string, params: Params): Coupon {
  const coupon = tx.need('coupon', id);
  const name = params.emptyable('name');
  const amounts = { ...coupon.sandbox.amounts, ...amountsOf(params, coupon.currency) };
  const changed: Coupon = {
    ...coupon,
    metadata: params.metadata(coupon.metadata ?? {}),
    name: name === undefined ? coupon.name : name,
    sandbox: { ...coupon.sandbox, amounts },
  };
  return tx.update('coupon', changed, 'coupon.updated');
}

/** Discounts that were made of a deleted coupon stay; it makes no more, and neither do its codes. */
function deleteCoupon(tx: Tx, id: string): unknown {
  const coupon = tx.need('coupon', id);
  for (const code of tx.all('promotion_code')) {
    if (code.promotion.coupon === id && code.active) tx.put('promotion_code', code.id, { ...code, active: false });
  }
  tx.remove('coupon', id);
  tx.emit('coupon.deleted', coupon);
  return { id, object: 'coupon', deleted: true };
}

/** The last moment of a coupon or a promotion code has come: it can be redeemed no more. */
export function endRedemption(tx: Tx, id: string): void {
  const coupon = tx.get('coupon', id);
  const code = tx.get('promotion_code', id);
  if (coupon !== null) tx.put('coupon', id, { ...coupon, valid: false });
  if (code?.active === true) tx.update('promotion_code', { ...code, active: false }, 'promotion_code.updated');
}

function restrictionsOf(params: Params | undefined): PromotionCode['restrictions'] {
  const least = params?.integer('minimum_amount') ?? null;
  const currency = params?.text('minimum_amount_currency');
  if (least !== null && currency === undefined)
    throw invalid('`minimum_amount` needs a `minimum_amount_currency`.', 'restrictions[minimum_amount_currency]');
  return {
    first_time_transaction: params?.flag('first_time_transaction') ?? false,
    minimum_amount: least,
    minimum_amount_currency: currency === undefined ? null : checkedCurrency(currency),
  };
}

/** The code as customers type it, if somebody can have it. */
export const promotionByCode = (tx: Tx, code: string): PromotionCode | null =>
  [...tx.all('promotion_code')].find((one) => one.active && one.code.toLowerCase() === code.trim().toLowerCase()) ??
  null;

function createPromotion(tx: Tx, params: Params): PromotionCode {
  const promotion = params.child('promotion');
  promotion?.oneOf('type', ['coupon']);
  // `coupon` outside of `promotion` is the parameter of versions before clover.
  const coupon = tx.need('coupon', promotion?.required('coupon') ?? params.required('coupon'), 'promotion[coupon]');
  const customer = params.text('customer');
  if (customer !== undefined) customerOf(tx, customer, 'customer');
  const code = params.text('code') ?? tx.code('promotion_code', 8).toUpperCase();
  if (!/^[A-Za-z0-9_-]{1,500}$/.test(code)) throw invalid('A code has letters, digits, - and _ only.', 'code');
  if (promotionByCode(tx, code) !== null)
    throw invalid(`An active promotion code with \`code: ${code}\` already exists.`, 'code');
  const expiresAt = params.integer('expires_at') ?? null;
  if (expiresAt !== null && expiresAt <= tx.now) throw invalid('`expires_at` must be in the future.', 'expires_at');
  const id = tx.newId('promotion_code');
  if (expiresAt !== null) tx.schedule(expiresAt, { task: 'end_redemption', id });
  const made: PromotionCode = {
    id,
    object: 'promotion_code',
    active: (params.flag('active') ?? true) && coupon.valid,
    code,
    created: tx.now,
    customer: customer ?? null,
    customer_account: null,
    expires_at: expiresAt,
    livemode: false,
    max_redemptions: params.integer('max_redemptions') ?? null,
    metadata: params.metadata(),
    promotion: { coupon: coupon.id, type: 'coupon' },
    restrictions: restrictionsOf(params.child('restrictions')),
    times_redeemed: 0,
    sandbox: { coupon },
  };
  return tx.create('promotion_code', made, 'promotion_code.created');
}

function updatePromotion(tx: Tx, id: string, params: Params): PromotionCode {
  const code = tx.need('promotion_code', id);
  const active = params.flag('active') ?? code.active;
  if (active && !code.active && tx.get('coupon', code.promotion.coupon)?.valid !== true)
    throw invalid('The coupon of this promotion code is no longer valid.', 'active');
  const changed: PromotionCode = { ...code, active, metadata: params.metadata(code.metadata ?? {}) };
  return tx.update('promotion_code', changed, 'promotion_code.updated');
}

function removeDiscount(tx: Tx, discount: Discount | null | undefined, of: string): unknown {
  if (discount == null) throw invalid(`No active discount for ${of}`, undefined, 'resource_missing');
  endDiscount(tx, discount.id);
  const { end: _gone, sandbox: _own, ...shown } = discount;
  return { ...shown, deleted: true };
}

export const couponRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/coupons', run: ({ tx, params }) => createCoupon(tx, params) },
  retrieving('coupon', '/v1/coupons'),
  { method: 'POST', path: '/v1/coupons/:id', run: ({ tx, id, params }) => updateCoupon(tx, id, params) },
  { method: 'DELETE', path: '/v1/coupons/:id', run: ({ tx, id }) => deleteCoupon(tx, id) },
  listing('coupon', '/v1/coupons'),
  { method: 'POST', path: '/v1/promotion_codes', run: ({ tx, params }) => createPromotion(tx, params) },
  retrieving('promotion_code', '/v1/promotion_codes'),
  { method: 'POST', path: '/v1/promotion_codes/:id', run: ({ tx, id, params }) => updatePromotion(tx, id, params) },
  listing('promotion_code', '/v1/promotion_codes', (params) => {
    const [code, coupon, customer] = [params.text('code'), params.text('coupon'), params.text('customer')];
    const active = params.flag('active');
    return (one) =>
      matching(code, (value) => one.code.toLowerCase() === value.toLowerCase()) &&
      matching(coupon, (value) => one.promotion.coupon === value) &&
      matching(customer, (value) => one.customer === value) &&
      matching(active, (value) => one.active === value);
  }),
  {
    method: 'DELETE',
    path: '/v1/customers/:id/discount',
    run: ({ tx, id }) => removeDiscount(tx, customerOf(tx, id, 'id').discount, `customer: ${id}`),
  },
  {
    method: 'DELETE',
    path: '/v1/subscriptions/:id/discount',
    run: ({ tx, id }) => removeDiscount(tx, tx.need('subscription', id).sandbox.discounts?.[0], `subscription: ${id}`),
  },
];
