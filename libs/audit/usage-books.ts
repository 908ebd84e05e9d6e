import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { UsageEvent } from '#ledger/usage/usage.js';

type Recorded = Extract<UsageEvent, { type: 'UsageRecorded' }>;
type Limit = Recorded['limits'][number];

const DAY_MS = 86_400_000;
const MAX_AGE_MS = 35 * DAY_MS;
/** Longer than any period of a subscription and the time within which a use may be recorded. */
const REMEMBERED_MS = 1_200 * DAY_MS;
/** Days are looked through for old ones when there are so many. */
const MANY_DAYS = 5_000;

/**
 * What a customer used, kept by an auditor by the day: written apart from the ledger's own rules. Days and months must be what was used
 * in them; a period, whose bounds lie within days, at least the last days within it and at most all that it touches.
 */
export class UsageBooks {
  /** By feature, then by the day's start. */
  readonly #features = new Map<string, Map<number, Amount>>();
  #lastAt = '';

  /** Enters an event. Answers what it contradicts, or null; after a contradiction the books are of no use any more. */
  enter(event: UsageEvent): string | null {
    if (event.at < this.#lastAt) return 'its time is before that of the event before it';
    this.#lastAt = event.at;
    if (event.type !== 'UsageRecorded') return null;
    const [at, usedAt] = [Date.parse(event.at), Date.parse(event.usedAt)];
    if (!(usedAt <= at && usedAt >= at - MAX_AGE_MS)) return 'it was used too long before it was recorded, or after it';
    if (!(Number.isSafeInteger(event.quantity) && event.quantity >= 1)) return 'its quantity is not a positive number';
    const days = this.#daysOf(event.feature);
    const day = Math.floor(usedAt / DAY_MS) * DAY_MS;
    days.set(day, (days.get(day) ?? 0) + event.quantity);
    if (days.size > MANY_DAYS) for (const old of days.keys()) if (old < at - REMEMBERED_MS) days.delete(old);
    for (const limit of event.limits) {
      const problem = problemOf(limit, event, days);
      if (problem !== null) return `${problem} (${event.feature}, ${limit.window})`;
    }
    return null;
  }

  #daysOf(feature: string): Map<number, Amount> {
    const days = this.#features.get(feature) ?? new Map<number, Amount>();
    this.#features.set(feature, days);
    return days;
  }
}

function problemOf(
  { window, limit, used, windowStart, windowEnd }: Limit,
  { at, usedAt, limitCheck }: Recorded,
  days: ReadonlyMap<number, Amount>,
): string | null {
  if (!(windowStart <= usedAt && usedAt < windowEnd)) return 'it is not in the window that it says';
  if (window !== 'period' && !isOfCalendar(window, usedAt, windowStart, windowEnd)) return 'the window is no whole one';
  if (limitCheck && used > limit) return `${String(used)} of ${String(limit)} were used, which a check does not allow`;
  const [start, end] = [Date.parse(windowStart), Date.parse(windowEnd)];
  // Of a period that was reported later than uses may be, what was used before is not asked for.
  const certain = window === 'period' ? Math.max(start, Date.parse(at) - MAX_AGE_MS) : start;
  let [least, most] = [0, 0];
  for (const [day, quantity] of days) {
    if (certain <= day && day + DAY_MS <= end) least += quantity;
    if (start < day + DAY_MS && day < end) most += quantity;
  }
  if (least <= used && used <= most) return null;
  const expected = least === most ? String(least) : `${String(least)} to ${String(most)}`;
  return `it says that ${String(used)} were used, and the uses sum up to ${expected}`;
}

/** Whether a window begins with the day or month of an instant and ends with it. */
function isOfCalendar(window: 'day' | 'month', at: Instant, start: Instant, end: Instant): boolean {
  const length = window === 'day' ? 10 : 7;
  const rest = window === 'day' ? 'T00:00:00.000Z' : '-01T00:00:00.000Z';
  if (start !== `${at.slice(0, length)}${rest}` || !end.endsWith(rest)) return false;
  const days = (Date.parse(end) - Date.parse(start)) / DAY_MS;
  return window === 'day' ? days === 1 : days >= 28 && days <= 31;
}
