import { readFileSync } from 'node:fs';
import type { Json } from '#kernel/json.js';
import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { redact } from '#stripe/webhook/redact.js';
import { instantOf } from '#kernel/instant.js';

/** A webhook's body that a test may change before it is sent. */
export type StripeEventBody = {
  id: string;
  type: string;
  created: number;
  livemode: boolean;
  api_version: string;
  request?: { readonly id: string | null } | null;
  data: { object: Record<string, unknown> };
};

export const stripeFixtures = [
  'checkout.session.completed.acacia',
  'checkout.session.completed.endive',
  'checkout.session.completed.subscription.endive',
  'checkout.session.async_payment_succeeded.endive',
  'invoice.paid.acacia',
  'invoice.paid.endive',
  'checkout.session.async_payment_failed.endive',
  'checkout.session.expired.endive',
  'customer.created.endive',
  'customer.updated.endive',
  'customer.deleted.endive',
  'customer.subscription.created.endive',
  'customer.subscription.created.acacia',
  'customer.subscription.updated.endive',
  'customer.subscription.updated.acacia',
  'customer.subscription.deleted.endive',
  'customer.subscription.paused.endive',
  'customer.subscription.resumed.endive',
  'customer.subscription.trial_will_end.endive',
  'customer.subscription.pending_update_applied.endive',
  'customer.subscription.pending_update_expired.endive',
  'invoice.created.endive',
  'invoice.created.acacia',
  'invoice.finalized.endive',
  'invoice.payment_failed.endive',
  'invoice.payment_action_required.endive',
  'invoice.voided.endive',
  'invoice.marked_uncollectible.endive',
  'invoice.upcoming.endive',
  'invoice.payment_succeeded.endive',
  'invoice_payment.paid.endive',
  'payment_intent.succeeded.endive',
  'payment_intent.payment_failed.endive',
  'payment_intent.canceled.endive',
  'payment_intent.processing.endive',
  'charge.succeeded.endive',
  'charge.succeeded.acacia',
  'charge.refunded.endive',
  'charge.refunded.acacia',
  'refund.created.endive',
  'refund.updated.endive',
  'charge.refund.updated.endive',
  'refund.failed.endive',
  'charge.dispute.created.endive',
  'charge.dispute.funds_withdrawn.endive',
  'charge.dispute.updated.endive',
  'charge.dispute.closed.endive',
  'charge.dispute.funds_reinstated.endive',
  'credit_note.created.endive',
  'credit_note.created.acacia',
  'credit_note.voided.endive',
] as const;

export type StripeFixture = (typeof stripeFixtures)[number];

/** A fresh copy of a recorded webhook body of test/fixtures/stripe, its object changed by `change`. */
export function stripeEvent(
  name: (typeof stripeFixtures)[number],
  envelope: Partial<Omit<StripeEventBody, 'data'>> = {},
  change: Record<string, unknown> = {},
): StripeEventBody {
  const text = readFileSync(new URL(`../../fixtures/stripe/${name}.json`, import.meta.url), 'utf8');
  const body = JSON.parse(text) as StripeEventBody;
  return { ...body, ...envelope, data: { object: { ...body.data.object, ...change } } };
}

/** The body as the webhook route keeps it. */
export function received(body: StripeEventBody): ReceivedStripeEvent {
  return {
    stripeEventId: body.id,
    stripeType: body.type,
    created: instantOf(body.created * 1000),
    livemode: body.livemode,
    apiVersion: body.api_version,
    payload: redact({ account: null, request: body.request?.id ?? null, data: body.data as unknown as Json }),
  };
}

/** The lines of an invoice of its own: one that charges `amount` for something that is of no subscription. */
export const oneOffLines = (amount: number): Record<string, unknown> => {
  const { lines } = stripeEvent('invoice.paid.endive').data.object as { lines: { data: Record<string, unknown>[] } };
  const parent = { invoice_item_details: { invoice_item: 'ii_1', proration: false, subscription: null } };
  const own = { amount, parent, pricing: null, discount_amounts: [] };
  return { lines: { ...lines, data: [{ ...lines.data[0], ...own }] } };
};
