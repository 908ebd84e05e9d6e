import type { Books, DuePayment } from '../books/books.js';
import { textOf } from '../books/calendar.js';
import { planOf } from '../books/subscription-books.js';
import type { Life } from '../story/life.js';
import type { Market } from '../story/market.js';
import type { LedgerView, Row } from './ledger-view.js';

type RecordSeen = {
  readonly type: string | null;
  readonly status: string;
  readonly money: { readonly amount: number; readonly currency: string } | null;
  readonly refunded: number;
};

export function paymentFaults({ payments: due }: Books, { payments }: LedgerView): readonly string[] {
  const rows = new Map(payments.map((row) => [String(row['id']), row]));
  // What only the customer's balance paid left no payment of its own.
  const missing = [...due.values()]
    .filter(({ amount }) => amount > 0)
    .flatMap((payment) => {
      const record = recordIn(rows.get(payment.id));
      const is = record && [record.money?.amount, record.money?.currency, record.refunded, record.status, record.type];
      const be = [payment.amount, payment.currency, payment.taken, statusOf(payment), payment.type];
      return is?.join(' ') === be.join(' ') ? [] : [`payment ${payment.id} is ${String(is)}, not ${String(be)}`];
    });
  const invented = payments
    .filter((row) => row['part_of'] === null && !due.has(String(row['id'])))
    .filter((row) => !['failed', 'pending', 'cancelled'].includes(String(row['status'])))
    .map((row) => `a payment without a reason: ${String(row['record'])}`);
  return [...missing, ...invented];
}

const recordIn = (row: Row | undefined): RecordSeen | null =>
  row === undefined ? null : (JSON.parse(String(row['record'])) as RecordSeen);

function statusOf({ disputed, taken, amount }: DuePayment): string {
  if (disputed) return 'disputed';
  if (taken === 0) return 'succeeded';
  return taken >= amount ? 'refunded' : 'partially_refunded';
}

export function invoiceFaults({ stripe }: Life, { invoices }: LedgerView): readonly string[] {
  const rows = new Map(invoices.map((row) => [String(row['id']), row]));
  return stripe.all('invoice').flatMap((invoice) => {
    const row = rows.get(invoice.id);
    const seen =
      row === undefined ? null : (JSON.parse(String(row['snapshot'])) as { amountPaid: number; total: number });
    const is = `${String(row?.['status'])} ${String(seen?.total)} ${String(seen?.amountPaid)}`;
    const be = `${invoice.status} ${String(invoice.total)} ${String(invoice.amount_paid)}`;
    return is === be ? [] : [`invoice ${invoice.id} is ${is}, not ${be}`];
  });
}

export function subscriptionFaults({ stripe }: Life, market: Market, { subscriptions }: LedgerView): readonly string[] {
  const rows = new Map(subscriptions.map((row) => [String(row['id']), row]));
  return stripe.all('subscription').flatMap((subscription) => {
    const { id, status, items, cancel_at: cancelAt } = subscription;
    const plan = planOf(subscription, market);
    const row = rows.get(id);
    const seen = row === undefined ? null : (JSON.parse(String(row['standing'])) as Row);
    const is = [row?.['status'], row?.['plan_id'], seen?.['interval'], seen?.['quantity'], seen?.['periodEnd']];
    const [item] = items.data;
    const end = item === undefined ? null : textOf(item.current_period_end);
    const be = [status, plan?.offer.planId, plan?.offer.interval, plan?.seats, end];
    const cancels = [seen?.['cancelAt'], cancelAt === null ? null : textOf(cancelAt)].map(String);
    const same = is.join(' ') === be.join(' ') && cancels[0] === cancels[1];
    return same ? [] : [`subscription ${id} is ${String(is)} ${cancels[0]!}, not ${String(be)} ${cancels[1]!}`];
  });
}

/**
 * What a customer may use is what the one subscription that runs gives; nothing is said of several, or of one without payment. An end
 * that was scheduled counts at its time, though Stripe's clock of this customer may not have come so far as the batch's.
 */
export function planFaults({ stripe }: Life, market: Market, { planInForce, asOf }: LedgerView): readonly string[] {
  const isDue = (at: number | null): boolean => at !== null && textOf(at) <= asOf;
  const running = stripe.all('subscription').filter((each) => !ended.has(each.status) && !isDue(each.cancel_at));
  const [one] = running;
  if (one === undefined) {
    const isFree = planInForce === null || market.catalog.plans.some(({ id, free }) => free && id === planInForce);
    return isFree ? [] : [`the plan in force is ${planInForce}, though no subscription runs`];
  }
  if (running.length > 1 || (one.status !== 'active' && one.status !== 'trialing')) return [];
  const plan = planOf(one, market)?.offer.planId;
  return planInForce === plan ? [] : [`the plan in force is ${String(planInForce)}, not ${String(plan)}`];
}

const ended: ReadonlySet<string> = new Set(['canceled', 'incomplete', 'incomplete_expired']);
