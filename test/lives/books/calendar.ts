/** Times here are seconds, as Stripe's are. */
export const DAY = 86_400;

export const textOf = (seconds: number): string => new Date(seconds * 1000).toISOString();
export const secondsOf = (text: string): number => Date.parse(text) / 1000;

/** The same day and time of day so many months on, or the last day of that month where it has no such day. */
export function monthsLater(start: number, months: number): number {
  const date = new Date(start * 1000);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const days = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, days));
  return date.getTime() / 1000;
}

/**
 * When the months of a period begin, its start included: back from the end where that comes out at the start, short months aside;
 * else on from the start.
 */
export function monthsOf(start: number, end: number): readonly number[] {
  const back: number[] = [];
  for (let n = 1; monthsLater(end, -n) > start; n += 1) back.unshift(monthsLater(end, -n));
  const whole = back.length + 1;
  if (monthsLater(end, -whole) === start || monthsLater(start, whole) === end) return [start, ...back];
  const found = [start];
  for (let n = 1; monthsLater(start, n) < end; n += 1) found.push(monthsLater(start, n));
  return found;
}

/** `value × part ÷ whole`, rounded half up. */
export function shareOf(value: number, part: number, whole: number): number {
  const [v, p, w] = [BigInt(value), BigInt(part), BigInt(whole)];
  return Number((2n * v * p + w) / (2n * w));
}
