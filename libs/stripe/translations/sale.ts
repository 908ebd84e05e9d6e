import type { Money } from '#kernel/amount.js';
import { earlier, plusMs, type Instant } from '#kernel/instant.js';
import { accountStream, DEFAULT_UNIT } from '#kernel/stream-name.js';
import type { Sale } from '#ledger/account/events.js';
import { park, purchasedCredits, type FactCommand, type Lookups, type Translation } from './translation.js';
import type { Metadata } from '../shapes/billing.js';
import { mismatchOf, type Charged } from './pack-price.js';

const DAY_MS = 86_400_000;

/** Credits that were bought, by whatever way the money came: session, invoice or payment intent. */
export type Purchase = {
  /** What Stripe calls the object that reports the sale. */
  readonly id: string;
  readonly customerId: string;
  /** Names the pack or the number of credits. */
  readonly metadata: Metadata;
  readonly soldAt: Instant;
  /** Without tax; null when it cost nothing. */
  readonly cost: Money | null;
  readonly sale: Sale;
  /** What was charged before discount and tax; null where the object does not say. */
  readonly charged: Charged | null;
  /** Which of the sale's ids its payment is kept under. */
  readonly by: 'session' | 'intent' | 'invoice';
};

const names = { session: 'checkoutSession', intent: 'paymentIntent', invoice: 'invoice' } as const;

/** The key of what an invoice's money bought. */
export const invoiceKey = (invoiceId: string): string => `invoice:${invoiceId}`;

/** The grant of a sale: one rule for every way a pack is bought. Parks where the metadata does not say what was bought. */
export function grantOfSale(
  purchase: Purchase,
  { catalog, now }: Lookups,
): FactCommand | Extract<Translation, { kind: 'park' }> {
  const bought = purchasedCredits(purchase.metadata, catalog);
  if (bought.kind === 'park') return bought.translation;
  if (bought.kind === 'unsold')
    return park('unknown_price', purchase.id, 'the metadata names neither credit_product nor credits');
  const mismatch = bought.packs === null ? null : mismatchOf(bought.packs, purchase.charged, catalog);
  if (mismatch !== null) return mismatch;
  const { customerId, sale, by, soldAt, cost } = purchase;
  const paymentReference = sale[by] ?? purchase.id;
  const days = bought.expiresAfterDays;
  return {
    to: 'account',
    stream: accountStream(customerId, DEFAULT_UNIT),
    key: `${by}:${paymentReference}`,
    command: {
      type: 'GrantCredits',
      amount: bought.amount,
      source: 'purchase',
      priority: 50,
      effectiveAt: earlier(soldAt, now),
      expiresAt: days === null ? null : endOfSold(soldAt, days, now),
      costBasis: cost,
      paymentReference,
      description: null,
      metadata: { [names[by]]: paymentReference },
      sale,
    },
  };
}

/** Counted from the sale; recorded too late for that, from now: it was paid for, and nobody is to lose it for that. */
function endOfSold(soldAt: Instant, days: number, now: Instant): Instant {
  const end = plusMs(soldAt, days * DAY_MS);
  return end > now ? end : plusMs(now, days * DAY_MS);
}
