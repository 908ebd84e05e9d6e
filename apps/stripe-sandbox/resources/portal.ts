import type Stripe from 'stripe';
import { invalid } from '../core/errors.js';
import type { PortalConfiguration, PortalSession, Price, Subscription } from '../core/model.js';
import type { Params } from '../core/params.js';
import type { Route } from '../core/route.js';
import { listing, retrieving } from '../core/route.js';
import type { Tx } from '../core/tx.js';
import { customerOf, withDefaultMethod } from './customers.js';
import type { CardEntry } from './payment-methods.js';
import { attach, cardFromEntry } from './payment-methods.js';
import { arrangeChange, changeItems } from './subscription-change.js';
import { periodOf } from './subscription-items.js';
import { endSubscription } from './subscription-life.js';

const prorations = ['create_prorations', 'always_invoice', 'none'] as const;

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

function flowOf(tx: Tx, params: Params | undefined): PortalSession['flow'] {
  if (params === undefined) return null;
  const type =
    params.oneOf('type', ['payment_method_update', 'subscription_cancel', 'subscription_update']) ??
    params.required('type');
  const cancel = params.child('subscription_cancel');
  const update = params.child('subscription_update');
  const after = params.child('after_completion');
  const returnUrl = after?.child('redirect')?.text('return_url');
  after?.accept('type');
  const named = (given: Params | undefined): { subscription: string } | null =>
    given === undefined
      ? null
      : { subscription: tx.need('subscription', given.required('subscription'), 'flow_data').id };
  const canceled = named(cancel);
  return {
    after_completion: {
      hosted_confirmation: null,
      redirect: returnUrl === undefined ? null : { return_url: returnUrl },
      type: returnUrl === undefined ? 'portal_homepage' : 'redirect',
    },
    customer_update: null,
    subscription_cancel: canceled === null ? null : { ...canceled, retention: null },
    subscription_pause: null,
    subscription_update: named(update),
    subscription_update_confirm: null,
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
    flow: flowOf(tx, params.child('flow_data')),
    livemode: false,
    locale: null,
    on_behalf_of: null,
    return_url: params.text('return_url') ?? configuration.default_return_url,
    url: `${tx.site}/p/session/${id}`,
  };
  return tx.create('billing_portal.session', session, 'billing_portal.session.created');
}

/** The configuration a portal session works under. */
export function configurationOf(tx: Tx, session: PortalSession): PortalConfiguration {
  const id = typeof session.configuration === 'string' ? session.configuration : session.configuration.id;
  return tx.need('billing_portal.configuration', id);
}

/** The prices a customer may change to in the portal: those of the configuration, else every active recurring one. */
export function portalPrices(tx: Tx, session: PortalSession): readonly Price[] {
  const products = configurationOf(tx, session).features.subscription_update.products ?? null;
  const named = products?.flatMap((one) => one.prices);
  return [...tx.all('price')].filter(
    (price) => price.recurring !== null && price.active && (named === undefined || named.includes(price.id)),
  );
}

function ownSubscription(tx: Tx, session: PortalSession, id: string): Subscription {
  const subscription = tx.need('subscription', id);
  if (subscription.customer !== session.customer)
    throw invalid('No such subscription.', 'subscription', 'resource_missing');
  if (['canceled', 'incomplete_expired'].includes(subscription.status))
    throw invalid('This subscription has ended.', 'subscription');
  return subscription;
}

/**
 * The customer cancels: at once, or at the period's end, as the configuration says. A flexible subscription gets `cancel_at` only, as
 * Stripe's portal does since clover.
 */
export function portalCancel(tx: Tx, session: PortalSession, id: string): Subscription {
  const subscription = ownSubscription(tx, session, id);
  if (configurationOf(tx, session).features.subscription_cancel.mode === 'immediately')
    return endSubscription(tx, subscription, { reason: 'cancellation_requested' });
  const end = periodOf(subscription).end;
  const canceled: Subscription = {
    ...subscription,
    cancel_at: end,
    cancel_at_period_end: subscription.billing_mode.type !== 'flexible',
    canceled_at: tx.now,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: 'cancellation_requested' },
  };
  tx.schedule(end, { task: 'cancel_subscription', id });
  return tx.update('subscription', canceled, 'customer.subscription.updated');
}

/** The customer takes a planned cancellation back. */
export function portalResume(tx: Tx, session: PortalSession, id: string): Subscription {
  const subscription = ownSubscription(tx, session, id);
  const kept: Subscription = {
    ...subscription,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
  };
  return tx.update('subscription', kept, 'customer.subscription.updated');
}

/** The customer changes the plan of the first item, invoiced by the configuration's proration behaviour. */
export function portalChange(tx: Tx, session: PortalSession, id: string, priceId: string): Subscription {
  const subscription = ownSubscription(tx, session, id);
  const price = portalPrices(tx, session).find((one) => one.id === priceId);
  const item = subscription.items.data[0];
  if (price === undefined || item === undefined) throw invalid('This price is not offered here.', 'price');
  const behavior = configurationOf(tx, session).features.subscription_update.proration_behavior;
  const proration = prorations.find((one) => one === behavior) ?? 'always_invoice';
  const wanted = [{ id: item.id, price, quantity: null, deleted: false, metadata: null }];
  const changed = changeItems(tx, subscription, {
    wanted,
    proration,
    prorationDate: tx.now,
    anchorNow: false,
    payment: 'error_if_incomplete',
  });
  tx.put('subscription', id, subscription);
  const done = tx.update('subscription', changed, 'customer.subscription.updated');
  arrangeChange(tx);
  return done;
}

/** The customer leaves another card: it becomes the default of the customer and of every running subscription. */
export function portalCard(tx: Tx, session: PortalSession, entry: CardEntry): void {
  const customer = customerOf(tx, session.customer, 'customer');
  const made = cardFromEntry(tx, entry, { email: customer.email, name: customer.name ?? null });
  tx.put('payment_method', made.id, made);
  const method = attach(tx, made, customer.id);
  tx.update('customer', withDefaultMethod(customer, method.id), 'customer.updated');
  for (const subscription of tx.ownedBy('subscription', customer.id)) {
    if (
      subscription.default_payment_method !== null &&
      !['canceled', 'incomplete_expired'].includes(subscription.status)
    ) {
      tx.update(
        'subscription',
        { ...subscription, default_payment_method: method.id },
        'customer.subscription.updated',
      );
    }
  }
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
