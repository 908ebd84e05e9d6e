import type Stripe from 'stripe';
import { invalid } from '../../core/api/errors.js';
import { page } from '../../core/api/lists.js';
import type { CheckoutSession, PaymentLink, SellingSession } from '../../core/model.js';
import { Params, parseForm } from '../../core/api/params.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { contentOf } from './content.js';
import { createSession } from './sessions.js';

/** Parameters of a link that its sessions have too, under the same names. */
const inherited = [
  'allow_promotion_codes',
  'automatic_tax',
  'billing_address_collection',
  'consent_collection',
  'custom_text',
  'customer_creation',
  'invoice_creation',
  'line_items',
  'metadata',
  'payment_intent_data',
  'payment_method_collection',
  'payment_method_types',
  'phone_number_collection',
  'submit_type',
  'subscription_data',
  'tax_id_collection',
] as const;

/** What a link of the sandbox never has. */
const unused = {
  application: null,
  application_fee_amount: null,
  application_fee_percent: null,
  consent_collection: null,
  custom_fields: [],
  custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
  managed_payments: null,
  on_behalf_of: null,
  payment_method_options: null,
  shipping_address_collection: null,
  shipping_options: [],
  transfer_data: null,
} satisfies Partial<PaymentLink>;

const encoded = (form: Readonly<Record<string, string>>): string => new URLSearchParams(form).toString();

const paramsOf = (form: Readonly<Record<string, string>>): Params => new Params(parseForm(encoded(form)));

function afterCompletionOf(params: Params): Stripe.PaymentLink.AfterCompletion {
  const given = params.child('after_completion');
  const type = given?.oneOf('type', ['hosted_confirmation', 'redirect']) ?? 'hosted_confirmation';
  if (type === 'redirect') return { type, redirect: { url: given?.child('redirect')?.required('url') ?? '' } };
  const message = given?.child('hosted_confirmation')?.emptyable('custom_message') ?? null;
  return { type, hosted_confirmation: { custom_message: message } };
}

function restrictionsOf(params: Params): PaymentLink['restrictions'] {
  const limit = params.child('restrictions')?.child('completed_sessions')?.requiredInteger('limit');
  return limit === undefined ? null : { completed_sessions: { count: 0, limit } };
}

/** What a link's sessions are for: a subscription when anything that it sells recurs. */
function modeOf(tx: Tx, form: Readonly<Record<string, string>>): 'payment' | 'subscription' {
  const prices = Object.entries(form).filter(([key]) => /^line_items\[\d+\]\[price\]$/.test(key));
  const recurs = prices.some(([key, id]) => tx.need('price', id, key).recurring !== null);
  return recurs ? 'subscription' : 'payment';
}

type SessionData = Pick<PaymentLink, 'invoice_creation' | 'payment_intent_data' | 'subscription_data'>;

function dataOf(
  params: Params,
  content: Pick<SellingSession, 'sandbox'>,
  mode: 'payment' | 'subscription',
): SessionData {
  const { paymentData, subscriptionData } = content.sandbox;
  const invoiced = params.child('invoice_creation')?.flag('enabled') ?? false;
  const isPayment = mode === 'payment';
  return {
    invoice_creation: isPayment ? { enabled: invoiced, invoice_data: null } : null,
    payment_intent_data:
      isPayment && params.has('payment_intent_data')
        ? {
            capture_method: null,
            description: paymentData.description,
            metadata: paymentData.metadata,
            setup_future_usage: paymentData.setupFutureUsage,
            statement_descriptor: null,
            statement_descriptor_suffix: null,
            transfer_group: null,
          }
        : null,
    subscription_data: isPayment
      ? null
      : {
          description: subscriptionData.description,
          invoice_settings: {
            account_tax_ids: null,
            custom_fields: null,
            description: null,
            footer: null,
            issuer: { type: 'self' },
          },
          metadata: subscriptionData.metadata,
          trial_period_days: subscriptionData.trialDays,
          trial_settings: {
            end_behavior: { missing_payment_method: subscriptionData.missingPaymentMethod ?? 'create_invoice' },
          },
        },
  };
}

function create(tx: Tx, params: Params): PaymentLink {
  const after = afterCompletionOf(params);
  const form = {
    ...params.flattened(inherited),
    success_url: after.redirect?.url ?? `${tx.site}/return?session={CHECKOUT_SESSION_ID}`,
  };
  const mode = modeOf(tx, form);
  const known = paramsOf(form);
  const content = contentOf(tx, known, mode);
  const id = tx.newId('payment_link');
  const link: PaymentLink = {
    id,
    object: 'payment_link',
    active: true,
    after_completion: after,
    allow_promotion_codes: content.allow_promotion_codes ?? false,
    automatic_tax: { enabled: known.child('automatic_tax')?.flag('enabled') ?? false, liability: null },
    billing_address_collection: known.oneOf('billing_address_collection', ['auto', 'required']) ?? 'auto',
    currency: content.currency,
    customer_creation:
      mode === 'subscription'
        ? 'always'
        : (known.oneOf('customer_creation', ['always', 'if_required']) ?? 'if_required'),
    inactive_message: params.emptyable('inactive_message') ?? null,
    ...dataOf(known, content, mode),
    livemode: false,
    metadata: known.metadata(),
    payment_method_collection: known.oneOf('payment_method_collection', ['always', 'if_required']) ?? 'always',
    payment_method_types: known.texts('payment_method_types')?.slice() ?? null,
    phone_number_collection: { enabled: known.child('phone_number_collection')?.flag('enabled') ?? false },
    restrictions: restrictionsOf(params),
    submit_type: known.text('submit_type') ?? 'auto',
    tax_id_collection: { enabled: known.child('tax_id_collection')?.flag('enabled') ?? false, required: 'never' },
    ...unused,
    url: `${tx.site}/buy/${id}`,
    sandbox: { form: { ...form, mode }, lines: content.sandbox.lines },
  };
  return tx.create('payment_link', link, 'payment_link.created');
}

function update(tx: Tx, id: string, params: Params): PaymentLink {
  const link = tx.need('payment_link', id);
  const message = params.emptyable('inactive_message');
  const codes = params.flag('allow_promotion_codes') ?? link.allow_promotion_codes;
  const metadata = params.metadata(link.metadata);
  const kept = Object.entries(link.sandbox.form).filter(([key]) => !key.startsWith('metadata['));
  const changed: PaymentLink = {
    ...link,
    active: params.flag('active') ?? link.active,
    allow_promotion_codes: codes,
    inactive_message: message === undefined ? link.inactive_message : message,
    metadata,
    sandbox: {
      ...link.sandbox,
      form: {
        ...Object.fromEntries(kept),
        ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`metadata[${key}]`, value])),
        allow_promotion_codes: String(codes),
      },
    },
  };
  return tx.update('payment_link', changed, 'payment_link.updated');
}

/** What a buyer brings along in the link's address. */
export type Arrival = { readonly reference?: string | null; readonly email?: string | null };

/**
 * Opens a Checkout session as a buyer does who follows the link: nobody known, so what is bought may make a new customer. A
 * reference that is not of letters, digits, `-` and `_` is left out, as Stripe does. Refuses a link that is not active.
 */
export function openLink(tx: Tx, id: string, arrival: Arrival = {}): CheckoutSession {
  const link = tx.need('payment_link', id);
  if (!link.active) throw invalid(link.inactive_message ?? 'This payment link is no longer active.', 'payment_link');
  const { reference, email } = arrival;
  const isUsable = reference != null && /^[\w-]{1,200}$/.test(reference);
  const form = {
    ...link.sandbox.form,
    ...(isUsable ? { client_reference_id: reference } : {}),
    ...(email == null || email === '' ? {} : { customer_email: email }),
  };
  return createSession(tx, paramsOf(form), link.id);
}

/** Counts a completed session of a link; one that has had as many as it takes is active no longer. */
export function countCompletion(tx: Tx, session: CheckoutSession): void {
  const link = typeof session.payment_link === 'string' ? tx.get('payment_link', session.payment_link) : null;
  if (link?.restrictions == null) return;
  const { count, limit } = link.restrictions.completed_sessions;
  const counted: PaymentLink = {
    ...link,
    active: link.active && count + 1 < limit,
    restrictions: { completed_sessions: { count: count + 1, limit } },
  };
  tx.update('payment_link', counted, 'payment_link.updated');
}

const path = '/v1/payment_links';

export const paymentLinkRoutes: readonly Route[] = [
  { method: 'POST', path, run: ({ tx, params }) => create(tx, params) },
  retrieving('payment_link', path),
  { method: 'POST', path: `${path}/:id`, run: ({ tx, id, params }) => update(tx, id, params) },
  {
    method: 'GET',
    path: `${path}/:id/line_items`,
    run: ({ tx, id, params, path: url }) =>
      page(params, url, tx.need('payment_link', id).sandbox.lines, (line) => line.id),
  },
  listing('payment_link', path, (params) => {
    const active = params.flag('active');
    return (link) => matching(active, (value) => link.active === value);
  }),
];
