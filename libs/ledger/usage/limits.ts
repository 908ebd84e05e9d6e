import type { Amount } from '#kernel/amount.js';
import { instantOf, msOf, type Instant } from '#kernel/instant.js';
import { calendarMonth, type Period } from '../account/usage.js';
import type { FeatureLimits } from '../catalog.js';

/** The windows that a plan may limit a feature in. */
export const limitWindows = ['day', 'month', 'period'] as const;
export type LimitWindow = (typeof limitWindows)[number];

const DAY_MS = 86_400_000;

/** A limit of a feature in the window that an instant is in, and what was used in it. The window has its start and not its end. */
export type LimitUse = {
  readonly window: LimitWindow;
  readonly limit: Amount;
  readonly used: Amount;
  readonly windowStart: Instant;
  readonly windowEnd: Instant;
};

/** Many uses of one time ask for the same window: the last answer is kept. */
function keepingLast(windowOf: (at: Instant) => Period): (at: Instant) => Period {
  let last: Period = { start: '', end: '' };
  return (at) => {
    if (at < last.start || last.end <= at) last = windowOf(at);
    return last;
  };
}

/** The day, UTC, that an instant is in. */
export const calendarDay = keepingLast((at) => {
  const start = Math.floor(msOf(at) / DAY_MS) * DAY_MS;
  return { start: instantOf(start), end: instantOf(start + DAY_MS) };
});
const month = keepingLast(calendarMonth);

/**
 * Every limit with its window at an instant. `period`: that of the subscription, null without one: the calendar month then.
 * `usedIn` says what was used in a window.
 */
export function limitsAt(
  limits: FeatureLimits,
  at: Instant,
  period: Period | null,
  usedIn: (window: Period) => Amount,
): readonly LimitUse[] {
  const uses: LimitUse[] = [];
  for (const window of limitWindows) {
    const limit = limits[window];
    if (limit === undefined) continue;
    const within = window === 'day' ? calendarDay(at) : window === 'month' ? month(at) : (period ?? month(at));
    uses.push({ window, limit, used: usedIn(within), windowStart: within.start, windowEnd: within.end });
  }
  return uses;
}

/** Of the limits that `quantity` more would break the one that lasts longest: before its window ends, no repeat can succeed. */
export function brokenLimit(limits: readonly LimitUse[], quantity: Amount): LimitUse | null {
  let broken: LimitUse | null = null;
  for (const limit of limits) {
    if (limit.used + quantity <= limit.limit) continue;
    if (broken === null || limit.windowEnd > broken.windowEnd) broken = limit;
  }
  return broken;
}
