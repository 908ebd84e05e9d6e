import type { Instant } from '#kernel/instant.js';

type Of = { readonly at: Instant; readonly subscriptionId: string; readonly customerId: string };
type Period = { readonly planId: string; readonly interval: 'month' | 'year'; readonly periodStart: Instant; readonly periodEnd: Instant };

export type SubscriptionEvent =
  | (Of & Period & { readonly type: 'SubscriptionActivated'; readonly invoiceId: string | null })
  | (Of & Period & { readonly type: 'SubscriptionRenewed'; readonly invoiceId: string });
