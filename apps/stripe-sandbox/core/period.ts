export const MINUTE = 60;
export const HOUR = 3600;
export const DAY = 86_400;

export type Interval = 'day' | 'week' | 'month' | 'year';
export type Cycle = { readonly interval: Interval; readonly interval_count: number };

function addMonths(anchor: number, months: number): number {
  const date = new Date(anchor * 1000);
  const month = date.getUTCMonth() + months;
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const day = Math.min(date.getUTCDate(), lastDay);
  const at = Date.UTC(
    date.getUTCFullYear(),
    month,
    day,
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  );
  return Math.floor(at / 1000);
}

/** The boundary `n` cycles after the anchor; the 31st becomes the last day of a shorter month and comes back later. */
export function boundary(anchor: number, cycle: Cycle, n: number): number {
  const count = cycle.interval_count * n;
  if (cycle.interval === 'day') return anchor + count * DAY;
  if (cycle.interval === 'week') return anchor + count * 7 * DAY;
  return addMonths(anchor, cycle.interval === 'year' ? 12 * count : count);
}

const approximateDays: Readonly<Record<Interval, number>> = { day: 1, week: 7, month: 30.436875, year: 365.2425 };

/** The period that holds `at`: from its latest boundary ≤ at to the next one. */
export function periodAt(anchor: number, cycle: Cycle, at: number): { start: number; end: number } {
  const length = approximateDays[cycle.interval] * cycle.interval_count * DAY;
  let n = Math.floor((at - anchor) / length) - 1;
  while (boundary(anchor, cycle, n + 1) <= at) n += 1;
  return { start: boundary(anchor, cycle, n), end: boundary(anchor, cycle, n + 1) };
}
