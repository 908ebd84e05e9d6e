import { invalid, missing } from '../../core/api/errors.js';
import type { PaymentMethod, Subscription } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { DAY } from '../../core/period.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { addedItems, addToNextInvoice } from '../invoices/added-items.js';
import { customerOf } from '../customers/customers.js';
import { redemptionsIn, replaceDiscounts } from '../catalog/discounts.js';
import { createDraft, draftInvoice, takePendingItems } from '../invoices/building.js';
import { collect, finalize } from '../invoices/payment.js';
import { attach, ownMethod } from '../payments/methods.js';
import { arrangeChange, changeItems, creditUnused, itemChange } from './change.js';
import { startSubscription, subscriptionOrder } from './create.js';
import { pause, resume } from './pause.js';
import { periodLines, periodOf, wantedItems } from './items.js';
import { endSubscription } from './end.js';
import { renew, setTimers } from './life.js';
import { moveTrial } from './trial.js';

const paymentBehaviors = [
  'allow_incomplete',
  'default_incomplete',
  'error_if_incomplete',
  'pending_if_incomplete',
] as const;
const prorations = ['create_prorations', 'always_invoice', 'none'] as const;
const missingMethod = ['cancel', 'create_invoice', 'pause'] as const;
const looks = [
  'automatic_tax',
  'invoice_settings',
  'billing_thresholds',
  'application_fee_percent',
  'currency',
] as const;

/** The method that a subscription is to be paid by: of its customer, or a test card that becomes so. */
function usableMethod(tx: Tx, id: string | undefined, customer: string): PaymentMethod | null {
  if (id === undefined) return null;
  return attach(tx, ownMethod(tx, id, customer, 'default_payment_method'), customer);
}

function savesMethod(params: Params): boolean {
  const settings = params.child('payment_settings');
  settings?.accept('payment_method_types', 'payment_method_options');
  return settings?.oneOf('save_default_payment_method', ['off', 'on_subscription']) === 'on_subscription';
}

/** `trial_end` (a time or `now`), or `trial_period_days` from now. */
function trialEndOf(tx: Tx, params: Params): number | null {
  const days = params.integer('trial_period_days');
  params.accept('trial_from_plan');
  if (params.text('trial_end') === 'now') return null;
  const end = params.integer('trial_end');
  if (end !== undefined && end <= tx.now)
    throw invalid('Invalid timestamp: must be an integer Unix timestamp in the future.', 'trial_end');
  if (end !== undefined) return end;
  return days === undefined || days === 0 ? null : tx.now + days * DAY;
}

const trialSettingsOf = (params: Params): (typeof missingMethod)[number] | null =>
  params.child('trial_settings')?.child('end_behavior')?.oneOf('missing_payment_method', missingMethod) ?? null;

function create(tx: Tx, params: Params): Subscription {
  params.accept(...looks);
  const customer = customerOf(tx, params.required('customer'), 'customer');
  const method = usableMethod(tx, params.text('default_payment_method'), customer.id);
  const items = wantedItems(tx, params);
  if (items === undefined) throw invalid('Missing required param: items.', 'items', 'parameter_missing');
  const subscription = startSubscription(tx, {
    customer,
    items,
    added: addedItems(tx, params),
    metadata: params.metadata(),
    description: params.emptyable('description') ?? null,
    trialEnd: trialEndOf(tx, params),
    missingPaymentMethod: trialSettingsOf(params),
    anchor: params.integer('billing_cycle_anchor') ?? null,
    proratesFirst: params.oneOf('proration_behavior', prorations) !== 'none',
    cancelAt: params.integer('cancel_at') ?? null,
    cancelAtPeriodEnd: params.flag('cancel_at_period_end') ?? false,
    collection: params.oneOf('collection_method', ['charge_automatically', 'send_invoice']) ?? 'charge_automatically',
    daysUntilDue: params.integer('days_until_due') ?? null,
    method,
    payment: params.oneOf('payment_behavior', paymentBehaviors) ?? 'allow_incomplete',
    offSession: params.flag('off_session') ?? false,
    savesMethod: savesMethod(params),
    taxRates: params.texts('default_tax_rates') ?? [],
    discounts: redemptionsIn(tx, params, { customer: customer.id, currency: items[0]?.price?.currency ?? null }) ?? [],
    session: null,
    reportedUnpaid: false,
    billingMode: params.child('billing_mode')?.oneOf('type', ['classic', 'flexible']) ?? 'flexible',
  });
  tx.arrangeEvents(subscriptionOrder);
  return subscription;
}

function withCancellation(tx: Tx, subscription: Subscription, params: Params): Subscription {
  const atPeriodEnd = params.flag('cancel_at_period_end') ?? subscription.cancel_at_period_end;
  const word = params.emptyable('cancel_at');
  const at =
    word === 'min_period_end' || word === 'max_period_end'
      ? periodOf(subscription).end
      : params.emptyableInteger('cancel_at');
  if (typeof at === 'number' && at <= tx.now) throw invalid('`cancel_at` must be in the future.', 'cancel_at');
  const kept = subscription.cancel_at_period_end ? null : subscription.cancel_at;
  const cancelAt = atPeriodEnd ? periodOf(subscription).end : at === undefined ? kept : at;
  const planned = cancelAt !== null;
  const was = subscription.cancel_at_period_end || subscription.cancel_at !== null;
  const details = params.child('cancellation_details');
  const reason = planned ? ('cancellation_requested' as const) : null;
  return {
    ...subscription,
    cancel_at: cancelAt,
    cancel_at_period_end: atPeriodEnd,
    canceled_at: planned ? (was ? subscription.canceled_at : tx.now) : null,
    cancellation_details: {
      comment: details?.emptyable('comment') ?? subscription.cancellation_details?.comment ?? null,
      feedback: details?.text('feedback') ?? subscription.cancellation_details?.feedback ?? null,
      feedback_option: null,
      reason,
    },
  };
}

function withPauseCollection(tx: Tx, subscription: Subscription, params: Params): Subscription {
  if (!params.has('pause_collection')) return subscription;
  const pause = params.child('pause_collection');
  if (pause === undefined) return { ...subscription, pause_collection: null };
  const behavior =
    pause.oneOf('behavior', ['keep_as_draft', 'mark_uncollectible', 'void']) ?? pause.required('behavior');
  const resumesAt = pause.integer('resumes_at') ?? null;
  if (resumesAt !== null) tx.schedule(resumesAt, { task: 'resume_collection', id: subscription.id });
  return { ...subscription, pause_collection: { behavior, resumes_at: resumesAt } };
}

function withSimpleFields(tx: Tx, subscription: Subscription, params: Params): Subscription {
  const method = usableMethod(tx, params.text('default_payment_method'), subscription.customer);
  const description = params.emptyable('description');
  const collection =
    params.oneOf('collection_method', ['charge_automatically', 'send_invoice']) ?? subscription.collection_method;
  const missing = trialSettingsOf(params);
  const rates = params.texts('default_tax_rates');
  return {
    ...subscription,
    collection_method: collection,
    days_until_due: params.integer('days_until_due') ?? subscription.days_until_due,
    default_payment_method: method?.id ?? subscription.default_payment_method,
    default_tax_rates:
      rates?.map((rate) => tx.need('tax_rate', rate, 'default_tax_rates')) ?? subscription.default_tax_rates ?? [],
    description: description === undefined ? subscription.description : description,
    metadata: params.metadata(subscription.metadata),
    trial_settings:
      missing === null
        ? subscription.trial_settings
        : { end_behavior: { billing_cycle_anchor: null, missing_payment_method: missing } },
    sandbox: { ...subscription.sandbox, taxRates: rates ?? subscription.sandbox.taxRates },
  };
}

/** A subscription that has ended takes no change but of its metadata and of why it ended. */
function updateEnded(tx: Tx, before: Subscription, params: Params): Subscription {
  if (params.keys().some((key) => key !== 'metadata' && key !== 'cancellation_details'))
    throw invalid('A canceled subscription can only update its cancellation_details and metadata.');
  const details = params.child('cancellation_details');
  const old = before.cancellation_details;
  const comment = details?.emptyable('comment');
  const feedback = details?.emptyable('feedback');
  const changed: Subscription = {
    ...before,
    metadata: params.metadata(before.metadata),
    cancellation_details: {
      comment: comment === undefined ? (old?.comment ?? null) : comment,
      feedback: feedback === undefined ? (old?.feedback ?? null) : feedback,
      feedback_option: null,
      reason: old?.reason ?? null,
    },
  };
  return tx.update('subscription', changed, 'customer.subscription.updated');
}

function update(tx: Tx, id: string, params: Params): Subscription {
  const before = tx.need('subscription', id);
  if (['canceled', 'incomplete_expired'].includes(before.status)) return updateEnded(tx, before, params);
  params.accept(...looks, 'off_session', 'payment_settings');
  const simple = withPauseCollection(tx, withSimpleFields(tx, before, params), params);
  const { customer, currency } = before;
  const priced = replaceDiscounts(tx, simple, redemptionsIn(tx, params, { customer, currency }));
  tx.put('subscription', id, priced);
  for (const added of addedItems(tx, params)) addToNextInvoice(tx, priced, added);
  const change = itemChange(tx, params);
  const changed = moveTrial(tx, change === null ? priced : changeItems(tx, priced, change), params);
  const done = withCancellation(tx, changed, params);
  tx.put('subscription', id, before);
  if (done.sandbox !== before.sandbox || done !== before)
    tx.update('subscription', done, 'customer.subscription.updated');
  arrangeChange(tx);
  if (params.has('trial_end')) afterTrialMove(tx, done);
  else if (done.cancel_at !== before.cancel_at && done.cancel_at !== null)
    tx.schedule(done.cancel_at, { task: 'cancel_subscription', id });
  return tx.need('subscription', id);
}

/** The timers of a trial that was moved; one that ended without a payment method is ended as its settings say. */
function afterTrialMove(tx: Tx, subscription: Subscription): void {
  if (subscription.status === 'trialing' && subscription.trial_end !== null && subscription.trial_end <= tx.now)
    renew(tx, subscription.id);
  else setTimers(tx, subscription);
  if (subscription.trial_end !== null && subscription.trial_end - 3 * DAY <= tx.now)
    tx.emit('customer.subscription.trial_will_end', subscription);
}

function cancel(tx: Tx, id: string, params: Params): Subscription {
  const subscription = tx.need('subscription', id);
  const [invoiceNow, prorate] = [params.flag('invoice_now') ?? false, params.flag('prorate') ?? false];
  const details = params.child('cancellation_details');
  if (['canceled', 'incomplete_expired'].includes(subscription.status)) throw missing('subscription', id);
  if (prorate) creditUnused(tx, subscription);
  const ended = endSubscription(tx, subscription, {
    reason: 'cancellation_requested',
    comment: details?.emptyable('comment') ?? null,
    feedback: details?.text('feedback') ?? null,
  });
  if (!invoiceNow) return ended;
  const customer = tx.need('customer', subscription.customer);
  const period = periodOf(subscription);
  const draft = draftInvoice(tx, {
    customer,
    currency: subscription.currency,
    reason: 'subscription_update',
    subscription: ended,
  });
  const used = periodLines(tx, draft.id, subscription, period, { start: period.start, end: tx.now }).filter(
    (line) => line.sandbox.price?.recurring?.usage_type === 'metered',
  );
  const lines = [...takePendingItems(tx, draft, id), ...used];
  if (lines.length === 0) return ended;
  const open = finalize(tx, createDraft(tx, draft, lines, subscription.sandbox.taxRates));
  if (open.status === 'open') collect(tx, open, null, true);
  return tx.update('subscription', { ...ended, latest_invoice: open.id }, null);
}

export const subscriptionRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/subscriptions', run: ({ tx, params }) => create(tx, params) },
  retrieving('subscription', '/v1/subscriptions'),
  { method: 'POST', path: '/v1/subscriptions/:id', run: ({ tx, id, params }) => update(tx, id, params) },
  { method: 'DELETE', path: '/v1/subscriptions/:id', run: ({ tx, id, params }) => cancel(tx, id, params) },
  { method: 'POST', path: '/v1/subscriptions/:id/pause', run: ({ tx, id, params }) => pause(tx, id, params) },
  { method: 'POST', path: '/v1/subscriptions/:id/resume', run: ({ tx, id, params }) => resume(tx, id, params) },
  listing('subscription', '/v1/subscriptions', (params) => {
    const [status, customer, price] = [params.text('status'), params.text('customer'), params.text('price')];
    const clock = params.text('test_clock') ?? null;
    return (subscription) =>
      (customer !== undefined || subscription.test_clock === clock) &&
      (status === 'all' ||
        (status === undefined
          ? !['canceled', 'incomplete_expired'].includes(subscription.status)
          : matchesStatus(subscription, status))) &&
      matching(customer, (value) => subscription.customer === value) &&
      matching(price, (value) => subscription.items.data.some((item) => item.price.id === value));
  }),
];

const matchesStatus = (subscription: Subscription, status: string): boolean =>
  status === 'ended'
    ? ['canceled', 'incomplete_expired'].includes(subscription.status)
    : subscription.status === status;
