import type Stripe from 'stripe';
import type { Subscription } from '../../core/model.js';
import type { Tx } from '../../core/tx.js';
import { createDraft, draftInvoice, finalizeLater, takePendingItems } from '../invoices/building.js';
import type { Span } from '../invoices/lines.js';
import { subscriptionOf } from '../invoices/payment.js';
import { isMetered, periodLines, periodOf } from './items.js';

export type Ending = {
  readonly reason: NonNullable<Stripe.Subscription.CancellationDetails['reason']>;
  readonly comment?: string | null;
  readonly feedback?: Stripe.Subscription.CancellationDetails['feedback'];
};

/** Ends a subscription now: `customer.subscription.deleted`. Its drafts stop advancing and its schedule ends with it. */
export function endSubscription(tx: Tx, subscription: Subscription, ending: Ending): Subscription {
  const ended: Subscription = {
    ...subscription,
    cancel_at_period_end: false,
    canceled_at: subscription.canceled_at ?? tx.now,
    cancellation_details: {
      comment: ending.comment ?? null,
      feedback: ending.feedback ?? null,
      feedback_option: null,
      reason: ending.reason,
    },
    ended_at: tx.now,
    pending_update: null,
    schedule: null,
    status: 'canceled',
  };
  tx.put('subscription', ended.id, ended);
  tx.emit('customer.subscription.deleted', ended);
  for (const invoice of tx.ownedBy('invoice', subscription.customer)) {
    if (subscriptionOf(invoice) === subscription.id && invoice.status === 'draft') {
      tx.put('invoice', invoice.id, { ...invoice, auto_advance: false, automatically_finalizes_at: null });
    }
  }
  const schedule = subscription.schedule === null ? null : tx.get('subscription_schedule', subscription.schedule);
  if (schedule !== null && ['active', 'not_started'].includes(schedule.status)) {
    tx.update(
      'subscription_schedule',
      { ...schedule, status: 'canceled', canceled_at: tx.now, current_phase: null },
      ending.reason === 'payment_failed' ? 'subscription_schedule.aborted' : 'subscription_schedule.canceled',
    );
  }
  return ended;
}

const isOver = (subscription: Subscription): boolean =>
  subscription.status === 'canceled' || subscription.status === 'incomplete_expired';

const detailsOf = (subscription: Subscription): Pick<Ending, 'comment' | 'feedback'> => ({
  comment: subscription.cancellation_details?.comment ?? null,
  feedback: subscription.cancellation_details?.feedback ?? null,
});

/** What is still to be billed of a subscription that has ended: its use of the last period and its items that wait. */
function billTheRest(tx: Tx, ended: Subscription, used: Span): void {
  const waiting = tx
    .ownedBy('invoiceitem', ended.customer)
    .some((item) => item.invoice === null && item.parent?.subscription_details?.subscription === ended.id);
  const customer = tx.need('customer', ended.customer);
  const draft = draftInvoice(tx, {
    customer,
    currency: ended.currency,
    reason: 'subscription_cycle',
    subscription: ended,
    period: used,
  });
  const usage = periodLines(tx, draft.id, ended, periodOf(ended), used).filter(
    (line) => line.sandbox.price !== null && isMetered(line.sandbox.price) && line.quantity !== 0,
  );
  if (!waiting && usage.length === 0) return;
  const lines = [...takePendingItems(tx, draft, ended.id), ...usage];
  const invoice = finalizeLater(tx, createDraft(tx, draft, lines, ended.sandbox.taxRates));
  tx.put('subscription', ended.id, { ...ended, latest_invoice: invoice.id });
}

/** A cancellation that was planned: the end, and a last invoice for what was used or waits for one. */
export function endAsPlanned(tx: Tx, subscription: Subscription): void {
  const { start } = periodOf(subscription);
  const ended = endSubscription(tx, subscription, {
    reason: 'cancellation_requested',
    ...detailsOf(subscription),
  });
  billTheRest(tx, ended, { start, end: tx.now });
}

/** `cancel_at` has come, or the customer was deleted. */
export function cancelDue(tx: Tx, id: string): void {
  const subscription = tx.get('subscription', id);
  if (subscription === null || isOver(subscription)) return;
  if (tx.need('customer', subscription.customer).sandbox.deleted)
    endSubscription(tx, subscription, { reason: 'cancellation_requested', ...detailsOf(subscription) });
  else if (subscription.cancel_at !== null && subscription.cancel_at <= tx.now) endAsPlanned(tx, subscription);
}
