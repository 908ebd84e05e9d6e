import { msOf, type Instant } from '#kernel/instant.js';

/** What a paid period is called in keys: Stripe's subscription item and the second that the period starts. */
export const periodName = (itemId: string, periodStart: Instant): string =>
  `${itemId}:${String(Math.floor(msOf(periodStart) / 1000))}`;

/** The key under which the credits of a paid period are granted. */
export const allotmentKey = (period: string): string => `allotment:${period}`;
