import type Stripe from 'stripe';
import { instantOf, type Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { redact } from '../webhook/redact.js';

/** As JSON is: the client's own number type becomes the text that webhooks have. */
export const plainJson = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

/** An event that was fetched, as its webhook would be kept: without personal data. */
export const fetchedEvent = (event: Stripe.Event): ReceivedStripeEvent => ({
  stripeEventId: event.id,
  stripeType: event.type,
  created: instantOf(event.created * 1000),
  livemode: event.livemode,
  apiVersion: event.api_version,
  payload: redact({
    account: event.account ?? null,
    request: event.request?.id ?? null,
    data: plainJson(event.data),
  }),
});

/**
 * An object as if Stripe had just told of it, for what was never told or is too old to be told again. The caller's id says which
 * state of the object it is, so that the same state is told once.
 */
export const eventFromObject = (
  object: { readonly livemode?: boolean },
  source: { readonly id: string; readonly type: string; readonly at: Instant; readonly livemode: boolean },
): ReceivedStripeEvent => ({
  stripeEventId: source.id,
  stripeType: source.type,
  created: source.at,
  livemode: object.livemode ?? source.livemode,
  apiVersion: null,
  payload: redact({ account: null, request: null, data: { object: plainJson(object) } }),
});
