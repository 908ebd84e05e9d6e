import type Stripe from 'stripe';
import { ApiError, invalid } from '../../core/api/errors.js';
import type { Customer, EventType, Invoice, InvoiceLine, PaymentMethod, Subscription } from '../../core/model.js';
import { share } from '../../core/money.js';
import { DAY, boundary } from '../../core/period.js';
import type { Tx } from '../../core/tx.js';
import { addToNextInvoice, type AddedItem } from '../invoices/added-items.js';
import { redeem, withDiscounts, type Redemption } from '../catalog/discounts.js';
import { billedBy, createDraft, draftInvoice, finalizeLater, takePendingItems } from '../invoices/building.js';
import { subscriptionLine, type Span } from '../invoices/lines.js';
import { collect, finalize, methodFor, type PaidHow } from '../invoices/payment.js';
import { declinedError } from '../payments/payments.js';
import { commonCycle, isMetered, newItem, periodLines, trialLines, withItems, type WantedItem } from './items.js';
import { incompleteFor, setTimers } from './life.js';
import { priceAmount } from '../catalog/tiers.js';

/** In which order a new subscription's events were seen to arrive. */
export const subscriptionOrder: readonly EventType[] = [
  'charge.succeeded',
  'charge.pending',
  'payment_method.attached',
  'customer.created',
  'customer.updated',
  'checkout.session.completed',
  'customer.subscription.created',
  'payment_intent.created',
  'payment_intent.succeeded',
  'payment_intent.processing',
  'invoice.created',
  'invoice.finalized',
  'invoice.paid',
  'invoice.payment_succeeded',
  'invoice_payment.paid',
];

export type PaymentBehavior =
  'allow_incomplete' | 'default_incomplete' | 'error_if_incomplete' | 'pending_if_incomplete';

export type NewSubscription = {
  readonly customer: Customer;
  readonly items: readonly WantedItem[];
  readonly added: readonly AddedItem[];
  readonly metadata: Record<string, string>;
  readonly description: string | null;
  readonly trialEnd: number | null;
  readonly missingPaymentMethod: 'cancel' | 'create_invoice' | 'pause' | null;
  readonly anchor: number | null;
  readonly proratesFirst: boolean;
  readonly cancelAt: number | null;
  readonly cancelAtPeriodEnd: boolean;
  readonly collection: 'charge_automatically' | 'send_invoice';
  readonly daysUntilDue: number | null;
  readonly method: PaymentMethod | null;
  readonly payment: PaymentBehavior;
  readonly offSession: boolean;
  readonly savesMethod: boolean;
  readonly taxRates: readonly string[];
  readonly discounts: readonly Redemption[];
  readonly session: string | null;
  readonly billingMode: 'classic' | 'flexible';
  /** Whether it is reported before it is paid: as incomplete first, then as active. */
  readonly reportedUnpaid: boolean;
};

/** What a plain new subscription has; a caller names what differs. */
export const plainSubscription = {
  added: [],
  metadata: {},
  description: null,
  trialEnd: null,
  missingPaymentMethod: null,
  anchor: null,
  proratesFirst: true,
  cancelAt: null,
  cancelAtPeriodEnd: false,
  collection: 'charge_automatically',
  daysUntilDue: null,
  reportedUnpaid: false,
  method: null,
  payment: 'allow_incomplete',
  offSession: false,
  savesMethod: false,
  taxRates: [],
  discounts: [],
  session: null,
  billingMode: 'flexible',
} as const satisfies Partial<NewSubscription>;

const paymentSettings = (saves: boolean): Stripe.Subscription.PaymentSettings => ({
  payment_method_options: null,
  payment_method_types: null,
  save_default_payment_method: saves ? 'on_subscription' : 'off',
});

function blank(tx: Tx, given: NewSubscription, currency: string): Subscription {
  const id = tx.newId('subscription');
  const trialing = given.trialEnd !== null;
  return {
    id,
    object: 'subscription',
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: given.trialEnd ?? given.anchor ?? tx.now,
    billing_cycle_anchor_config: null,
    billing_mode: {
      flexible: given.billingMode === 'flexible' ? { proration_discounts: 'included' } : null,
      type: given.billingMode,
    },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: given.cancelAt,
    cancel_at_period_end: given.cancelAtPeriodEnd,
    canceled_at: given.cancelAtPeriodEnd || given.cancelAt !== null ? tx.now : null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: given.collection,
    created: tx.now,
    currency,
    customer: given.customer.id,
    customer_account: null,
    days_until_due: given.collection === 'send_invoice' ? (given.daysUntilDue ?? 30) : null,
    default_payment_method: given.method?.id ?? null,
    default_source: null,
    default_tax_rates: given.taxRates.map((rate) => tx.need('tax_rate', rate, 'default_tax_rates')),
    description: given.description,
    discounts: [],
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: 'self' },
    },
    items: { object: 'list', data: [], has_more: false, url: `/v1/subscription_items?subscription=${id}` },
    latest_invoice: null,
    livemode: false,
    managed_payments: null,
    metadata: given.metadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: paymentSettings(given.savesMethod),
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: tx.now,
    status: trialing ? 'trialing' : 'incomplete',
    test_clock: tx.testClock,
    transfer_data: null,
    trial_end: given.trialEnd,
    trial_settings: {
      end_behavior: {
        billing_cycle_anchor: null,
        missing_payment_method: given.missingPaymentMethod ?? 'create_invoice',
      },
    },
    trial_start: trialing ? tx.now : null,
    sandbox: { renewedAt: null, pendingInvoice: null, dunningStarted: null, taxRates: given.taxRates },
  };
}

/** The lines of the first invoice: a trial, a full period, or the part of one before a later anchor. */
function firstLines(
  tx: Tx,
  invoice: string,
  subscription: Subscription,
  period: Span,
  given: NewSubscription,
): readonly InvoiceLine[] {
  if (subscription.status === 'trialing') return trialLines(tx, invoice, subscription, period);
  if (given.anchor === null || given.anchor <= tx.now) return periodLines(tx, invoice, subscription, period, null);
  if (!given.proratesFirst) return [];
  const cycle = commonCycle(subscription.items.data);
  const full = given.anchor - boundary(given.anchor, cycle, -1);
  return subscription.items.data
    .filter((item) => !isMetered(item.price))
    .map((item) => {
      const quantity = item.quantity ?? 1;
      const amount = share(priceAmount(item.price, quantity), period.end - period.start, full);
      return subscriptionLine(tx, invoice, subscription, item, { amount, quantity, period });
    });
}

function firstPeriod(tx: Tx, given: NewSubscription, subscription: Subscription): Span {
  if (given.trialEnd !== null) return { start: tx.now, end: given.trialEnd };
  if (given.anchor !== null && given.anchor > tx.now) return { start: tx.now, end: given.anchor };
  return { start: tx.now, end: boundary(subscription.billing_cycle_anchor, commonCycle(subscription.items.data), 1) };
}

function withoutMethod(): ApiError {
  return invalid(
    'This customer has no attached payment source or default payment method. Please consider adding a default payment method.',
    undefined,
    'resource_missing',
  );
}

/** Collects the first invoice and says how the subscription begins. */
function firstPayment(
  tx: Tx,
  open: Invoice,
  given: NewSubscription,
): { status: 'active' | 'incomplete'; paid: PaidHow | null } {
  if (open.status === 'paid') return { status: 'active', paid: null };
  if (given.payment === 'default_incomplete') return { status: 'incomplete', paid: null };
  if (given.method === null && methodFor(tx, open) === null) throw withoutMethod();
  const paid = collect(tx, open, given.method, given.offSession);
  return { status: ['succeeded', 'processing'].includes(paid.outcome) ? 'active' : 'incomplete', paid };
}

function refuseIncomplete(tx: Tx, open: Invoice, paid: PaidHow): ApiError {
  const intent = open.sandbox.paymentIntent === null ? null : tx.get('payment_intent', open.sandbox.paymentIntent);
  if (intent !== null && paid.failure !== null) {
    const error = declinedError(intent, paid.failure);
    return new ApiError(error.status, error.body);
  }
  return new ApiError(402, {
    type: 'card_error',
    code: 'subscription_payment_intent_requires_action',
    message: 'Payment for this subscription requires additional user action before it can be completed successfully.',
  });
}

/**
 * Starts a subscription with its first invoice. The customer's currency is set by it.
 * Refuses with 402 when the payment fails and `error_if_incomplete` was asked for; nothing is kept then.
 */
export function startSubscription(tx: Tx, given: NewSubscription): Subscription {
  const prices = given.items.flatMap(({ price }) => (price === null ? [] : [{ price }]));
  commonCycle(prices);
  const currency = prices[0]?.price.currency ?? 'usd';
  if (given.customer.currency !== null && given.customer.currency !== currency) {
    throw invalid('You cannot combine currencies on a single customer.', 'currency');
  }
  if (given.customer.currency === null) tx.update('customer', { ...given.customer, currency }, 'customer.updated');
  const plain = blank(tx, given, currency);
  const of = { customer: given.customer.id, subscription: plain.id };
  const session = given.session === null ? {} : { session: given.session };
  const base = withDiscounts(
    plain,
    given.discounts.map((one) => redeem(tx, one, { ...of, ...session })),
  );
  const provisional = withItems(
    base,
    given.items.flatMap((item) =>
      item.price === null
        ? []
        : [newItem(tx, base.id, item.price, item.quantity ?? 1, { start: tx.now, end: tx.now }, item.metadata ?? {})],
    ),
  );
  const period = firstPeriod(tx, given, provisional);
  const subscription = withItems(
    provisional,
    provisional.items.data.map((item) => ({
      ...item,
      current_period_start: period.start,
      current_period_end: period.end,
    })),
  );
  tx.put('subscription', subscription.id, subscription);
  for (const added of given.added) addToNextInvoice(tx, subscription, added);
  return withFirstInvoice(tx, subscription, period, given);
}

function withFirstInvoice(tx: Tx, subscription: Subscription, period: Span, given: NewSubscription): Subscription {
  const customer = tx.need('customer', subscription.customer);
  const draft = draftInvoice(tx, {
    customer,
    currency: subscription.currency,
    reason: 'subscription_create',
    subscription,
    period: { start: tx.now, end: tx.now },
  });
  const lines = [
    ...takePendingItems(tx, draft, subscription.id),
    ...firstLines(tx, draft.id, subscription, period, given),
  ];
  const invoice = createDraft(tx, draft, lines, given.taxRates);
  const billed = billedBy(tx, subscription, invoice);
  if (given.collection === 'send_invoice') {
    finalizeLater(tx, invoice);
    return begin(tx, { ...billed, status: subscription.status === 'trialing' ? 'trialing' : 'active' }, given);
  }
  tx.put('subscription', billed.id, billed);
  const open = finalize(tx, invoice);
  const first = firstPayment(tx, open, given);
  if (first.status === 'incomplete' && first.paid !== null && given.payment === 'error_if_incomplete')
    throw refuseIncomplete(tx, open, first.paid);
  const status = subscription.status === 'trialing' ? 'trialing' : first.status;
  return begin(tx, { ...billed, status }, given);
}

function begin(tx: Tx, subscription: Subscription, given: NewSubscription): Subscription {
  const started =
    given.savesMethod && subscription.status === 'active'
      ? { ...subscription, default_payment_method: given.method?.id ?? subscription.default_payment_method }
      : subscription;
  if (given.reportedUnpaid && started.status === 'active') {
    const unpaid: Subscription = { ...subscription, status: 'incomplete' };
    tx.put('subscription', started.id, unpaid);
    tx.emit('customer.subscription.created', unpaid);
    tx.update('subscription', started, 'customer.subscription.updated');
  } else {
    tx.put('subscription', started.id, started);
    tx.emit('customer.subscription.created', started);
  }
  setTimers(tx, started);
  if (started.status === 'incomplete')
    tx.schedule(tx.now + incompleteFor, { task: 'expire_incomplete', id: started.id });
  if (started.trial_end !== null && started.trial_end - 3 * DAY <= tx.now)
    tx.follow({ task: 'announce_trial_end', id: started.id });
  return started;
}
