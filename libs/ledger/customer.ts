import type { Instant } from '#kernel/instant.js';

/** Names and addresses are not here: they live outside the log, where erasure can reach them. */
export type CustomerEvent =
  | { readonly type: 'CustomerRegistered'; readonly at: Instant; readonly customerId: string }
  | { readonly type: 'StripeCustomerLinked'; readonly at: Instant; readonly customerId: string; readonly stripeCustomerId: string }
  /** Which contact fields changed, never their content. */
  | { readonly type: 'CustomerContactChanged'; readonly at: Instant; readonly customerId: string; readonly fields: readonly ('name' | 'email' | 'metadata')[] }
  | { readonly type: 'CustomerErased'; readonly at: Instant; readonly customerId: string };
