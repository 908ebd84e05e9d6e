import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';

/** Why a Stripe event waits for a person; `subject` is what was not known (a customer's or price's Stripe id). */
export type ParkReason = {
  readonly code: 'unknown_customer' | 'unknown_price' | 'unknown_shape' | 'account_refused' | 'wrong_mode' | 'unsupported_currency';
  readonly subject: string | null;
  readonly detail: string;
};

export type StripeEventEvent =
  /** The webhook's payload, stripped to what the translation needs; personal data is left out before it is stored. */
  | { readonly type: 'StripeEventReceived'; readonly at: Instant; readonly stripeEventId: string; readonly stripeType: string; readonly created: Instant; readonly livemode: boolean; readonly apiVersion: string | null; readonly payload: Json }
  | { readonly type: 'StripeEventTranslated'; readonly at: Instant; readonly stripeEventId: string; readonly effects: readonly string[] }
  | { readonly type: 'StripeEventParked'; readonly at: Instant; readonly stripeEventId: string; readonly stripeType: string; readonly reason: ParkReason }
  | { readonly type: 'StripeEventRetryRequested'; readonly at: Instant; readonly stripeEventId: string };
