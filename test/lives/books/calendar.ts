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

/** When the month of a period began that ends then: its months are counted back from its end. */
export function monthUntil(end: number, periodEnd: number): number {
  for (let back = 1; ; back += 1) {
    const start = monthsLater(periodEnd, -back);
    if (start < end) return start;
  }
}

/** A month of a period. `measuredFrom`: when the whole month began of which this is the rest, its own start for a whole one. */
export type Month = { readonly start: number; readonly end: number; readonly measuredFrom: number };

/** Whether a period is so many whole months, counted from its start or back from its end: a short month may cut either. */
function isWhole(start: number, end: number): boolean {
  for (let months = 1; monthsLater(start, months - 1) < end; months += 1)
    if (monthsLater(start, months) === end || monthsLater(end, -months) === start) return true;
  return false;
}

/** The months of a period, counted back from its end. The first begins with the period; it may be the rest of a month. */
export function monthsOf(start: number, end: number): readonly Month[] {
  const months: Month[] = [];
  let back = 1;
  for (; monthsLater(end, -back) > start; back += 1) {
    const begin = monthsLater(end, -back);
    months.unshift({ start: begin, end: monthsLater(end, 1 - back), measuredFrom: begin });
  }
  const first = { start, end: monthsLater(end, 1 - back) };
  return [{ ...first, measuredFrom: isWhole(start, end) ? start : monthsLater(end, -back) }, ...months];
}

/** A period whose credits come all at once: shorter than a month it is the rest of one, longer it has a length of its own. */
export function asOneMonth(start: number, end: number): Month {
  const month = monthsLater(end, -1);
  return { start, end, measuredFrom: month < start && !isWhole(start, end) ? month : start };
}

/** `value × part ÷ whole`, rounded half up. */
export function shareOf(value: number, part: number, whole: number): number {
  const [v, p, w] = [BigInt(value), BigInt(part), BigInt(whole)];
  return Number((2n * v * p + w) / (2n * w));
}

/** What `credits` for a month are for the part of it that begins at `from`. */
export function restOf(
  credits: number,
  from: number,
  { measuredFrom, end }: Pick<Month, 'measuredFrom' | 'end'>,
): number {
  const full = end - measuredFrom;
  return shareOf(credits, Math.min(full, Math.max(0, end - from)), full);
}

/** A sum shared out by amounts, by the running total: the parts add up to it. */
export function shares(sum: number, amounts: readonly number[]): readonly number[] {
  const all = amounts.reduce((total, amount) => total + amount, 0);
  let before = 0;
  return amounts.map((amount) => {
    const share = all === 0 ? 0 : shareOf(sum, before + amount, all) - shareOf(sum, before, all);
    before += amount;
    return share;
  });
}
