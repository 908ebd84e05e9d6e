import type Stripe from 'stripe';
import { invalid } from '../../core/api/errors.js';
import { page } from '../../core/api/lists.js';
import type { CheckoutSession } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { DAY, HOUR, MINUTE } from '../../core/period.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { contentOf, withoutContent, type Mode } from './content.js';
import { customerOf } from '../customers/customers.js';
import { cancelIntent } from '../payments/payments.js';
import { cancelSetup, newSetupIntent } from '../payments/setup-intents.js';

/** Parameters that change only looks, or ask for what the sandbox always does. */
const looks = [
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

function headOf(tx: Tx, params: Params, mode: Mode): Head {
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
      customer === undefined && mode !== 'setup'
        ? (params.oneOf('customer_creation', ['always', 'if_required']) ??
          (mode === 'subscription' ? 'always' : 'if_required'))
        : null,
    customer_email: email ?? null,
    expires_at: expiryOf(tx, params),
    metadata: params.metadata(),
    payment_method_collection:
      params.oneOf('payment_method_collection', ['always', 'if_required']) ??
      (mode === 'payment' ? 'if_required' : 'always'),
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

/** A session in `setup` mode has its setup intent from the start. */
function setupFor(tx: Tx, params: Params, head: Head, session: string): string {
  const data = params.child('setup_intent_data');
  data?.accept('on_behalf_of');
  return newSetupIntent(tx, {
    customer: head.customer,
    description: data?.emptyable('description') ?? null,
    metadata: data?.metadata() ?? {},
    payment_method_types: head.payment_method_types,
    session,
  }).id;
}

/** A new session, of a payment link or of none. */
export function createSession(tx: Tx, params: Params, link: string | null): CheckoutSession {
  const mode = params.oneOf('mode', ['payment', 'setup', 'subscription']) ?? (params.required('mode') as Mode);
  params.accept(...looks);
  params.oneOf('ui_mode', ['hosted_page', 'hosted']);
  const automaticTax = params.child('automatic_tax')?.flag('enabled') ?? false;
  const content = mode === 'setup' ? withoutContent(params) : contentOf(tx, params, mode);
  const head = headOf(tx, params, mode);
  const id = tx.newId('checkout.session');
  const session: CheckoutSession = {
    id,
    object: 'checkout.session',
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    automatic_tax: {
      enabled: automaticTax,
      liability: null,
      provider: automaticTax ? 'stripe' : null,
      status: automaticTax ? 'complete' : null,
    },
    billing_address_collection: null,
    created: tx.now,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer_account: null,
    customer_details: null,
    integration_identifier: null,
    invoice: null,
    invoice_creation: mode === 'payment' ? invoiceCreationOf(params) : null,
    livemode: false,
    ...unused,
    mode,
    origin_context: null,
    payment_intent: null,
    payment_link: link,
    payment_method_configuration_details: null,
    payment_method_options: {},
    permissions: null,
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: mode === 'setup' ? setupFor(tx, params, head, id) : null,
    status: 'open',
    submit_type: null,
    subscription: null,
    ui_mode: 'hosted_page',
    url: `${tx.site}/c/pay/${id}`,
    wallet_options: null,
    ...head,
    ...content,
  };
  tx.schedule(session.expires_at, { task: 'expire_session', id });
  return tx.create('checkout.session', session, null);
}

/** The session's time is over: it can no longer be paid, and what a declined card has left open of it is cancelled. */
export function expireSession(tx: Tx, id: string): CheckoutSession | null {
  const session = tx.get('checkout.session', id);
  if (session?.status !== 'open') return null;
  if (session.payment_intent !== null) cancelIntent(tx, session.payment_intent, 'automatic');
  if (session.setup_intent !== null) cancelSetup(tx, session.setup_intent, 'abandoned');
  const expired: CheckoutSession = { ...session, status: 'expired', url: null };
  tx.put('checkout.session', id, expired);
  tx.emit('checkout.session.expired', expired);
  return expired;
}

export const checkoutRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/checkout/sessions', run: ({ tx, params }) => createSession(tx, params, null) },
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
    const keys = ['customer', 'subscription', 'payment_intent', 'status', 'payment_link'] as const;
    const [customer, subscription, intent, status, link] = keys.map((key) => params.text(key));
    return (session) =>
      matching(customer, (value) => session.customer === value) &&
      matching(subscription, (value) => session.subscription === value) &&
      matching(intent, (value) => session.payment_intent === value) &&
      matching(status, (value) => session.status === value) &&
      matching(link, (value) => session.payment_link === value);
  }),
];
