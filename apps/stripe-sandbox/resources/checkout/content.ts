import { invalid } from '../../core/api/errors.js';
import type { CheckoutSession, Price, SellingSession, SessionLine, TaxRate } from '../../core/model.js';
import { checkChargeable, checkedCurrency, formatMoney, share } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import type { Tx } from '../../core/tx.js';
import { priceOf } from '../catalog/catalogue.js';
import { promotionByCode } from '../catalog/coupons.js';
import { redemptionOf, redemptionsIn, takeOff, type Off, type Redemption } from '../catalog/discounts.js';
import { isMetered, refuseQuantity } from '../subscriptions/items.js';
import { priceAmount } from '../catalog/tiers.js';

const missingMethod = ['cancel', 'create_invoice', 'pause'] as const;

type Data = CheckoutSession['sandbox'];
export type Mode = 'payment' | 'setup' | 'subscription';

/** False for a session that only saves a payment method. */
export const sells = (session: CheckoutSession): session is SellingSession => session.mode !== 'setup';

/** How many are bought; null for a metered price, which is billed by what will be used. */
function quantityOf(line: Params, price: Price): number | null {
  if (isMetered(price)) {
    refuseQuantity(line);
    return null;
  }
  const quantity = line.integer('quantity') ?? 1;
  if (quantity < 1 || quantity > 999_999) throw invalid('Invalid positive integer', line.name('quantity'));
  return quantity;
}

function linesOf(
  tx: Tx,
  params: Params,
  mode: 'payment' | 'subscription',
): { lines: readonly SessionLine[]; taxRates: readonly string[] } {
  const taxRates = new Set<string>();
  const lines = (params.children('line_items') ?? []).map((line): SessionLine => {
    line.accept('adjustable_quantity', 'dynamic_tax_rates');
    const price = priceOf(tx, line);
    if (mode === 'payment' && price.recurring !== null) {
      throw invalid(
        'You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.',
        line.name('price'),
      );
    }
    const quantity = quantityOf(line, price);
    for (const rate of line.texts('tax_rates') ?? [])
      taxRates.add(tx.need('tax_rate', rate, line.name('tax_rates')).id);
    const amount = quantity === null ? 0 : priceAmount(price, quantity); // what is used is billed later
    return {
      id: tx.idWith('li'),
      object: 'item',
      amount_discount: 0,
      amount_subtotal: amount,
      amount_tax: 0,
      amount_total: amount,
      currency: price.currency,
      description: tx.get('product', price.product)?.name ?? null,
      metadata: line.metadata(),
      price,
      quantity,
    };
  });
  if (lines.length === 0) throw invalid('Missing required param: line_items.', 'line_items', 'parameter_missing');
  if (lines.length > 100) throw invalid('A maximum of 100 line items is allowed.', 'line_items');
  if (mode === 'subscription' && !lines.some((line) => line.price.recurring !== null)) {
    throw invalid(
      'You must provide at least one recurring price in `subscription` mode when using prices.',
      'line_items',
    );
  }
  const currency = lines[0]?.currency;
  if (lines.some((line) => line.currency !== currency))
    throw invalid('All line items must have the same currency.', 'line_items');
  return { lines, taxRates: [...taxRates] };
}

function taxOn(rates: readonly TaxRate[], amount: number): { added: number; all: number } {
  let [added, all] = [0, 0];
  for (const rate of rates) {
    const basis = Math.round(rate.percentage * 10_000);
    const tax = rate.inclusive ? share(amount, basis, 1_000_000 + basis) : share(amount, basis, 1_000_000);
    all += tax;
    if (!rate.inclusive) added += tax;
  }
  return { added, all };
}

function dataOf(params: Params, lines: readonly SessionLine[], taxRates: readonly string[]): Data {
  const payment = params.child('payment_intent_data');
  payment?.accept('receipt_email', 'statement_descriptor', 'statement_descriptor_suffix', 'shipping', 'capture_method');
  const subscription = params.child('subscription_data');
  subscription?.accept('invoice_settings', 'billing_mode', 'proration_behavior');
  const days = subscription?.integer('trial_period_days') ?? null;
  return {
    lines,
    taxRates: [...taxRates, ...(subscription?.texts('default_tax_rates') ?? [])],
    paymentData: {
      metadata: payment?.metadata() ?? {},
      description: payment?.emptyable('description') ?? null,
      setupFutureUsage: payment?.oneOf('setup_future_usage', ['off_session', 'on_session']) ?? null,
    },
    subscriptionData: {
      metadata: subscription?.metadata() ?? {},
      description: subscription?.emptyable('description') ?? null,
      trialDays: days,
      trialEnd: subscription?.integer('trial_end') ?? null,
      missingPaymentMethod:
        subscription?.child('trial_settings')?.child('end_behavior')?.oneOf('missing_payment_method', missingMethod) ??
        null,
    },
  };
}

/** True when the session starts with a trial, so that nothing is due now. */
export const startsTrial = (session: { readonly sandbox: Data }): boolean =>
  session.sandbox.subscriptionData.trialDays !== null || session.sandbox.subscriptionData.trialEnd !== null;

type Sums = { readonly subtotal: number; readonly off: number; readonly tax: number; readonly total: number };

/** The lines with what is off them, and what they come to. Nothing is due, and nothing off, while a trial begins. */
function priced(
  tx: Tx,
  data: Data,
  offs: readonly Off[],
  currency: string,
): { lines: readonly SessionLine[]; sums: Sums } {
  const trial = startsTrial({ sandbox: data });
  const parts = data.lines.map((line) => ({
    amount: line.amount_subtotal,
    product: line.price.product,
    discountable: !trial,
  }));
  const taken = takeOff(parts, offs, currency);
  const lines = data.lines.map((line, index) => {
    const off = (taken[index] ?? []).reduce((sum, { amount }) => sum + amount, 0);
    return { ...line, amount_discount: off, amount_total: line.amount_subtotal - off };
  });
  if (trial) return { lines, sums: { subtotal: 0, off: 0, tax: 0, total: 0 } };
  const rates = data.taxRates.map((id) => tx.need('tax_rate', id, 'line_items'));
  const taxes = lines.map((line) => taxOn(rates, line.amount_total));
  const sum = (amounts: readonly number[]): number => amounts.reduce((total, amount) => total + amount, 0);
  const sums = {
    subtotal: sum(lines.map((line) => line.amount_subtotal)),
    off: sum(lines.map((line) => line.amount_discount)),
    tax: sum(taxes.map(({ all }) => all)),
    total: sum(lines.map((line) => line.amount_total)) + sum(taxes.map(({ added }) => added)),
  };
  return { lines, sums };
}

type Content = Pick<
  SellingSession,
  | 'amount_subtotal'
  | 'amount_total'
  | 'currency'
  | 'discounts'
  | 'payment_status'
  | 'sandbox'
  | 'total_details'
  | 'allow_promotion_codes'
>;

function checkMinimum({ promotion }: Redemption, subtotal: number, currency: string): void {
  const { minimum_amount: least, minimum_amount_currency: of } = promotion?.restrictions ?? {};
  if (least == null || of !== currency || subtotal >= least) return;
  throw invalid(`This promotion code needs an order of ${formatMoney(least, currency)} or more.`, 'discounts');
}

/** What a session sells and what it comes to, with what is off it: a redemption, else the coupon that a subscriber has already. */
function contentWith(
  tx: Tx,
  of: { readonly data: Data; readonly mode: Mode; readonly customer: string | null; readonly codes: boolean | null },
  redemptions: readonly Redemption[],
): Content {
  const { data, mode } = of;
  const currency = data.lines[0]?.currency ?? 'usd';
  const own = mode === 'subscription' && of.customer !== null ? tx.need('customer', of.customer).discount : null;
  const offs: readonly Off[] =
    redemptions.length > 0
      ? redemptions.map(({ coupon }) => ({ id: coupon.id, sandbox: { coupon } }))
      : own === null
        ? []
        : [own];
  const { lines, sums } = priced(tx, data, offs, currency);
  for (const one of redemptions) checkMinimum(one, sums.subtotal, currency);
  if (sums.total > 0) checkChargeable(sums.total, currency, 'line_items');
  return {
    allow_promotion_codes: of.codes,
    amount_subtotal: sums.subtotal,
    amount_total: sums.total,
    currency,
    discounts: redemptions.map(({ coupon, promotion }) => ({
      coupon: promotion === null ? coupon.id : null,
      promotion_code: promotion?.id ?? null,
    })),
    payment_status: sums.total === 0 ? 'no_payment_required' : 'unpaid',
    total_details: { amount_discount: sums.off, amount_shipping: 0, amount_tax: sums.tax },
    sandbox: { ...data, lines },
  };
}

/** What the session is about, by its mode. */
export function contentOf(tx: Tx, params: Params, mode: Mode): Content {
  const { lines, taxRates } = linesOf(tx, params, mode === 'subscription' ? 'subscription' : 'payment');
  const data = dataOf(params, lines, taxRates);
  const customer = params.text('customer') ?? null;
  const redemptions = redemptionsIn(tx, params, { customer, currency: lines[0]?.currency ?? null }) ?? [];
  const codes = params.flag('allow_promotion_codes') ?? null;
  if (redemptions.length > 1) throw invalid('A Checkout Session takes one discount.', 'discounts');
  if (codes !== null && redemptions.length > 0)
    throw invalid('You may only specify one of these parameters: allow_promotion_codes, discounts.', 'discounts');
  return contentWith(tx, { data, mode, customer, codes }, redemptions);
}

/** What the session's discounts ask to be redeemed. Throws ApiError when they cannot be had any more. */
export function redemptionsOf(tx: Tx, session: SellingSession): readonly Redemption[] {
  const of = { customer: session.customer, currency: session.currency, param: 'discounts' };
  return (session.discounts ?? []).map((one) => {
    const [coupon, promotion] = [one.coupon, one.promotion_code].map((id) => (typeof id === 'string' ? id : null));
    return redemptionOf(tx, { coupon: coupon ?? null, promotion: promotion ?? null }, of);
  });
}

/** The buyer's promotion code on an open session that takes some; empty text takes it off again. Throws ApiError for a wrong one. */
export function enterCode(tx: Tx, session: SellingSession, code: string): void {
  if (session.status !== 'open' || session.allow_promotion_codes !== true)
    throw invalid('This checkout takes no promotion codes.', 'promotion_code');
  const promotion = code.trim() === '' ? null : promotionByCode(tx, code);
  if (promotion === null && code.trim() !== '')
    throw invalid('This code is invalid.', 'promotion_code', 'resource_missing');
  const of = { customer: session.customer, currency: session.currency, param: 'promotion_code' };
  const redemptions = promotion === null ? [] : [redemptionOf(tx, { coupon: null, promotion: promotion.id }, of)];
  const mode = session.mode === 'subscription' ? 'subscription' : 'payment';
  const content = contentWith(
    tx,
    { data: session.sandbox, mode, customer: session.customer, codes: true },
    redemptions,
  );
  tx.put('checkout.session', session.id, { ...session, ...content });
}

/** A session in `setup` mode is about no money. */
export const withoutContent = (params: Params) =>
  ({
    allow_promotion_codes: null,
    amount_subtotal: null,
    amount_total: null,
    currency: params.has('currency') ? checkedCurrency(params.required('currency')) : null,
    discounts: null,
    payment_status: 'no_payment_required',
    total_details: null,
    sandbox: dataOf(params, [], []),
  }) satisfies Partial<CheckoutSession>;
