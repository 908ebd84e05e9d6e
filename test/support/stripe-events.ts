import { readFileSync } from 'node:fs';
import type { Json } from '#kernel/json.js';
import type { ReceivedStripeEvent } from '#ledger/stripe-event.js';
import { redact } from '#stripe/redact.js';
import { instantOf } from '#kernel/instant.js';

/** A webhook's body that a test may change before it is sent. */
export type StripeEventBody = {
  id: string;
  type: string;
  created: number;
  livemode: boolean;
  api_version: string;
  data: { object: Record<string, unknown> };
};

export const stripeFixtures = [
  'checkout.session.completed.acacia',
  'checkout.session.completed.endive',
  'checkout.session.completed.subscription.endive',
  'checkout.session.async_payment_succeeded.endive',
  'invoice.paid.acacia',
  'invoice.paid.endive',
] as const;

/** A fresh copy of a recorded webhook body of test/fixtures/stripe, its object changed by `change`. */
export function stripeEvent(
  name: (typeof stripeFixtures)[number],
  envelope: Partial<Omit<StripeEventBody, 'data'>> = {},
  change: Record<string, unknown> = {},
): StripeEventBody {
  const text = readFileSync(new URL(`../fixtures/stripe/${name}.json`, import.meta.url), 'utf8');
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
    payload: redact({ account: null, data: body.data as unknown as Json }),
  };
}
