import type Stripe from 'stripe';
import { invalid } from '../../core/api/errors.js';
import type { PortalConfiguration, PortalSession, Price, Subscription } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { listing, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { customerOf } from '../customers/customers.js';
import { redemptionsIn } from '../catalog/discounts.js';
import { prorations } from '../subscriptions/schedule-phases.js';

const defaultFeatures: Stripe.BillingPortal.Configuration.Features = {
  customer_update: { allowed_updates: [], enabled: false },
  invoice_history: { enabled: true },
  payment_method_update: { enabled: true, payment_method_configuration: null },
  subscription_cancel: {
    cancellation_reason: { enabled: false, feedback_options: null, options: [] },
    enabled: true,
    mode: 'at_period_end',
    proration_behavior: 'none',
  },
  subscription_pause: { duration: { interval_options: [], type: 'indefinite' }, enabled: false },
  subscription_update: {
    billing_cycle_anchor: null,
    default_allowed_updates: ['price'],
    enabled: true,
    products: null,
    proration_behavior: 'always_invoice',
    schedule_at_period_end: { conditions: [] },
    trial_update_behavior: 'end_trial',
  },
};

function featuresOf(
  params: Params | undefined,
  old: Stripe.BillingPortal.Configuration.Features,
): Stripe.BillingPortal.Configuration.Features {
  params?.accept('customer_update');
  const cancel = params?.child('subscription_cancel');
  const change = params?.child('subscription_update');
  change?.accept('default_allowed_updates');
  cancel?.accept('cancellation_reason');
  const products = change?.children('products')?.map((one) => ({
    adjustable_quantity: { enabled: false, maximum: null, minimum: 1 },
    product: one.required('product'),
    prices: [...(one.texts('prices') ?? [])],
  }));
  return {
    ...old,
    invoice_history: { enabled: params?.child('invoice_history')?.flag('enabled') ?? old.invoice_history.enabled },
    payment_method_update: {
      ...old.payment_method_update,
      enabled: params?.child('payment_method_update')?.flag('enabled') ?? old.payment_method_update.enabled,
    },
    subscription_cancel: {
      ...old.subscription_cancel,
      enabled: cancel?.flag('enabled') ?? old.subscription_cancel.enabled,
      mode: cancel?.oneOf('mode', ['at_period_end', 'immediately']) ?? old.subscription_cancel.mode,
      proration_behavior: cancel?.oneOf('proration_behavior', prorations) ?? old.subscription_cancel.proration_behavior,
    },
    subscription_update: {
      ...old.subscription_update,
      enabled: change?.flag('enabled') ?? old.subscription_update.enabled,
      products: products ?? old.subscription_update.products ?? null,
      proration_behavior: change?.oneOf('proration_behavior', prorations) ?? old.subscription_update.proration_behavior,
    },
  };
}

function newConfiguration(tx: Tx, params: Params | null, isDefault: boolean): PortalConfiguration {
  const profile = params?.child('business_profile');
  return tx.create(
    'billing_portal.configuration',
    {
      id: tx.newId('billing_portal.configuration'),
      object: 'billing_portal.configuration',
      active: true,
      application: null,
      business_profile: {
        headline: profile?.emptyable('headline') ?? null,
        privacy_policy_url: profile?.text('privacy_policy_url') ?? null,
        terms_of_service_url: profile?.text('terms_of_service_url') ?? null,
      },
      created: tx.now,
      default_return_url: params?.text('default_return_url') ?? null,
      features: featuresOf(params?.child('features'), defaultFeatures),
      is_default: isDefault,
      livemode: false,
      login_page: { enabled: false, url: null },
      metadata: params?.metadata() ?? {},
      name: params?.text('name') ?? null,
      updated: tx.now,
    },
    isDefault ? null : 'billing_portal.configuration.created',
  );
}

function defaultConfiguration(tx: Tx): PortalConfiguration {
  for (const one of tx.all('billing_portal.configuration')) if (one.is_default) return one;
  return newConfiguration(tx, null, true);
}

/** The configuration a portal session works under. */
export function configurationOf(tx: Tx, session: PortalSession): PortalConfiguration {
  const id = typeof session.configuration === 'string' ? session.configuration : session.configuration.id;
  return tx.need('billing_portal.configuration', id);
}

/** The prices a customer may change to in the portal: those of the configuration, else every active recurring one. */
function offeredPrices(tx: Tx, configuration: PortalConfiguration): readonly Price[] {
  const products = configuration.features.subscription_update.products ?? null;
  const named = products?.flatMap((one) => one.prices);
  return [...tx.all('price')].filter(
    (price) => price.recurring !== null && price.active && (named === undefined || named.includes(price.id)),
  );
}

/** The prices a customer may change to in this session. */
export const portalPrices = (tx: Tx, session: PortalSession): readonly Price[] =>
  offeredPrices(tx, configurationOf(tx, session));

type Flow = NonNullable<PortalSession['flow']>;
type Features = Stripe.BillingPortal.Configuration.Features;

/** A running subscription of this customer, named by a parameter. */
function runningOf(tx: Tx, customer: string, given: Params): Subscription {
  const [id, param] = [given.required('subscription'), given.name('subscription')];
  const subscription = tx.need('subscription', id, param);
  if (subscription.customer !== customer)
    throw invalid(`The subscription '${id}' does not belong to this customer.`, param, 'resource_missing');
  if (['canceled', 'incomplete_expired'].includes(subscription.status))
    throw invalid(`The subscription '${id}' has ended and cannot be changed in the portal.`, param);
  return subscription;
}

function afterCompletionOf(params: Params | undefined): Flow['after_completion'] {
  const type = params?.oneOf('type', ['hosted_confirmation', 'portal_homepage', 'redirect']) ?? 'portal_homepage';
  const message = params?.child('hosted_confirmation')?.emptyable('custom_message') ?? null;
  const redirect = params?.child('redirect');
  if (type === 'redirect' && redirect === undefined)
    throw invalid(
      'Missing required param: flow_data[after_completion][redirect].',
      'flow_data[after_completion][redirect]',
      'parameter_missing',
    );
  return {
    hosted_confirmation: type === 'hosted_confirmation' ? { custom_message: message } : null,
    redirect: redirect === undefined ? null : { return_url: redirect.required('return_url') },
    type,
  };
}

/** The change that `subscription_update_confirm` asks to confirm: of one item, to a price that the configuration offers. */
function confirmationOf(
  tx: Tx,
  customer: string,
  given: Params,
  prices: readonly Price[],
): Flow['subscription_update_confirm'] {
  const subscription = runningOf(tx, customer, given);
  const items = (given.children('items') ?? []).map((item) => {
    const [id, price, quantity] = [item.required('id'), item.text('price') ?? null, item.integer('quantity')];
    if (!subscription.items.data.some((one) => one.id === id))
      throw invalid(`No such subscription item: '${id}'`, item.name('id'), 'resource_missing');
    if (price !== null && !prices.some((one) => one.id === price))
      throw invalid(`The price '${price}' is not offered by the portal's configuration.`, item.name('price'));
    return { id, price, ...(quantity === undefined ? {} : { quantity }) };
  });
  if (items.length !== 1) throw invalid('This flow changes exactly one item of a subscription.', given.name('items'));
  const redemptions = redemptionsIn(tx, given, { customer, currency: subscription.currency }) ?? [];
  if (redemptions.length > 1) throw invalid('This flow takes one discount.', given.name('discounts'));
  const discounts = redemptions.map(({ coupon, promotion }) => ({
    coupon: promotion === null ? coupon.id : null,
    promotion_code: promotion?.id ?? null,
  }));
  return { discounts: discounts.length === 0 ? null : discounts, items, subscription: subscription.id };
}

const flowTypes = [
  'payment_method_update',
  'subscription_cancel',
  'subscription_update',
  'subscription_update_confirm',
] as const;

/** The feature that a flow needs, and what it is about. */
function flowOf(tx: Tx, customer: string, configuration: PortalConfiguration, params: Params | undefined): Flow | null {
  if (params === undefined) return null;
  const type = params.oneOf('type', flowTypes) ?? params.required('type');
  const feature = (type === 'subscription_update_confirm' ? 'subscription_update' : type) as keyof Features;
  if (!configuration.features[feature].enabled) {
    throw invalid(
      `The portal's configuration does not allow this flow: enable features[${feature}].`,
      'flow_data[type]',
    );
  }
  const about = type === 'payment_method_update' ? undefined : params.child(type);
  if (type !== 'payment_method_update' && about === undefined)
    throw invalid(`Missing required param: flow_data[${type}].`, `flow_data[${type}]`, 'parameter_missing');
  const named = (wanted: string): { subscription: string } | null =>
    about !== undefined && type === wanted ? { subscription: runningOf(tx, customer, about).id } : null;
  const canceled = named('subscription_cancel');
  return {
    after_completion: afterCompletionOf(params.child('after_completion')),
    customer_update: null,
    subscription_cancel: canceled === null ? null : { ...canceled, retention: null },
    subscription_pause: null,
    subscription_update: named('subscription_update'),
    subscription_update_confirm:
      about !== undefined && type === 'subscription_update_confirm'
        ? confirmationOf(tx, customer, about, offeredPrices(tx, configuration))
        : null,
    type,
  };
}

function createSession(tx: Tx, params: Params): PortalSession {
  params.accept('locale');
  const customer = customerOf(tx, params.required('customer'), 'customer');
  const wanted = params.text('configuration');
  const configuration =
    wanted === undefined ? defaultConfiguration(tx) : tx.need('billing_portal.configuration', wanted, 'configuration');
  const id = tx.newId('billing_portal.session');
  const session: PortalSession = {
    id,
    object: 'billing_portal.session',
    configuration: configuration.id,
    created: tx.now,
    customer: customer.id,
    customer_account: null,
    flow: flowOf(tx, customer.id, configuration, params.child('flow_data')),
    livemode: false,
    locale: null,
    on_behalf_of: null,
    return_url: params.text('return_url') ?? configuration.default_return_url,
    url: `${tx.site}/p/session/${id}`,
  };
  return tx.create('billing_portal.session', session, 'billing_portal.session.created');
}

export const portalRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/billing_portal/sessions', run: ({ tx, params }) => createSession(tx, params) },
  {
    method: 'POST',
    path: '/v1/billing_portal/configurations',
    run: ({ tx, params }) => newConfiguration(tx, params, false),
  },
  retrieving('billing_portal.configuration', '/v1/billing_portal/configurations'),
  {
    method: 'POST',
    path: '/v1/billing_portal/configurations/:id',
    run: ({ tx, id, params }) => {
      const old = tx.need('billing_portal.configuration', id);
      const changed: PortalConfiguration = {
        ...old,
        active: params.flag('active') ?? old.active,
        default_return_url: params.text('default_return_url') ?? old.default_return_url,
        features: featuresOf(params.child('features'), old.features),
        metadata: params.metadata(old.metadata ?? {}),
        updated: tx.now,
      };
      return tx.update('billing_portal.configuration', changed, 'billing_portal.configuration.updated');
    },
  },
  listing('billing_portal.configuration', '/v1/billing_portal/configurations', (params) => {
    const isDefault = params.flag('is_default');
    return (one) => isDefault === undefined || one.is_default === isDefault;
  }),
];
