/** An RFC 3339 UTC time with milliseconds (`2026-11-21T08:00:00.000Z`). Instants of this one form sort as text. */
export type Instant = string;

const latestMs = 253_402_300_799_999; // 9999-12-31T23:59:59.999Z: later years would not sort as text

/** The instant at `ms` milliseconds since the epoch. */
export const instantOf = (ms: number): Instant => new Date(ms).toISOString();

/** Milliseconds since the epoch. */
export const msOf = (instant: Instant): number => Date.parse(instant);

/** Any RFC 3339 time with an offset, as an Instant; null when it is not one or lies outside the years 0000 to 9999. */
export function parseInstant(value: string): Instant | null {
  if (!/^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/.test(value)) return null;
  const ms = Date.parse(value);
  if (Number.isNaN(ms) || ms > latestMs || ms < -62_167_219_200_000) return null;
  const day = Number(value.slice(8, 10));
  const lastDay = new Date(Date.UTC(Number(value.slice(0, 4)), Number(value.slice(5, 7)), 0)).getUTCDate();
  return day >= 1 && day <= lastDay ? instantOf(ms) : null;
}

/** `instant` plus a number of milliseconds. */
export const plusMs = (instant: Instant, ms: number): Instant => instantOf(msOf(instant) + ms);

/** The earlier of two instants. */
export const earlier = (a: Instant, b: Instant): Instant => (a < b ? a : b);

/** The later of two instants. */
export const later = (a: Instant, b: Instant): Instant => (a < b ? b : a);

/** The calendar month, UTC: `2026-11`. */
export const monthOf = (instant: Instant): string => instant.slice(0, 7);

/** The first instant of the month after `month` (`2026-12` → `2027-01-01T00:00:00.000Z`); of the last month that can be written, its last instant. */
export function monthAfter(month: string): Instant {
  if (month === '9999-12') return '9999-12-31T23:59:59.999Z';
  return instantOf(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5, 7)), 1));
}
