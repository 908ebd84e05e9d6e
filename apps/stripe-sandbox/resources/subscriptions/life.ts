import type Stripe from 'stripe';
import type { Invoice, Subscription } from '../../core/model.js';
import { itemLine, type Span } from '../invoices/lines.js';
import { DAY, HOUR, boundary } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';
import {
  billedBy,
  createDraft,
  draftInvoice,
  finalizeLater,
  pendingItems,
  takePendingItems,
  withLines,
} from '../invoices/building.js';
import { discountsAt } from '../catalog/discounts.js';
import { endAsPlanned, endSubscription } from './end.js';
import { markUncollectible, subscriptionOf, voidInvoice } from '../invoices/payment.js';
import { commonCycle, inPeriod, periodLines, periodOf } from './items.js';

export const incompleteFor = 23 * HOUR;

const living: readonly string[] = ['active', 'trialing', 'past_due', 'unpaid'];
/** The next period after one that ends at `from`. */
function nextPeriod(subscription: Subscription, from: number): Span {
  const cycle = commonCycle(subscription.items.data);
  let n = 1;
  while (boundary(subscription.billing_cycle_anchor, cycle, n) <= from) n += 1;
  return { start: from, end: boundary(subscription.billing_cycle_anchor, cycle, n) };
}

/** Sets the timers that a subscription's present period, trial and planned end ask for. */
export function setTimers(tx: Tx, subscription: Subscription): void {
  const { end } = periodOf(subscription);
  const { id } = subscription;
  tx.schedule(end, { task: 'renew', id });
  const upcoming = end - tx.settings.upcomingDays * DAY;
  if (upcoming > tx.now) tx.schedule(upcoming, { task: 'announce_renewal', id });
  if (subscription.status === 'trialing' && subscription.trial_end !== null) {
    tx.schedule(subscription.trial_end - 3 * DAY, { task: 'announce_trial_end', id });
  }
  if (subscription.cancel_at !== null) tx.schedule(subscription.cancel_at, { task: 'cancel_subscription', id });
}

/** The draft that bills the coming period (and the use of the one that ended). */
function cycleInvoice(tx: Tx, subscription: Subscription, old: Span, autoAdvance: boolean): Invoice {
  const customer = tx.need('customer', subscription.customer);
  const draft = draftInvoice(tx, {
    customer,
    currency: subscription.currency,
    reason: 'subscription_cycle',
    subscription,
    period: old,
    autoAdvance,
  });
  const lines = [
    ...takePendingItems(tx, draft, subscription.id),
    ...periodLines(tx, draft.id, subscription, periodOf(subscription), old),
  ];
  const invoice = createDraft(tx, draft, lines, subscription.sandbox.taxRates);
  return autoAdvance ? finalizeLater(tx, invoice) : invoice;
}

/** True when a trial that ends now is billed; false when nobody left a payment method and `trial_settings` say otherwise. */
export const endsWithInvoice = (tx: Tx, subscription: Subscription): boolean =>
  (subscription.trial_settings?.end_behavior.missing_payment_method ?? 'create_invoice') === 'create_invoice' ||
  subscription.default_payment_method !== null ||
  tx.need('customer', subscription.customer).invoice_settings.default_payment_method !== null;

/** The end of a trial when nobody left a payment method, by `trial_settings`. Null: bill as usual. */
function endTrialWithoutMethod(tx: Tx, subscription: Subscription): Subscription | null {
  if (endsWithInvoice(tx, subscription)) return null;
  const wanted = subscription.trial_settings?.end_behavior.missing_payment_method;
  if (wanted === 'cancel') return endSubscription(tx, subscription, { reason: 'cancellation_requested' });
  const paused: Subscription = {
    ...subscription,
    status: 'paused',
    status_details: pausedBecause(tx, 'trial_end_without_payment_method'),
  };
  tx.put('subscription', paused.id, paused);
  tx.emit('customer.subscription.updated', paused, subscription);
  tx.emit('customer.subscription.paused', paused);
  return paused;
}

/** `status_details` of a paused subscription. */
export const pausedBecause = (
  tx: Tx,
  type: 'pause_requested' | 'trial_end_without_payment_method',
): Stripe.Subscription.StatusDetails => ({
  paused: { subscription: { type }, transitioned_at: tx.now, type: 'subscription' },
});

/** A period's end: the trial's end, the planned cancellation, or the next period with its invoice. */
export function renew(tx: Tx, id: string): void {
  const subscription = tx.get('subscription', id);
  if (subscription === null || !living.includes(subscription.status)) return;
  const old = periodOf(subscription);
  if (old.end > tx.now || subscription.sandbox.renewedAt === old.end) return;
  if (subscription.cancel_at_period_end) {
    endAsPlanned(tx, subscription);
    return;
  }
  const trialEnds = subscription.status === 'trialing';
  if (trialEnds && endTrialWithoutMethod(tx, subscription) !== null) return;
  const moved: Subscription = {
    ...inPeriod(subscription, nextPeriod(subscription, old.end)),
    status: trialEnds ? 'active' : subscription.status,
    sandbox: { ...subscription.sandbox, renewedAt: old.end },
  };
  tx.put('subscription', id, moved);
  const drafting = subscription.status === 'unpaid' || subscription.pause_collection?.behavior === 'keep_as_draft';
  const invoice = cycleInvoice(tx, moved, old, !drafting);
  const renewed = billedBy(tx, moved, invoice);
  tx.put('subscription', id, renewed);
  tx.emit('customer.subscription.updated', renewed, subscription);
  setTimers(tx, renewed);
}

/** The invoice that the next renewal would make, without making it. */
export function upcomingInvoice(tx: Tx, subscription: Subscription): Invoice {
  const customer = tx.need('customer', subscription.customer);
  const old = periodOf(subscription);
  const draft = draftInvoice(tx, {
    customer,
    currency: subscription.currency,
    reason: 'upcoming',
    subscription,
    period: old,
    discounts: discountsAt(customer, subscription, old.end),
  });
  const items = pendingItems(tx, draft, subscription.id).map((item) => itemLine(tx, draft.id, item));
  const ends =
    subscription.cancel_at_period_end || (subscription.cancel_at !== null && subscription.cancel_at <= old.end);
  const next = ends ? [] : periodLines(tx, draft.id, subscription, nextPeriod(subscription, old.end), old);
  return {
    ...withLines(
      { ...draft, created: old.end, default_tax_rates: subscription.default_tax_rates ?? [] },
      [...items, ...next],
      customer.balance,
    ),
    next_payment_attempt: old.end + tx.settings.draftSeconds,
  };
}

/** `invoice.upcoming`, some days before a renewal. Its invoice has no id, because it does not exist yet. */
export function announceRenewal(tx: Tx, id: string): void {
  const subscription = tx.get('subscription', id);
  if (
    subscription === null ||
    !['active', 'trialing'].includes(subscription.status) ||
    subscription.cancel_at_period_end
  )
    return;
  if (periodOf(subscription).end - tx.settings.upcomingDays * DAY !== tx.now) return;
  const { id: _none, ...invoice } = upcomingInvoice(tx, subscription);
  tx.emit('invoice.upcoming', invoice as Invoice);
}

export function announceTrialEnd(tx: Tx, id: string): void {
  const subscription = tx.get('subscription', id);
  if (subscription?.status !== 'trialing' || subscription.trial_end === null) return;
  if (subscription.trial_end - 3 * DAY <= tx.now) tx.emit('customer.subscription.trial_will_end', subscription);
}

/** A first payment that nobody completed in time. */
export function expireIncomplete(tx: Tx, id: string): void {
  const subscription = tx.get('subscription', id);
  if (subscription?.status !== 'incomplete') return;
  const invoice = subscription.latest_invoice === null ? null : tx.get('invoice', subscription.latest_invoice);
  if (invoice?.status === 'open') voidInvoice(tx, invoice);
  const expired: Subscription = { ...subscription, status: 'incomplete_expired', ended_at: tx.now };
  tx.update('subscription', expired, 'customer.subscription.updated');
}

export function resumeCollection(tx: Tx, id: string): void {
  const subscription = tx.get('subscription', id);
  const resumesAt = subscription?.pause_collection?.resumes_at ?? null;
  if (subscription === null || resumesAt === null || resumesAt > tx.now) return;
  tx.update('subscription', { ...subscription, pause_collection: null }, 'customer.subscription.updated');
}

/** An invoice was paid or written off: the subscription it bills is in order again. */
export function invoiceClosed(tx: Tx, invoiceId: string): void {
  const invoice = tx.get('invoice', invoiceId);
  const id = invoice === null ? null : subscriptionOf(invoice);
  const subscription = id === null ? null : tx.get('subscription', id);
  if (invoice === null || subscription === null) return;
  if (subscription.sandbox.pendingInvoice === invoiceId && invoice.status === 'paid') {
    applyPendingUpdate(tx, subscription);
    return;
  }
  const waits = ['incomplete', 'past_due', 'unpaid'].includes(subscription.status);
  if (waits && subscription.latest_invoice === invoiceId) {
    tx.update('subscription', { ...subscription, status: 'active' }, 'customer.subscription.updated');
  } else if (subscription.status === 'paused' && subscription.latest_invoice === invoiceId) {
    const { status_details: _resumed, ...rest } = subscription;
    const resumed: Subscription = { ...rest, status: 'active' };
    tx.put('subscription', resumed.id, resumed);
    tx.emit('customer.subscription.updated', resumed, subscription);
    tx.emit('customer.subscription.resumed', resumed);
  }
}

/** A payment failed: past due at first; after the last retry what the account's settings say. */
export function invoiceUnpaid(tx: Tx, invoiceId: string): void {
  const invoice = tx.get('invoice', invoiceId);
  const id = invoice === null ? null : subscriptionOf(invoice);
  const subscription = id === null ? null : tx.get('subscription', id);
  if (invoice?.status !== 'open' || subscription === null || invoice.billing_reason === 'subscription_create') return;
  if (subscription.sandbox.pendingInvoice === invoiceId || !living.includes(subscription.status)) return;
  const pastDue: Subscription =
    subscription.status === 'active' || subscription.status === 'trialing'
      ? tx.update('subscription', { ...subscription, status: 'past_due' }, 'customer.subscription.updated')
      : subscription;
  if (invoice.next_payment_attempt !== null || invoice.attempt_count <= tx.settings.dunningDays.length) return;
  if (tx.settings.uncollectibleAfterDunning) markUncollectible(tx, invoice);
  if (tx.settings.afterDunning === 'cancel') endSubscription(tx, pastDue, { reason: 'payment_failed' });
  if (tx.settings.afterDunning === 'unpaid')
    tx.update('subscription', { ...pastDue, status: 'unpaid' }, 'customer.subscription.updated');
}

function applyPendingUpdate(tx: Tx, subscription: Subscription): void {
  const pending = subscription.pending_update;
  if (pending?.subscription_items == null) return;
  const applied: Subscription = {
    ...subscription,
    billing_cycle_anchor: pending.billing_cycle_anchor ?? subscription.billing_cycle_anchor,
    items: { ...subscription.items, data: pending.subscription_items },
    latest_invoice: subscription.sandbox.pendingInvoice ?? subscription.latest_invoice,
    pending_update: null,
    sandbox: { ...subscription.sandbox, pendingInvoice: null },
  };
  tx.put('subscription', applied.id, applied);
  tx.emit('customer.subscription.pending_update_applied', applied, subscription);
  tx.emit('customer.subscription.updated', applied, subscription);
  setTimers(tx, applied);
}

export function expirePendingUpdate(tx: Tx, id: string): void {
  const subscription = tx.get('subscription', id);
  const pending = subscription?.pending_update ?? null;
  if (subscription === null || pending === null || pending.expires_at > tx.now) return;
  const invoice =
    subscription.sandbox.pendingInvoice === null ? null : tx.get('invoice', subscription.sandbox.pendingInvoice);
  if (invoice?.status === 'open') voidInvoice(tx, invoice);
  const kept: Subscription = {
    ...subscription,
    pending_update: null,
    sandbox: { ...subscription.sandbox, pendingInvoice: null },
  };
  tx.put('subscription', id, kept);
  tx.emit('customer.subscription.pending_update_expired', kept, subscription);
}
