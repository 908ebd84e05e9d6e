import { invalid } from '../core/errors.js';
import type { CheckoutSession, SellingSession, SessionLine, TaxRate } from '../core/model.js';
import { checkChargeable, checkedCurrency, share } from '../core/money.js';
import type { Params } from '../core/params.js';
import type { Tx } from '../core/tx.js';
import { priceOf } from './catalogue.js';
import { priceAmount } from './tiers.js';

const missingMethod = ['cancel', 'create_invoice', 'pause'] as const;

type Data = CheckoutSession['sandbox'];
export type Mode = 'payment' | 'setup' | 'subscription';

/** False for a session that only saves a payment method. */
export const sells = (session: CheckoutSession): session is SellingSession => session.mode !== 'setup';

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
    const quantity = line.integer('quantity') ?? 1;
    if (quantity < 1 || quantity > 999_999) throw invalid('Invalid positive integer', line.name('quantity'));
    for (const rate of line.texts('tax_rates') ?? [])
      taxRates.add(tx.need('tax_rate', rate, line.name('tax_rates')).id);
    const amount = priceAmount(price, quantity);
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

type Sums = { readonly subtotal: number; readonly tax: number; readonly total: number };

function sumsOf(tx: Tx, data: Data): Sums {
  if (startsTrial({ sandbox: data })) return { subtotal: 0, tax: 0, total: 0 };
  const rates = data.taxRates.map((id) => tx.need('tax_rate', id, 'line_items'));
  const subtotal = data.lines.reduce((sum, line) => sum + line.amount_subtotal, 0);
  const taxes = data.lines.map((line) => taxOn(rates, line.amount_subtotal));
  const added = taxes.reduce((sum, tax) => sum + tax.added, 0);
  return { subtotal, tax: taxes.reduce((sum, tax) => sum + tax.all, 0), total: subtotal + added };
}

/** What the session is about, by its mode. */
export function contentOf(
  tx: Tx,
  params: Params,
  mode: Mode,
): Pick<
  SellingSession,
  'amount_subtotal' | 'amount_total' | 'currency' | 'payment_status' | 'sandbox' | 'total_details'
> {
  const { lines, taxRates } = linesOf(tx, params, mode === 'subscription' ? 'subscription' : 'payment');
  const sandbox = dataOf(params, lines, taxRates);
  const sums = sumsOf(tx, sandbox);
  const currency = lines[0]?.currency ?? 'usd';
  if (sums.total > 0) checkChargeable(sums.total, currency, 'line_items');
  return {
    amount_subtotal: sums.subtotal,
    amount_total: sums.total,
    currency,
    payment_status: sums.total === 0 ? 'no_payment_required' : 'unpaid',
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: sums.tax },
    sandbox,
  };
}

/** A session in `setup` mode is about no money. */
export const withoutContent = (params: Params) =>
  ({
    amount_subtotal: null,
    amount_total: null,
    currency: params.has('currency') ? checkedCurrency(params.required('currency')) : null,
    payment_status: 'no_payment_required',
    total_details: null,
    sandbox: dataOf(params, [], []),
  }) satisfies Partial<CheckoutSession>;
