import { invalid } from '../../core/api/errors.js';
import type { Coupon, Customer, Discount, InvoiceLine, PromotionCode, Subscription } from '../../core/model.js';
import { share, stepOf } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import { boundary } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';

/** What a request wants taken off: by a coupon, by a code for one, or by a discount that is there already. */
export type Redemption = {
  readonly coupon: Coupon;
  readonly promotion: PromotionCode | null;
  readonly existing: Discount | null;
};

/** What a discount belongs to. */
type Belonging = {
  readonly customer: string | null;
  readonly subscription?: string;
  readonly invoice?: string;
  readonly session?: string;
};

/** What a coupon takes off in a currency; null when it has no amount in it. A coupon by percentage has none. */
const amountOff = ({ amount_off: amount, currency, sandbox }: Coupon, wanted: string): number | null =>
  currency === wanted ? amount : (sandbox.amounts[wanted] ?? null);

function checkPromotion(tx: Tx, promotion: PromotionCode, customer: string | null, param: string): void {
  if (!promotion.active) throw invalid('This promotion code is expired or not active.', param, 'coupon_expired');
  if (promotion.customer !== null && promotion.customer !== customer)
    throw invalid('This promotion code cannot be redeemed by this customer.', param);
  const bought =
    customer !== null &&
    (tx.ownedBy('invoice', customer).some(({ status }) => status === 'paid') ||
      [...tx.all('charge')].some((charge) => charge.customer === customer && charge.paid));
  if (promotion.restrictions.first_time_transaction && bought)
    throw invalid('This promotion code is for a customer who has not paid before.', param);
}

/** The redemption of a coupon or a promotion code, if it can be had by this customer in this currency. */
export function redemptionOf(
  tx: Tx,
  given: { readonly coupon: string | null; readonly promotion: string | null },
  of: { readonly customer: string | null; readonly currency: string | null; readonly param: string },
): Redemption {
  const promotion = given.promotion === null ? null : tx.need('promotion_code', given.promotion, of.param);
  if (promotion !== null) checkPromotion(tx, promotion, of.customer, of.param);
  const coupon = tx.need('coupon', promotion?.promotion.coupon ?? given.coupon ?? '', of.param);
  if (!coupon.valid) throw invalid(`Coupon expired: ${coupon.id}`, of.param, 'coupon_expired');
  if (coupon.percent_off === null && of.currency !== null && amountOff(coupon, of.currency) === null)
    throw invalid(`The coupon ${coupon.id} takes nothing off in ${of.currency}.`, of.param);
  return { coupon, promotion, existing: null };
}

/** `coupon` and `promotion_code`, which stood where `discounts` do until basil; empty takes all off. */
function formerRedemption(
  tx: Tx,
  params: Params,
  of: { readonly customer: string | null; readonly currency: string | null },
): readonly Redemption[] | undefined {
  if (!tx.isBefore('2025-03-31')) return undefined;
  const [coupon, promotion] = [params.emptyable('coupon'), params.emptyable('promotion_code')];
  if (coupon === undefined && promotion === undefined) return undefined;
  const param = typeof coupon === 'string' ? 'coupon' : 'promotion_code';
  if (typeof coupon === 'string' && typeof promotion === 'string')
    throw invalid('You may only specify one of these parameters: coupon, promotion_code.', param);
  if (coupon == null && promotion == null) return [];
  return [redemptionOf(tx, { coupon: coupon ?? null, promotion: promotion ?? null }, { ...of, param })];
}

/** Reads `discounts[]`. Undefined when absent; none when sent empty. */
export function redemptionsIn(
  tx: Tx,
  params: Params,
  of: { readonly customer: string | null; readonly currency: string | null },
): readonly Redemption[] | undefined {
  const former = formerRedemption(tx, params, of);
  if (former !== undefined || !params.has('discounts')) return former;
  return (params.children('discounts') ?? []).map((given) => {
    const [coupon, promotion, id] = [given.text('coupon'), given.text('promotion_code'), given.text('discount')];
    if ([coupon, promotion, id].filter((one) => one !== undefined).length !== 1) {
      throw invalid('Name one of `coupon`, `promotion_code` and `discount`.', given.name('coupon'));
    }
    if (id !== undefined) {
      const existing = tx.need('discount', id, given.name('discount'));
      return { coupon: existing.sandbox.coupon, promotion: null, existing };
    }
    const param = given.name(coupon === undefined ? 'promotion_code' : 'coupon');
    return redemptionOf(tx, { coupon: coupon ?? null, promotion: promotion ?? null }, { ...of, param });
  });
}

const usedUp = ({ max_redemptions: most }: { max_redemptions: number | null }, times: number): boolean =>
  most !== null && times >= most;

function countRedemption(tx: Tx, { coupon, promotion }: Redemption): void {
  const stored = tx.get('coupon', coupon.id);
  if (stored !== null) {
    const times = stored.times_redeemed + 1;
    tx.put('coupon', stored.id, { ...stored, times_redeemed: times, valid: stored.valid && !usedUp(stored, times) });
  }
  const code = promotion === null ? null : tx.need('promotion_code', promotion.id);
  if (code === null) return;
  const times = code.times_redeemed + 1;
  tx.put('promotion_code', code.id, { ...code, times_redeemed: times, active: code.active && !usedUp(code, times) });
}

/** True for what a customer or a subscription keeps, not for what is off one invoice or one purchase. */
const lasting = (of: Belonging): boolean =>
  of.invoice === undefined && (of.subscription !== undefined || of.session === undefined);

function newDiscount(tx: Tx, redemption: Redemption, of: Belonging): Discount {
  const { coupon, promotion } = redemption;
  countRedemption(tx, redemption);
  const months = coupon.duration === 'repeating' && lasting(of) ? coupon.duration_in_months : null;
  const end = months === null ? null : boundary(tx.now, { interval: 'month', interval_count: months }, 1);
  const discount: Discount = {
    id: tx.newId('discount'),
    object: 'discount',
    checkout_session: of.session ?? null,
    customer: of.customer,
    customer_account: null,
    end,
    invoice: of.invoice ?? null,
    invoice_item: null,
    promotion_code: promotion?.id ?? null,
    source: { coupon: coupon.id, type: 'coupon' },
    start: tx.now,
    subscription: of.subscription ?? null,
    subscription_item: null,
    sandbox: { coupon },
  };
  if (end !== null) tx.schedule(end, { task: 'end_discount', id: discount.id });
  return tx.create('discount', discount, null);
}

/** Makes the discount that a redemption asks for; one of a customer or a subscription is reported, and ends by itself. */
export function redeem(tx: Tx, redemption: Redemption, of: Belonging): Discount {
  const { existing } = redemption;
  if (existing !== null && existing.subscription === (of.subscription ?? null)) return existing;
  const discount = newDiscount(tx, redemption, of);
  if (lasting(of)) tx.emit('customer.discount.created', discount);
  return discount;
}

const inForce = (discounts: readonly Discount[] | undefined, at: number): readonly Discount[] =>
  (discounts ?? []).filter(({ end }) => end === null || end > at);

/** The discounts of an invoice made at `at`: the subscription's, else the customer's. */
export function discountsAt(customer: Customer, subscription: Subscription | null, at: number): readonly Discount[] {
  const own = inForce(subscription?.sandbox.discounts, at);
  return own.length > 0 || customer.discount === null ? own : inForce([customer.discount], at);
}

/** A subscription with these discounts. */
export const withDiscounts = (subscription: Subscription, discounts: readonly Discount[]): Subscription => ({
  ...subscription,
  discounts: discounts.map(({ id }) => id),
  sandbox: { ...subscription.sandbox, discounts },
});

/** Takes a discount off the subscription or the customer that has it: `customer.discount.deleted`. */
export function endDiscount(tx: Tx, id: string): void {
  const discount = tx.get('discount', id);
  const subscription = discount?.subscription == null ? null : tx.get('subscription', discount.subscription);
  const customer = discount?.customer == null ? null : tx.get('customer', discount.customer);
  if (discount === null) return;
  const kept = (subscription?.sandbox.discounts ?? []).filter((one) => one.id !== id);
  const onSubscription = subscription !== null && kept.length < subscription.discounts.length;
  const onCustomer = subscription === null && customer?.discount?.id === id;
  if (onSubscription) tx.put('subscription', subscription.id, withDiscounts(subscription, kept));
  if (onCustomer) tx.put('customer', customer.id, { ...customer, discount: null });
  if (onSubscription || onCustomer) tx.emit('customer.discount.deleted', { ...discount, end: discount.end ?? tx.now });
}

/** Puts a request's discounts in place of those that the subscription has. */
export function replaceDiscounts(
  tx: Tx,
  subscription: Subscription,
  wanted: readonly Redemption[] | undefined,
): Subscription {
  if (wanted === undefined) return subscription;
  const { id, customer } = subscription;
  const kept = new Set(wanted.map(({ existing }) => existing?.id));
  for (const old of subscription.sandbox.discounts ?? []) if (!kept.has(old.id)) endDiscount(tx, old.id);
  return withDiscounts(
    subscription,
    wanted.map((one) => redeem(tx, one, { customer, subscription: id })),
  );
}

/** Gives a customer another coupon, or none. */
export function withCoupon(tx: Tx, customer: Customer, coupon: string | null | undefined): Customer {
  if (coupon === undefined) return customer;
  const old = customer.discount;
  if (coupon === null) {
    if (old !== null) tx.emit('customer.discount.deleted', { ...old, end: old.end ?? tx.now });
    return { ...customer, discount: null };
  }
  const buyer = { customer: customer.id, currency: customer.currency, param: 'coupon' };
  const redemption = redemptionOf(tx, { coupon, promotion: null }, buyer);
  const of = { customer: customer.id };
  if (old === null) return { ...customer, discount: redeem(tx, redemption, of) };
  const discount = newDiscount(tx, redemption, of);
  tx.emit('customer.discount.updated', discount, old); // one event for a change from one coupon to another
  return { ...customer, discount };
}

/** What takes something off: a discount, or a coupon that will become one. */
export type Off = Pick<Discount, 'id' | 'sandbox'>;

type Part = { readonly amount: number; readonly product: string | null; readonly discountable: boolean };
type Taken = { readonly discount: string; readonly amount: number };

const inSteps = (amount: number, step: number): number => Math.floor(amount / step) * step;

/**
 * What each discount takes off each part, in order, each of what the ones before have left. A percentage is rounded for each part;
 * an amount is spread over them in proportion. Never more than a part, nothing off what is given back.
 */
export function takeOff(
  parts: readonly Part[],
  discounts: readonly Off[],
  currency: string,
): readonly (readonly Taken[])[] {
  const step = stepOf(currency);
  const taken = parts.map((): Taken[] => []);
  const left = parts.map(({ amount, discountable }) => (discountable ? Math.max(0, amount) : 0));
  for (const { id, sandbox } of discounts) {
    const { coupon } = sandbox;
    const { products } = coupon.sandbox;
    const basis = parts.map(({ product }, index) =>
      products.length === 0 || (product !== null && products.includes(product)) ? (left[index] ?? 0) : 0,
    );
    const total = basis.reduce((sum, amount) => sum + amount, 0);
    const all = Math.min(amountOff(coupon, currency) ?? 0, total);
    let [seen, given] = [0, 0];
    basis.forEach((amount, index) => {
      seen += amount;
      const upTo = seen === total ? all : inSteps(share(all, seen, total), step);
      const percent = share(amount, Math.round((coupon.percent_off ?? 0) * 10_000), 1_000_000);
      const off = coupon.percent_off === null ? upTo - given : amount === percent ? amount : inSteps(percent, step);
      given = upTo;
      left[index] = (left[index] ?? 0) - off;
      taken[index]?.push({ discount: id, amount: off });
    });
  }
  return taken;
}

/** An invoice's lines with what these discounts take off them. */
export function discounted(
  lines: readonly InvoiceLine[],
  discounts: readonly Discount[],
  currency: string,
): readonly InvoiceLine[] {
  const parts = lines.map((line) => ({
    amount: line.amount,
    product: line.pricing?.price_details?.product ?? null,
    discountable: line.discountable,
  }));
  const taken = takeOff(parts, discounts, currency);
  return lines.map((line, index) => ({
    ...line,
    discount_amounts: (taken[index] ?? []).filter(({ amount }) => amount > 0),
  }));
}

/** What is taken off a line altogether. */
export const discountOf = (line: InvoiceLine): number =>
  (line.discount_amounts ?? []).reduce((sum, { amount }) => sum + amount, 0);
