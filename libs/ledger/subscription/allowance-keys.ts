import { msOf, type Instant } from '#kernel/instant.js';

/** What names a paid period: what was bought, for which time. */
type Bought = {
  readonly itemId: string;
  readonly periodStart: Instant;
  readonly periodEnd: Instant;
  readonly priceId: string;
  /** All seats together. */
  readonly quantity: number;
  /** The invoice, where it gives back what was bought of the item for the same time before; else null. */
  readonly insteadBy: string | null;
};

/**
 * What a paid period is called in keys: by what was bought and not by the invoice, so that one which Stripe issues again buys nothing
 * again. What an invoice charges in place of what it gives back from the same second on is a period of its own.
 */
export function periodName({ itemId, periodStart, periodEnd, priceId, quantity, insteadBy }: Bought): string {
  const second = (at: Instant): string => String(Math.floor(msOf(at) / 1000));
  const name = `${itemId}:${second(periodStart)}:${second(periodEnd)}:${priceId}:${String(quantity)}`;
  return insteadBy === null ? name : `${name}:${insteadBy}`;
}

/** The key under which the credits of a paid period are granted. */
export const allotmentKey = (period: string): string => `allotment:${period}`;
