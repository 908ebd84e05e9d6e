import { ApiError } from '../../core/api/errors.js';
import type { Discount, EventType, Invoice, InvoiceItem, Subscription, SubscriptionItem } from '../../core/model.js';
import { share } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import { boundary } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';
import { creditedItems, creditsUncharged } from '../credit-notes/credited-items.js';
import { discountsAt, takeOff } from '../catalog/discounts.js';
import { billedBy, createDraft, draftInvoice, takePendingItems } from '../invoices/building.js';
import { newInvoiceItem, type Span } from '../invoices/lines.js';
import { collect, finalize, type PaidHow } from '../invoices/payment.js';
import { declinedError } from '../payments/payments.js';
import type { PaymentBehavior } from './create.js';
import {
  changedItems,
  commonCycle,
  cycleOf,
  inPeriod,
  isMetered,
  periodLines,
  periodOf,
  sameCycle,
  wantedItems,
  withItems,
  type WantedItem,
} from './items.js';
import { incompleteFor, setTimers } from './life.js';
import { priceAmount } from '../catalog/tiers.js';

export type Proration = 'create_prorations' | 'always_invoice' | 'none';

export type ItemChange = {
  readonly wanted: readonly WantedItem[];
  readonly proration: Proration;
  readonly prorationDate: number;
  /** Starts a new period now, and bills it. */
  readonly anchorNow: boolean;
  readonly payment: PaymentBehavior;
};

const billed = (item: SubscriptionItem): number =>
  isMetered(item.price) ? 0 : priceAmount(item.price, item.quantity ?? 1);

const differs = (a: SubscriptionItem, b: SubscriptionItem): boolean =>
  a.price.id !== b.price.id || a.quantity !== b.quantity;

type Part = {
  readonly item: SubscriptionItem;
  readonly amount: number;
  readonly text: string;
  readonly period: Span;
  readonly credited?: InvoiceItem['sandbox']['credited'];
};

/** What each item costs for a whole period under these discounts: a proration is of what is left, and takes no discount itself. */
function netOf(subscription: Subscription, discounts: readonly Discount[]): ReadonlyMap<string, number> {
  const items = subscription.items.data;
  const parts = items.map((item) => ({ amount: billed(item), product: item.price.product, discountable: true }));
  const taken = takeOff(parts, discounts, subscription.currency);
  return new Map(
    items.map((item, index) => [
      item.id,
      (taken[index] ?? []).reduce((left, { amount }) => left - amount, billed(item)),
    ]),
  );
}

/** What is off from now on, for whom a change is billed later. */
const billedAnew = (tx: Tx, subscription: Subscription): Subscription => ({
  ...subscription,
  sandbox: { ...subscription.sandbox, billedWith: presentDiscounts(tx, subscription) },
});

const presentDiscounts = (tx: Tx, subscription: Subscription): readonly Discount[] =>
  discountsAt(tx.need('customer', subscription.customer), subscription, tx.now);

function prorate(tx: Tx, subscription: Subscription, part: Part): InvoiceItem {
  const { item, amount, period } = part;
  const name = tx.get('product', item.price.product)?.name ?? item.price.product;
  return newInvoiceItem(tx, {
    customer: subscription.customer,
    amount,
    currency: subscription.currency,
    description: `${part.text} ${item.quantity ?? 1} × ${name} after ${new Date(period.start * 1000).toISOString().slice(0, 10)}`,
    period,
    quantity: item.quantity ?? 1,
    price: item.price,
    metadata: subscription.metadata,
    subscription: subscription.id,
    subscriptionItem: item.id,
    proration: true,
    credited: part.credited ?? null,
  });
}

/** Credits for what the old items will not use, and charges for what the new ones will, until the period's end. */
function makeProrations(tx: Tx, before: Subscription, after: Subscription, at: number, chargesNew: boolean): void {
  const old = periodOf(before);
  const rest: Span = { start: at, end: old.end };
  const length = old.end - old.start;
  const oldNet = netOf(before, before.sandbox.billedWith ?? []);
  const newNet = netOf(after, presentDiscounts(tx, after));
  const newById = new Map(after.items.data.map((item) => [item.id, item]));
  const oldById = new Map(before.items.data.map((item) => [item.id, item]));
  for (const item of before.items.data) {
    const next = newById.get(item.id);
    const stays = next !== undefined && !differs(item, next) && chargesNew;
    if (stays || billed(item) === 0) continue;
    const credited = creditedItems(tx, before, item);
    if (credited === null && !creditsUncharged(tx, before, item)) continue;
    prorate(tx, before, {
      item,
      amount: 0 - share(oldNet.get(item.id) ?? 0, rest.end - rest.start, length),
      credited,
      text: 'Unused time on',
      period: rest,
    });
  }
  if (!chargesNew) return;
  for (const item of after.items.data) {
    const previous = oldById.get(item.id);
    if ((previous !== undefined && !differs(previous, item)) || billed(item) === 0) continue;
    prorate(tx, after, {
      item,
      amount: share(newNet.get(item.id) ?? 0, rest.end - rest.start, length),
      text: 'Remaining time on',
      period: rest,
    });
  }
}

type Plan = {
  readonly after: Subscription;
  readonly newPeriod: boolean;
  readonly prorates: boolean;
  readonly invoices: boolean;
};

/** What a change of items means: the subscription after it, and whether it opens a period, prorates, and bills at once. */
function planChange(tx: Tx, before: Subscription, change: ItemChange): Plan {
  const old = periodOf(before);
  const items = changedItems(tx, before, change.wanted, old);
  const cycle = commonCycle(items);
  const first = before.items.data[0];
  const trialing = before.status === 'trialing';
  const newPeriod = !trialing && (change.anchorNow || (first !== undefined && !sameCycle(cycle, cycleOf(first.price))));
  const kept = withItems(before, items);
  const after = newPeriod
    ? inPeriod({ ...kept, billing_cycle_anchor: tx.now }, { start: tx.now, end: boundary(tx.now, cycle, 1) })
    : kept;
  const changes =
    items.length !== before.items.data.length ||
    items.some((item) => !before.items.data.some((known) => known.id === item.id && !differs(known, item)));
  const prorates = !trialing && change.proration !== 'none' && (changes || newPeriod);
  return { after, newPeriod, prorates, invoices: newPeriod || (prorates && change.proration === 'always_invoice') };
}

function updateInvoice(tx: Tx, plan: Plan, change: ItemChange): Invoice {
  const { after } = plan;
  const customer = tx.need('customer', after.customer);
  const draft = draftInvoice(tx, {
    customer,
    currency: after.currency,
    reason: 'subscription_update',
    subscription: after,
    ...(plan.prorates ? { prorationDate: change.prorationDate } : {}),
  });
  const lines = [
    ...takePendingItems(tx, draft, after.id),
    ...(plan.newPeriod ? periodLines(tx, draft.id, after, periodOf(after), null) : []),
  ];
  return createDraft(tx, draft, lines, after.sandbox.taxRates);
}

function payUpdate(tx: Tx, open: Invoice, change: ItemChange): PaidHow | null {
  if (open.status !== 'open' || open.collection_method === 'send_invoice') return null;
  if (change.payment === 'default_incomplete') return { outcome: 'requires_action', failure: null };
  return collect(tx, open, null, false);
}

function refusal(tx: Tx, open: Invoice, paid: PaidHow): ApiError {
  const intent = open.sandbox.paymentIntent === null ? null : tx.get('payment_intent', open.sandbox.paymentIntent);
  if (intent !== null && paid.failure !== null) {
    const { status, body } = declinedError(intent, paid.failure);
    return new ApiError(status, body);
  }
  return new ApiError(402, {
    type: 'card_error',
    code: 'subscription_payment_intent_requires_action',
    message: 'Payment for this subscription requires additional user action before it can be completed successfully.',
  });
}

/** As logs of a change that is invoiced at once had it: the items of the proration came last. */
const invoicedOrder: readonly EventType[] = [
  'customer.updated',
  'charge.succeeded',
  'payment_intent.created',
  'payment_intent.succeeded',
  'invoice.created',
  'invoice.finalized',
  'invoice.paid',
  'invoice.payment_succeeded',
  'invoice_payment.paid',
  'customer.subscription.updated',
  'invoiceitem.created',
];

/** Puts the events of a change in the order that was seen, where it had an invoice of its own. */
export function arrangeChange(tx: Tx): void {
  if (tx.events.some(({ type }) => type === 'invoice.paid')) tx.arrangeEvents(invoicedOrder);
}

/**
 * Changes a subscription's items with the money that follows: prorations on the next invoice or on one of their own, and a
 * full new period when the interval or the anchor changes. `pending_if_incomplete` holds the change until it is paid.
 * Does not tell `customer.subscription.updated`; the caller does, after its other changes.
 */
export function changeItems(tx: Tx, before: Subscription, change: ItemChange): Subscription {
  const plan = planChange(tx, before, change);
  tx.put('subscription', before.id, plan.after);
  if (plan.prorates)
    makeProrations(tx, before, plan.after, plan.newPeriod ? tx.now : change.prorationDate, !plan.newPeriod);
  if (!plan.invoices) return plan.prorates ? billedAnew(tx, plan.after) : plan.after;
  const open = finalize(tx, updateInvoice(tx, plan, change));
  const after = billedBy(tx, plan.after, open);
  tx.put('subscription', before.id, after);
  if (change.payment === 'pending_if_incomplete') {
    tx.put('subscription', before.id, { ...after, sandbox: { ...after.sandbox, pendingInvoice: open.id } });
  }
  const paid = payUpdate(tx, open, change);
  const complete = paid === null || ['succeeded', 'processing', 'nothing_due'].includes(paid.outcome);
  if (!complete && change.payment === 'error_if_incomplete') throw refusal(tx, open, paid);
  if (!complete && change.payment === 'pending_if_incomplete') return holdUpdate(tx, before, after, open);
  const status = !complete && after.status === 'active' ? 'past_due' : after.status;
  const changed: Subscription = { ...after, status };
  tx.put('subscription', before.id, changed);
  if (plan.newPeriod) setTimers(tx, changed);
  return changed;
}

function holdUpdate(tx: Tx, before: Subscription, after: Subscription, open: Invoice): Subscription {
  const held: Subscription = {
    ...before,
    pending_update: {
      billing_cycle_anchor: after.billing_cycle_anchor,
      cancel_at_period_end: null,
      discount: null,
      discounts: null,
      expires_at: tx.now + incompleteFor,
      metadata: null,
      subscription_items: after.items.data,
      trial_end: null,
      trial_from_plan: null,
    },
    sandbox: { ...before.sandbox, pendingInvoice: open.id },
  };
  tx.put('subscription', before.id, held);
  tx.schedule(tx.now + incompleteFor, { task: 'expire_pending_update', id: before.id });
  return held;
}

/** Credits the unused rest of the period when a subscription ends early with `prorate`. */
export function creditUnused(tx: Tx, subscription: Subscription): void {
  makeProrations(tx, subscription, withItems(subscription, []), tx.now, false);
}

const prorations = ['create_prorations', 'always_invoice', 'none'] as const;
const paymentBehaviors = [
  'allow_incomplete',
  'default_incomplete',
  'error_if_incomplete',
  'pending_if_incomplete',
] as const;

/** How a change is to be billed, by the parameters that every request for one takes. */
export function paymentOf(tx: Tx, params: Params): Pick<ItemChange, 'proration' | 'prorationDate' | 'payment'> {
  return {
    proration: params.oneOf('proration_behavior', prorations) ?? 'create_prorations',
    prorationDate: params.integer('proration_date') ?? tx.now,
    payment: params.oneOf('payment_behavior', paymentBehaviors) ?? 'allow_incomplete',
  };
}

/** Reads the change of items that a request asks for; null when it asks for none. */
export function itemChange(tx: Tx, params: Params): ItemChange | null {
  const wanted = wantedItems(tx, params) ?? [];
  const anchorNow = anchorsNow(params);
  const change: ItemChange = { wanted, anchorNow, ...paymentOf(tx, params) };
  return wanted.length > 0 || anchorNow ? change : null;
}

/** `billing_cycle_anchor` is an object since endive; the older plain word means the same. */
export function anchorsNow(params: Params): boolean {
  if (!params.has('billing_cycle_anchor')) return false;
  try {
    return params.child('billing_cycle_anchor')?.oneOf('type', ['now', 'unchanged']) === 'now';
  } catch {
    return params.oneOf('billing_cycle_anchor', ['now', 'unchanged']) === 'now';
  }
}
