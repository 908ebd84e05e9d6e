import { invalid } from '../../core/api/errors.js';
import type { Subscription } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { boundary } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';
import { billedBy, createDraft, draftInvoice, takePendingItems } from '../invoices/building.js';
import { collect, finalize } from '../invoices/payment.js';
import { anchorsNow, creditUnused } from './change.js';
import { commonCycle, inPeriod, periodLines, periodOf } from './items.js';
import { pausedBecause, setTimers } from './life.js';

/** Pauses a subscription by request: nothing is billed until it is resumed. */
export function pause(tx: Tx, id: string, params: Params): Subscription {
  const subscription = tx.need('subscription', id);
  const billFor = params.child('bill_for');
  const unused = billFor?.child('unused_time_from')?.oneOf('type', ['item_current_period_start', 'none', 'now']);
  billFor?.accept('outstanding_usage_through');
  params.accept('invoicing_behavior', 'type');
  if (!['active', 'trialing', 'past_due'].includes(subscription.status)) {
    throw invalid(
      `A subscription with status ${subscription.status} cannot be paused.`,
      undefined,
      'subscription_not_pausable',
    );
  }
  if (unused === 'now') creditUnused(tx, subscription);
  const paused: Subscription = {
    ...subscription,
    status: 'paused',
    status_details: pausedBecause(tx, 'pause_requested'),
  };
  tx.put('subscription', id, paused);
  tx.emit('customer.subscription.updated', paused, subscription);
  tx.emit('customer.subscription.paused', paused);
  return paused;
}

/** Ends a pause: a new period from now (or the old anchor), billed at once; active when that is paid. */
export function resume(tx: Tx, id: string, params: Params): Subscription {
  const subscription = tx.need('subscription', id);
  const unchanged = params.has('billing_cycle_anchor') && !anchorsNow(params);
  params.accept('proration_behavior', 'proration_date', 'payment_behavior');
  if (subscription.status !== 'paused')
    throw invalid('Only a paused subscription can be resumed.', undefined, 'subscription_not_paused');
  const kept = periodOf(subscription);
  const { status_details: _ended, ...rest } = subscription;
  if (unchanged && kept.end > tx.now) {
    const resumed: Subscription = { ...rest, status: 'active' };
    tx.put('subscription', id, resumed);
    tx.emit('customer.subscription.updated', resumed, subscription);
    tx.emit('customer.subscription.resumed', resumed);
    return resumed;
  }
  const period = { start: tx.now, end: boundary(tx.now, commonCycle(subscription.items.data), 1) };
  const moved = inPeriod(
    { ...subscription, billing_cycle_anchor: tx.now, sandbox: { ...subscription.sandbox, renewedAt: null } },
    period,
  );
  const customer = tx.need('customer', subscription.customer);
  const draft = draftInvoice(tx, {
    customer,
    currency: subscription.currency,
    reason: 'subscription_update',
    subscription: moved,
  });
  const invoice = createDraft(
    tx,
    draft,
    [...takePendingItems(tx, draft, id), ...periodLines(tx, draft.id, moved, period, null)],
    moved.sandbox.taxRates,
  );
  const waiting = billedBy(tx, moved, invoice);
  tx.put('subscription', id, waiting);
  const open = finalize(tx, invoice);
  if (open.status === 'open') collect(tx, open, null, false);
  setTimers(tx, waiting);
  // Paid, it is reported as active; until then that it waits for its new period's invoice.
  if (tx.need('invoice', open.id).status !== 'paid') tx.emit('customer.subscription.updated', waiting, subscription);
  return waiting;
}
