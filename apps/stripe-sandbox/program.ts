import type { Program } from './core/sandbox.js';
import type { Task } from './core/timers.js';
import type { Tx } from './core/tx.js';
import { balanceRoutes } from './resources/payments/balance.js';
import { catalogueRoutes } from './resources/catalog/catalogue.js';
import { sessionSettled } from './resources/checkout/completion.js';
import { checkoutRoutes, expireSession } from './resources/checkout/sessions.js';
import { couponRoutes, endRedemption } from './resources/catalog/coupons.js';
import { creditNoteRoutes } from './resources/credit-notes/credit-notes.js';
import { creditGrantRoutes, expireDue } from './resources/credit-grants/credit-grants.js';
import { customerBalanceRoutes } from './resources/customers/balance-routes.js';
import { customerRoutes } from './resources/customers/customers.js';
import { endDiscount } from './resources/catalog/discounts.js';
import { disputeByCard, disputeRoutes } from './resources/payments/disputes.js';
import { eventRoutes } from './resources/events.js';
import { finalizeDue, paymentSettled, retryDue } from './resources/invoices/payment.js';
import { invoiceItemRoutes } from './resources/invoices/items.js';
import { invoicePreviewRoutes } from './resources/invoices/preview.js';
import { invoiceRoutes } from './resources/invoices/invoices.js';
import { meterRoutes } from './resources/catalog/meters.js';
import { paymentIntentRoutes } from './resources/payments/intents.js';
import { paymentLinkRoutes } from './resources/checkout/links.js';
import { paymentMethodRoutes } from './resources/payments/methods.js';
import { paymentPageRoutes } from './resources/checkout/pages.js';
import { settle } from './resources/payments/payments.js';
import { portalRoutes } from './resources/portal/sessions.js';
import { refundRoutes, settleRefund } from './resources/payments/refunds.js';
import { announceScheduleEnd, runPhase, scheduleRoutes } from './resources/subscriptions/schedules.js';
import {
  announceRenewal,
  announceTrialEnd,
  expireIncomplete,
  expirePendingUpdate,
  invoiceClosed,
  invoiceUnpaid,
  renew,
  resumeCollection,
} from './resources/subscriptions/life.js';
import { cancelDue } from './resources/subscriptions/end.js';
import { subscriptionItemRoutes } from './resources/subscriptions/item-routes.js';
import { subscriptionRoutes } from './resources/subscriptions/subscriptions.js';
import { setupIntentRoutes } from './resources/payments/setup-intents.js';
import { testClockRoutes } from './resources/test-clocks.js';

function runTask(tx: Tx, task: Task): void {
  switch (task.task) {
    case 'settle_payment':
      return settle(tx, task.id, task.succeeds);
    case 'settle_refund':
      return settleRefund(tx, task.id, task.succeeds);
    case 'open_dispute':
      return disputeByCard(tx, task.id);
    case 'payment_settled':
      paymentSettled(tx, task.id);
      return sessionSettled(tx, task.id);
    case 'invoice_paid':
      return invoiceClosed(tx, task.id);
    case 'invoice_unpaid':
      return invoiceUnpaid(tx, task.id);
    case 'finalize_invoice':
      return finalizeDue(tx, task.id);
    case 'retry_invoice':
      return retryDue(tx, task.id);
    case 'renew':
      return renew(tx, task.id);
    case 'announce_renewal':
      return announceRenewal(tx, task.id);
    case 'announce_trial_end':
      return announceTrialEnd(tx, task.id);
    case 'cancel_subscription':
      return cancelDue(tx, task.id);
    case 'expire_incomplete':
      return expireIncomplete(tx, task.id);
    case 'expire_pending_update':
      return expirePendingUpdate(tx, task.id);
    case 'resume_collection':
      return resumeCollection(tx, task.id);
    case 'schedule_phase':
      return runPhase(tx, task.id);
    case 'advance_clock':
      return; // the state machine's own work
    case 'announce_schedule_end':
      return announceScheduleEnd(tx, task.id);
    case 'end_discount':
      return endDiscount(tx, task.id);
    case 'end_redemption':
      return endRedemption(tx, task.id);
    case 'expire_credit_grant':
      return expireDue(tx, task.id);
    case 'expire_session':
      expireSession(tx, task.id);
      return;
  }
}

const listOf = (url: string, data: readonly unknown[]): unknown => ({ object: 'list', data, has_more: false, url });

/** Everything the sandbox serves: its addresses, the fields that come only when asked for, and the work of its timers. */
export const program: Program = {
  routes: [
    ...customerRoutes,
    ...customerBalanceRoutes,
    ...catalogueRoutes,
    ...couponRoutes,
    ...paymentMethodRoutes,
    ...paymentIntentRoutes,
    ...setupIntentRoutes,
    ...refundRoutes,
    ...disputeRoutes,
    ...balanceRoutes,
    ...checkoutRoutes,
    ...paymentPageRoutes,
    ...paymentLinkRoutes,
    ...subscriptionRoutes,
    ...subscriptionItemRoutes,
    ...scheduleRoutes,
    ...invoiceItemRoutes,
    ...invoicePreviewRoutes,
    ...invoiceRoutes,
    ...creditNoteRoutes,
    ...portalRoutes,
    ...meterRoutes,
    ...creditGrantRoutes,
    ...eventRoutes,
    ...testClockRoutes,
  ],
  included: {
    'invoice.payments': (tx, id) => listOf('/v1/invoice_payments', tx.ownedBy('invoice_payment', id)),
    'invoice.confirmation_secret': (tx, id) => {
      const intent = tx.get('invoice', id)?.sandbox.paymentIntent ?? null;
      const secret = intent === null ? null : (tx.get('payment_intent', intent)?.client_secret ?? null);
      return secret === null ? null : { client_secret: secret, type: 'payment_intent' };
    },
    'coupon.applies_to': (tx, id) => ({ products: tx.get('coupon', id)?.sandbox.products ?? [] }),
    'coupon.currency_options': (tx, id) =>
      Object.fromEntries(
        Object.entries(tx.get('coupon', id)?.sandbox.amounts ?? {}).map(([currency, amount]) => [
          currency,
          { amount_off: amount },
        ]),
      ),
    'price.tiers': (tx, id) => tx.get('price', id)?.sandbox.tiers ?? [],
    'charge.refunds': (tx, id) => listOf(`/v1/charges/${id}/refunds`, [...tx.ownedBy('refund', id)].reverse()),
    'checkout.session.line_items': (tx, id) =>
      listOf(`/v1/checkout/sessions/${id}/line_items`, tx.get('checkout.session', id)?.sandbox.lines ?? []),
    'payment_link.line_items': (tx, id) =>
      listOf(`/v1/payment_links/${id}/line_items`, tx.get('payment_link', id)?.sandbox.lines ?? []),
    'customer.subscriptions': (tx, id) =>
      listOf(
        `/v1/customers/${id}/subscriptions`,
        tx.ownedBy('subscription', id).filter((one) => !['canceled', 'incomplete_expired'].includes(one.status)),
      ),
  },
  runTask,
};
