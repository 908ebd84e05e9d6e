import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';

export type PaymentEvent = {
  readonly type: 'PaymentSucceeded';
  readonly at: Instant;
  readonly paymentId: string;
  readonly customerId: string;
  readonly kind: 'top_up' | 'subscription';
  readonly money: Money;
  readonly paidAt: Instant;
  readonly paymentIntentId: string | null;
  readonly invoiceId: string | null;
  readonly sessionId: string | null;
};
