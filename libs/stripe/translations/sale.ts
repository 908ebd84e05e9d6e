import type { Money } from '#kernel/amount.js';
import { earlier, plusMs } from '#kernel/instant.js';
import type { Instant } from '#kernel/instant.js';
import { accountStream, DEFAULT_UNIT } from '#kernel/stream-name.js';
import { park, soldCredits } from '../translation.js';
import type { FactCommand, Lookups, Translation } from '../translation.js';
import type { Metadata } from '../normalise.js';

const DAY_MS = 86_400_000;

/** Credits that were bought, by whatever way the money came: session, invoice or payment intent. */
export type Sale = {
  /** What Stripe calls the object that is the sale. */
  readonly id: string;
  readonly key: string;
  readonly customerId: string;
  /** Names the pack or the number of credits. */
  readonly metadata: Metadata;
  readonly soldAt: Instant;
  /** Without tax; null when it cost nothing. */
  readonly cost: Money | null;
  readonly paymentReference: string;
  /** Kept with the grant. */
  readonly told: { readonly [name: string]: string };
};

/** The key of what a payment intent's money bought, whatever tells of it. */
export const intentKey = (paymentIntentId: string): string => `intent:${paymentIntentId}`;

/** The key of what an invoice's money bought. */
export const invoiceKey = (invoiceId: string): string => `invoice:${invoiceId}`;

/** The grant of a sale: one rule for every way a pack is bought. Parks where the metadata does not say what was bought. */
export function grantOfSale(
  sale: Sale,
  { catalog, now }: Lookups,
): FactCommand | Extract<Translation, { kind: 'park' }> {
  const sold = soldCredits(sale.metadata, catalog);
  if (sold.kind === 'park') return sold.translation;
  if (sold.kind === 'unsold')
    return park('unknown_price', sale.id, 'the metadata names neither credit_product nor credits');
  const { customerId, key, soldAt, cost, paymentReference, told } = sale;
  const days = sold.expiresAfterDays;
  return {
    to: 'account',
    stream: accountStream(customerId, DEFAULT_UNIT),
    key,
    command: {
      type: 'GrantCredits',
      amount: sold.amount,
      source: 'purchase',
      priority: 50,
      effectiveAt: earlier(soldAt, now),
      expiresAt: days === null ? null : endOfSold(soldAt, days, now),
      costBasis: cost,
      paymentReference,
      description: null,
      metadata: told,
    },
  };
}

/** Counted from the sale; recorded too late for that, from now: it was paid for, and nobody is to lose it for that. */
function endOfSold(soldAt: Instant, days: number, now: Instant): Instant {
  const end = plusMs(soldAt, days * DAY_MS);
  return end > now ? end : plusMs(now, days * DAY_MS);
}
