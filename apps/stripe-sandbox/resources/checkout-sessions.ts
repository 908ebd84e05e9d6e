import type Stripe from 'stripe';
import { invalid } from '../core/errors.js';
import { page } from '../core/lists.js';
import type { CheckoutSession, SessionLine, TaxRate } from '../core/model.js';
import { checkChargeable, share } from '../core/money.js';
import type { Params } from '../core/params.js';
import { DAY, HOUR, MINUTE } from '../core/period.js';
import type { Route } from '../core/route.js';
import { listing, matching, retrieving } from '../core/route.js';
import type { Tx } from '../core/tx.js';
import { priceOf } from './catalogue.js';
import { customerOf } from './customers.js';
import { cancelIntent } from './payments.js';
import { priceAmount } from './tiers.js';

/** Parameters that change only looks, or ask for what the sandbox always does. */
const looks = [
  'allow_promotion_codes',
  'billing_address_collection',
  'branding_settings',
  'consent_collection',
  'customer_update',
  'custom_text',
  'integration_identifier',
  'locale',
  'name_collection',
  'origin_context',
  'payment_method_options',
  'phone_number_collection',
  'saved_payment_method_options',
  'submit_type',
  'tax_id_collection',
  'wallet_options',
] as const;

const missingMethod = ['cancel', 'create_invoice', 'pause'] as const;

type Data = CheckoutSession['sandbox'];

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

function expiryOf(tx: Tx, params: Params): number {
  const at = params.integer('expires_at') ?? tx.now + DAY;
  if (at < tx.now + 30 * MINUTE - 5)
    throw invalid(
      'The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.',
      'expires_at',
    );
  if (at > tx.now + 24 * HOUR + 5)
    throw invalid(
      'The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.',
      'expires_at',
    );
  return at;
}

function urlOf(params: Params, key: string): string | undefined {
  const url = params.text(key);
  if (url !== undefined && !/^https?:\/\/\S+$/.test(url)) {
    throw invalid(`Not a valid URL`, key, 'url_invalid');
  }
  return url;
}

function invoiceCreationOf(params: Params): Stripe.Checkout.Session.InvoiceCreation | null {
  const given = params.child('invoice_creation');
  if (given === undefined) return null;
  const data = given.child('invoice_data');
  data?.accept('account_tax_ids', 'custom_fields', 'footer', 'issuer', 'rendering_options');
  return {
    enabled: given.flag('enabled') ?? false,
    invoice_data: {
      account_tax_ids: null,
      custom_fields: null,
      description: data?.emptyable('description') ?? null,
      footer: null,
      issuer: null,
      metadata: data?.metadata() ?? {},
      rendering_options: null,
    },
  };
}

type Sums = { readonly subtotal: number; readonly tax: number; readonly total: number };

function sumsOf(tx: Tx, data: Data): Sums {
  if (startsTrial({ sandbox: data })) return { subtotal: 0, tax: 0, total: 0 };
  const rates = data.taxRates.map((id) => tx.need('tax_rate', id, 'line_items'));
  const subtotal = data.lines.reduce((sum, line) => sum + line.amount_subtotal, 0);
  const taxes = data.lines.map((line) => taxOn(rates, line.amount_subtotal));
  const added = taxes.reduce((sum, tax) => sum + tax.added, 0);
  return { subtotal, tax: taxes.reduce((sum, tax) => sum + tax.all, 0), total: subtotal + added };
}

type Head = Pick<
  CheckoutSession,
  | 'cancel_url'
  | 'client_reference_id'
  | 'customer'
  | 'customer_creation'
  | 'customer_email'
  | 'expires_at'
  | 'metadata'
  | 'success_url'
  | 'payment_method_types'
  | 'allowed_payment_method_types'
  | 'payment_method_collection'
>;

function headOf(tx: Tx, params: Params, mode: 'payment' | 'subscription'): Head {
  const customer = params.text('customer');
  const email = params.text('customer_email');
  if (customer !== undefined) customerOf(tx, customer, 'customer');
  if (customer !== undefined && email !== undefined)
    throw invalid('You may only specify one of these parameters: customer, customer_email.', 'customer');
  const allowed = params.texts('allowed_payment_method_types');
  const types = params.texts('payment_method_types') ?? allowed;
  const success = urlOf(params, 'success_url');
  if (success === undefined) throw invalid('You must provide `success_url`.', 'success_url', 'parameter_missing');
  return {
    allowed_payment_method_types: allowed === undefined ? null : [...allowed],
    cancel_url: urlOf(params, 'cancel_url') ?? null,
    client_reference_id: params.text('client_reference_id') ?? null,
    customer: customer ?? null,
    customer_creation:
      customer === undefined
        ? (params.oneOf('customer_creation', ['always', 'if_required']) ??
          (mode === 'subscription' ? 'always' : 'if_required'))
        : null,
    customer_email: email ?? null,
    expires_at: expiryOf(tx, params),
    metadata: params.metadata(),
    payment_method_collection:
      params.oneOf('payment_method_collection', ['always', 'if_required']) ??
      (mode === 'subscription' ? 'always' : 'if_required'),
    payment_method_types: [...(types ?? ['card', 'sepa_debit'])],
    success_url: success,
  };
}

/** What a session of the sandbox never has. */
const unused = {
  client_secret: null,
  collected_information: null,
  consent: null,
  consent_collection: null,
  locale: null,
  managed_payments: null,
  shipping_address_collection: null,
  shipping_cost: null,
  shipping_options: [],
} satisfies Partial<CheckoutSession>;

function create(tx: Tx, params: Params): CheckoutSession {
  const mode = params.oneOf('mode', ['payment', 'subscription']) ?? params.required('mode');
  const isSubscription = mode === 'subscription';
  params.accept(...looks);
  params.oneOf('ui_mode', ['hosted_page', 'hosted']);
  const automaticTax = params.child('automatic_tax')?.flag('enabled') ?? false;
  const { lines, taxRates } = linesOf(tx, params, isSubscription ? 'subscription' : 'payment');
  const data = dataOf(params, lines, taxRates);
  const sums = sumsOf(tx, data);
  const currency = lines[0]?.currency ?? 'usd';
  if (sums.total > 0) checkChargeable(sums.total, currency, 'line_items');
  const head = headOf(tx, params, isSubscription ? 'subscription' : 'payment');
  const id = tx.newId('checkout.session');
  const session: CheckoutSession = {
    id,
    object: 'checkout.session',
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    allow_promotion_codes: null,
    amount_subtotal: sums.subtotal,
    amount_total: sums.total,
    automatic_tax: {
      enabled: automaticTax,
      liability: null,
      provider: automaticTax ? 'stripe' : null,
      status: automaticTax ? 'complete' : null,
    },
    billing_address_collection: null,
    created: tx.now,
    currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer_account: null,
    customer_details: null,
    discounts: [],
    integration_identifier: null,
    invoice: null,
    invoice_creation: isSubscription ? null : invoiceCreationOf(params),
    livemode: false,
    ...unused,
    mode,
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_status: sums.total === 0 ? 'no_payment_required' : 'unpaid',
    permissions: null,
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    status: 'open',
    submit_type: null,
    subscription: null,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: sums.tax },
    ui_mode: 'hosted_page',
    url: `${tx.site}/c/pay/${id}`,
    wallet_options: null,
    ...head,
    sandbox: data,
  };
  tx.schedule(session.expires_at, { task: 'expire_session', id });
  return tx.create('checkout.session', session, null);
}

/** The session's time is over: it can no longer be paid, and what a declined card has left open of it is cancelled. */
export function expireSession(tx: Tx, id: string): CheckoutSession | null {
  const session = tx.get('checkout.session', id);
  if (session?.status !== 'open') return null;
  if (session.payment_intent !== null) cancelIntent(tx, session.payment_intent, 'automatic');
  const expired: CheckoutSession = { ...session, status: 'expired', url: null };
  tx.put('checkout.session', id, expired);
  tx.emit('checkout.session.expired', expired);
  return expired;
}

export const checkoutRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/checkout/sessions', run: ({ tx, params }) => create(tx, params) },
  retrieving('checkout.session', '/v1/checkout/sessions'),
  {
    method: 'POST',
    path: '/v1/checkout/sessions/:id',
    run: ({ tx, id, params }) => {
      const session = tx.need('checkout.session', id);
      return tx.update('checkout.session', { ...session, metadata: params.metadata(session.metadata) }, null);
    },
  },
  {
    method: 'POST',
    path: '/v1/checkout/sessions/:id/expire',
    run: ({ tx, id }) => {
      tx.need('checkout.session', id);
      const expired = expireSession(tx, id);
      if (expired === null)
        throw invalid('Only Checkout Sessions with a status in ["open"] can be expired.', 'session');
      return expired;
    },
  },
  {
    method: 'GET',
    path: '/v1/checkout/sessions/:id/line_items',
    run: ({ tx, id, params, path }) =>
      page(params, path, tx.need('checkout.session', id).sandbox.lines, (line) => line.id),
  },
  listing('checkout.session', '/v1/checkout/sessions', (params) => {
    const keys = ['customer', 'subscription', 'payment_intent', 'status'] as const;
    const [customer, subscription, intent, status] = keys.map((key) => params.text(key));
    return (session) =>
      matching(customer, (value) => session.customer === value) &&
      matching(subscription, (value) => session.subscription === value) &&
      matching(intent, (value) => session.payment_intent === value) &&
      matching(status, (value) => session.status === value);
  }),
];
