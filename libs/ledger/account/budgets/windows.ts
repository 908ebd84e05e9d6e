import { instantOf, msOf, type Instant } from '#kernel/instant.js';
import { periodAt } from '../../usage/period.js';
import { overdueAt, termAt, type Period, type Usage } from '../usage.js';

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
/** Further than any place's clock is from UTC. */
const FARTHEST_S = 16 * HOUR_S;
/** 5 January 1970 was a Monday, by days since 1 January. */
const A_MONDAY = 4;

/** Clocks by time zone, which are slow to make, and the newest window of each kind and time zone. */
const clocks = new Map<string, Intl.DateTimeFormat>();
const newest = new Map<string, Period>();
const KEPT_MAX = 2_000;

function kept<T>(map: Map<string, T>, key: string, value: T): T {
  if (map.size >= KEPT_MAX) map.clear();
  map.set(key, value);
  return value;
}

/** Whether a name is that of a time zone (IANA) that this machine knows. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return false;
  try {
    clockOf(name);
    return true;
  } catch {
    return false;
  }
}

const clockOf = (timeZone: string): Intl.DateTimeFormat =>
  clocks.get(timeZone) ??
  kept(
    clocks,
    timeZone,
    new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', { timeZone, year: 'numeric', month: 'numeric', day: 'numeric' }),
  );

/** The date that calendars in a time zone show: days since 1 January 1970. `second`: since the epoch. */
function dateAt(timeZone: string, second: number): number {
  const parts = { year: 0, month: 0, day: 0 };
  for (const { type, value } of clockOf(timeZone).formatToParts(second * 1000))
    if (type === 'year' || type === 'month' || type === 'day') parts[type] = Number(value);
  return dayOf(parts.year, parts.month - 1, parts.day);
}

/** `month` from 0; one beyond 11 is of a later year. */
const dayOf = (year: number, month: number, day: number): number => Date.UTC(year, month, day) / (DAY_S * 1000);

/**
 * The first second of a date in a time zone. Clocks are changed at midnight, too, so a date may begin at 01:00; and a date that a place
 * leaves out begins where the next one does.
 */
function startOfDate(timeZone: string, date: number): number {
  let before = date * DAY_S - FARTHEST_S;
  let from = date * DAY_S + FARTHEST_S;
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2);
    if (dateAt(timeZone, middle) >= date) from = middle;
    else before = middle;
  }
  return from;
}

/** The dates on which the window that a date is in begins and ends. */
function datesOf(window: 'day' | 'week' | 'month', date: number): readonly [first: number, next: number] {
  if (window === 'day') return [date, date + 1];
  if (window === 'week') {
    const monday = date - ((((date - A_MONDAY) % 7) + 7) % 7);
    return [monday, monday + 7];
  }
  const start = instantOf(date * DAY_S * 1000);
  const [year, month] = [Number(start.slice(0, 4)), Number(start.slice(5, 7)) - 1];
  return [dayOf(year, month, 1), dayOf(year, month + 1, 1)];
}

/** The day, week (from Monday) or month of a time zone that an instant is in, however long its clocks make it. */
export function calendarWindow(window: 'day' | 'week' | 'month', timeZone: string, at: Instant): Period {
  const key = `${window} ${timeZone}`;
  const last = newest.get(key);
  if (last !== undefined && last.start <= at && at < last.end) return last;
  const [first, next] = datesOf(window, dateAt(timeZone, Math.floor(msOf(at) / 1000)));
  const [start, end] = [startOfDate(timeZone, first), startOfDate(timeZone, next)];
  return kept(newest, key, { start: instantOf(start * 1000), end: instantOf(end * 1000) });
}

/**
 * The period that an instant is in: the month that the balance shows its usage by. While the next one is not paid it begins where the one
 * before ends. Without a plan it is the calendar month of the time zone.
 */
export function periodWindow(usage: Usage, timeZone: string, at: Instant): Period {
  const term = termAt(usage, at);
  if (term !== null) return { start: term.start, end: term.end };
  const past = overdueAt(usage, at);
  const next = past === null ? null : periodAt({ periodStart: past.start, periodEnd: past.end, interval: 'month' }, at);
  return next ?? calendarWindow('month', timeZone, at);
}
