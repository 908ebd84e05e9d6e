import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';

export type PlanPrice = { readonly money: Money; readonly stripePriceId: string | null };
export type Plan = {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly monthly: PlanPrice | null;
  readonly yearly: PlanPrice | null;
  /** Granted for each month of a paid (or free) period. */
  readonly creditsPerMonth: number;
  /** Granted monthly without Stripe to the customers on this plan. */
  readonly free: boolean;
  readonly trialDays: number | null;
  readonly features: readonly string[];
  readonly limits: { readonly [name: string]: number };
};
export type CreditProduct = { readonly id: string; readonly name: string; readonly credits: number; readonly price: Money; readonly stripePriceId: string | null; readonly expiresAfterDays: number | null };
/** `tiered` is graduated: each unit of the quantity is charged at the tier it falls into. */
export type CreditEventPrice =
  | { readonly kind: 'flat'; readonly cost: number }
  | { readonly kind: 'tiered'; readonly tiers: readonly { readonly upTo: number | null; readonly cost: number }[] };
export type CreditEvent = { readonly id: string; readonly name: string; readonly description: string | null; readonly category: string | null; readonly price: CreditEventPrice };

export type CatalogEvent =
  | { readonly type: 'PlanPublished'; readonly at: Instant; readonly plan: Plan }
  | { readonly type: 'PlanRetired'; readonly at: Instant; readonly planId: string }
  | { readonly type: 'CreditProductPublished'; readonly at: Instant; readonly product: CreditProduct }
  | { readonly type: 'CreditProductRetired'; readonly at: Instant; readonly productId: string }
  | { readonly type: 'CreditEventPriced'; readonly at: Instant; readonly creditEvent: CreditEvent }
  | { readonly type: 'CreditEventDisabled'; readonly at: Instant; readonly creditEventId: string };
