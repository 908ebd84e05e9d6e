import { invalid } from '../../core/api/errors.js';
import type { Subscription } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import type { Tx } from '../../core/tx.js';
import { billedBy, createDraft, draftInvoice, takePendingItems } from '../invoices/building.js';
import { finalize } from '../invoices/payment.js';
import { changeItems, creditUnused, paymentOf } from './change.js';
import { inPeriod, periodOf, trialLines } from './items.js';
import { endsWithInvoice } from './life.js';

type Billing = ReturnType<typeof paymentOf>;

/** `trial_end` of an update: a time, the present for `now`; null when it is not asked for. */
function wantedEnd(tx: Tx, params: Params): number | null {
  if (!params.has('trial_end')) return null;
  if (params.text('trial_end') === 'now') return tx.now;
  const end = params.integer('trial_end') ?? tx.now;
  if (end < tx.now) throw invalid('Invalid timestamp: must be an integer Unix timestamp in the future.', 'trial_end');
  return end;
}

/** The subscription with a trial until `end`, which is also where its next period begins. */
function trialUntil(tx: Tx, subscription: Subscription, end: number): Subscription {
  const isTrialing = subscription.status === 'trialing';
  const start = isTrialing ? periodOf(subscription).start : tx.now;
  return inPeriod(
    {
      ...subscription,
      billing_cycle_anchor: end,
      status: 'trialing',
      trial_end: end,
      trial_start: isTrialing ? subscription.trial_start : tx.now,
    },
    { start, end },
  );
}

/** A trial for who pays already: what is left of the paid period is credited, and an invoice says that the trial costs nothing. */
function beginTrial(tx: Tx, before: Subscription, end: number, how: Billing): Subscription {
  if (how.proration !== 'none') creditUnused(tx, before);
  const trial = trialUntil(tx, before, end);
  tx.put('subscription', trial.id, trial);
  const draft = draftInvoice(tx, {
    customer: tx.need('customer', trial.customer),
    currency: trial.currency,
    reason: 'subscription_update',
    subscription: trial,
    ...(how.proration === 'none' ? {} : { prorationDate: tx.now }),
  });
  const lines = [...takePendingItems(tx, draft, trial.id), ...trialLines(tx, draft.id, trial, periodOf(trial))];
  const billed = billedBy(tx, trial, finalize(tx, createDraft(tx, draft, lines, trial.sandbox.taxRates)));
  tx.put('subscription', billed.id, billed);
  return billed;
}

/** What a trial that has run to its end is: the last moment of it, which the renewal finds due. */
const trialOver = (tx: Tx, subscription: Subscription): Subscription =>
  inPeriod(
    { ...subscription, billing_cycle_anchor: tx.now, trial_end: tx.now },
    { start: periodOf(subscription).start, end: tx.now },
  );

/**
 * Moves, begins or ends a trial as `trial_end` asks. One that ends now is billed and collected at once, with the behaviour that
 * the request names; without a payment method it is left due, for the renewal to cancel or pause it by `trial_settings`.
 */
export function moveTrial(tx: Tx, subscription: Subscription, params: Params): Subscription {
  const end = wantedEnd(tx, params);
  if (end === null) return subscription;
  const how = paymentOf(tx, params);
  const isTrialing = subscription.status === 'trialing';
  if (end > tx.now) return isTrialing ? trialUntil(tx, subscription, end) : beginTrial(tx, subscription, end, how);
  if (!isTrialing) return subscription;
  const over = trialOver(tx, subscription);
  if (!endsWithInvoice(tx, subscription)) return over;
  return changeItems(
    tx,
    { ...over, status: 'active' },
    { ...how, wanted: [], proration: 'none', prorationDate: tx.now, anchorNow: true },
  );
}
