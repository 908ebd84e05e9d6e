import { instantOf, msOf, type Instant } from '#kernel/instant.js';
import type { UsageInterval } from '#projections/usage/queries.js';

const HOUR_MS = 3_600_000;
const lengths = { hour: HOUR_MS, day: 24 * HOUR_MS } as const;

/** The start of the interval, UTC, that an instant is in. */
export function startOf(by: UsageInterval, at: Instant): Instant {
  if (by === 'month') return `${at.slice(0, 7)}-01T00:00:00.000Z`;
  return instantOf(Math.floor(msOf(at) / lengths[by]) * lengths[by]);
}

/** The end of the interval that begins at `start`. */
export function endOf(by: UsageInterval, start: Instant): Instant {
  if (by !== 'month') return instantOf(msOf(start) + lengths[by]);
  return instantOf(Date.UTC(Number(start.slice(0, 4)), Number(start.slice(5, 7)), 1));
}
