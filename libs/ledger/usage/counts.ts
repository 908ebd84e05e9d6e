import type { Amount } from '#kernel/amount.js';
import { instantOf, msOf, type Instant } from '#kernel/instant.js';
import { calendarMonth, type Period } from '../account/usage.js';
import { earliestPeriod, periodBoundBy, type PlanFacts } from './plans.js';
import { calendarDay } from './limits.js';

/** What was used from a time on (milliseconds) until the next cell begins. */
export type Cell = { readonly from: number; readonly used: Amount };

/**
 * What was used of one feature. The newest seconds have a cell each, so that a period which is reported late finds its bounds; older
 * ones are joined between the bounds that are known by then: days, and starts and ends of periods.
 */
export type Counts = {
  /** Of all cells. */
  readonly total: Amount;
  /** Oldest first, as are the seconds. */
  readonly older: readonly Cell[];
  readonly seconds: readonly Cell[];
};

/** So many of the newest seconds in which something was used are known each. */
export const DETAILED_SECONDS = 64;
/** So long after its time a use may be recorded. */
export const MAX_AGE_MS = 35 * 86_400_000;

export const NO_COUNTS: Counts = { total: 0, older: [], seconds: [] };

/** The counts with one more use. `now`: when it is recorded, which says what no use to come can ask for any more. */
export function withUse(
  counts: Counts,
  use: { readonly usedAt: Instant; readonly quantity: Amount },
  facts: PlanFacts,
  now: Instant,
): Counts {
  const from = Math.floor(msOf(use.usedAt) / 1000) * 1000;
  const total = counts.total + use.quantity;
  const seconds = withCell(counts.seconds, { from, used: use.quantity });
  const [oldest] = seconds;
  if (seconds.length <= DETAILED_SECONDS || oldest === undefined) return { ...counts, total, seconds };
  const start = cellStart(facts, oldest.from);
  const older = withCell(counts.older, { from: start, used: oldest.used });
  const joined = { total, older, seconds: seconds.slice(1) };
  return older.length === counts.older.length ? joined : remembered(joined, facts, now);
}

/** What was used in a window: of its start and not of its end. */
export function usedWithin({ older, seconds }: Counts, window: Period): Amount {
  const [start, end] = [boundOf(window.start), boundOf(window.end)];
  return sumOf(seconds, start, end) + sumOf(older, start, end);
}

/** Bounds of windows are few, and asked for with every use. */
const bounds = new Map<Instant, number>();
const KEPT_BOUNDS = 1_000;

function boundOf(instant: Instant): number {
  const known = bounds.get(instant);
  if (known !== undefined) return known;
  if (bounds.size >= KEPT_BOUNDS) bounds.clear();
  const ms = msOf(instant);
  bounds.set(instant, ms);
  return ms;
}

function sumOf(cells: readonly Cell[], start: number, end: number): Amount {
  let sum = 0;
  for (let index = cells.length - 1; index >= 0; index -= 1) {
    const cell = cells[index];
    if (cell === undefined || cell.from < start) break;
    if (cell.from < end) sum += cell.used;
  }
  return sum;
}

/** Sorted by time, each time once. Nearly all come at the end. */
function withCell(cells: readonly Cell[], added: Cell): readonly Cell[] {
  let index = cells.length;
  while (index > 0 && (cells[index - 1]?.from ?? 0) > added.from) index -= 1;
  const same = cells[index - 1];
  if (same?.from === added.from) return cells.with(index - 1, { from: same.from, used: same.used + added.used });
  return cells.toSpliced(index, 0, added);
}

/** Where the cell of an older second begins: with its day, or with a period that begins or ends within that day. */
function cellStart(facts: PlanFacts, second: number): number {
  const at = instantOf(second);
  const day = msOf(calendarDay(at).start);
  const bound = periodBoundBy(facts, at);
  return bound === null ? day : Math.max(day, msOf(bound));
}

/**
 * Without what no window can ask for that a use recorded at `now` or later is in. Of months that are over for all uses, only periods are
 * asked for: their days are joined.
 */
function remembered({ older, seconds }: Counts, facts: PlanFacts, now: Instant): Counts {
  const oldest = instantOf(msOf(now) - MAX_AGE_MS);
  const months = msOf(calendarMonth(oldest).start);
  const periods = Math.min(months, msOf(earliestPeriod(facts, oldest)));
  let kept: readonly Cell[] = [];
  for (const cell of older) {
    if (cell.from >= months) kept = [...kept, cell];
    else if (cell.from >= periods) {
      const bound = periodBoundBy(facts, instantOf(cell.from));
      kept = withCell(kept, { from: Math.max(periods, bound === null ? periods : msOf(bound)), used: cell.used });
    }
  }
  const total = [...kept, ...seconds].reduce((sum, { used }) => sum + used, 0);
  return { total, older: kept, seconds };
}
