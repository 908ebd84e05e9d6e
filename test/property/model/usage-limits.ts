/** What a customer used of features, by the rules of the ledger's README alone: all is kept, and every question adds up all of it. */

/** Times are milliseconds. What Stripe showed of a subscription at `seen`. */
export type Shown = {
  readonly subscription: string;
  readonly plan: string;
  readonly status: 'active' | 'trialing' | 'past_due' | 'paused' | 'canceled';
  readonly yearly: boolean;
  readonly start: number;
  readonly end: number;
  readonly cancelAt: number | null;
  readonly endedAt: number | null;
  readonly seen: number;
};
export type ModelLimits = { readonly day?: number; readonly month?: number; readonly period?: number };
/** Plans and, by feature, what they limit; a later version of a plan from its time on. */
export type ModelPlan = {
  readonly id: string;
  readonly from: number;
  readonly features: { readonly [feature: string]: ModelLimits };
};
type Window = { readonly window: string; readonly limit: number; readonly used: number; from: number; until: number };
type Verdict =
  | { readonly kind: 'recorded'; readonly plan: string; readonly limits: readonly Window[] }
  | { readonly kind: 'over'; readonly limits: readonly Window[] }
  | { readonly kind: 'feature_not_in_plan' | 'feature_unknown' | 'usage_time_out_of_range' };

const DAY = 86_400_000;

const lastDayOf = (year: number, month: number): number => {
  const lengths = [
    31,
    (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28,
    31,
    30,
    31,
    30,
    31,
    31,
    30,
    31,
    30,
    31,
  ];
  return lengths[month]!;
};

/** So many months later on the day `day`, or the month's last one. */
function monthsAfter(time: number, months: number, day: number): number {
  const date = new Date(time);
  const month = date.getUTCMonth() + months;
  const [year, inYear] = [date.getUTCFullYear() + Math.floor(month / 12), ((month % 12) + 12) % 12];
  return Date.UTC(year, inYear, Math.min(day, lastDayOf(year, inYear))) + (time % DAY);
}

export class NaiveUsage {
  readonly #uses: { readonly feature: string; readonly at: number; readonly quantity: number }[] = [];
  readonly #shown: Shown[] = [];
  readonly #free: { readonly plan: string; readonly from: number }[] = [];

  constructor(
    readonly plans: readonly ModelPlan[],
    readonly graceDays: number,
  ) {}

  see(shown: Shown): void {
    this.#shown.push(shown);
  }

  enterFree(plan: string, from: number): void {
    this.#free.push({ plan, from });
  }

  use(feature: string, quantity: number, at: number, now: number, check: boolean): Verdict {
    if (at > now || now - at > 35 * DAY) return { kind: 'usage_time_out_of_range' };
    if (!this.plans.some(({ features }) => feature in features)) return { kind: 'feature_unknown' };
    const inForce = this.planAt(at);
    const version = this.plans.findLast(({ id, from }) => id === inForce?.plan && from <= at);
    const limits = version?.features[feature];
    if (inForce === null || limits === undefined) return { kind: 'feature_not_in_plan' };
    const windows = this.#windows(feature, limits, at, inForce.period);
    if (check && windows.some(({ limit, used }) => used + quantity > limit)) return { kind: 'over', limits: windows };
    this.#uses.push({ feature, at, quantity });
    return { kind: 'recorded', plan: inForce.plan, limits: this.#windows(feature, limits, at, inForce.period) };
  }

  #windows(feature: string, limits: ModelLimits, at: number, period: readonly [number, number] | null): Window[] {
    const date = new Date(at);
    const day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
    const month = [
      Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1),
      Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1),
    ] as const;
    const bounds = { day: [day, day + DAY], month, period: period ?? month } as const;
    return (['day', 'month', 'period'] as const).flatMap((window) => {
      const limit = limits[window];
      if (limit === undefined) return [];
      const [from, until] = bounds[window];
      const used = this.#uses
        .filter((use) => use.feature === feature && from <= use.at && use.at < until)
        .reduce((sum, { quantity }) => sum + quantity, 0);
      return [{ window, limit, used, from, until }];
    });
  }

  /** The plan that counts at a time, and the period of its subscription. */
  planAt(at: number): { readonly plan: string; readonly period: readonly [number, number] | null } | null {
    const lives = [...Map.groupBy(this.#shown, ({ subscription }) => subscription).values()].map((shown) =>
      shown.toSorted((a, b) => a.seen - b.seen),
    );
    const present = lives.flatMap((life) => {
      const one = shownAt(life, at);
      if (one === null) return [];
      const end = life.find(({ endedAt }) => endedAt !== null)?.endedAt ?? Infinity;
      const goesOn = one.status !== 'canceled' && at < end && at < (one.cancelAt ?? Infinity);
      return [{ one, goesOn, life }];
    });
    const newest = present.filter(({ goesOn }) => goesOn).sort((a, b) => b.one.seen - a.one.seen)[0];
    if (newest !== undefined) {
      const { one, life } = newest;
      if (one.status === 'active' || one.status === 'trialing') return { plan: one.plan, period: periodOf(one, at) };
      const unpaid = one.status === 'past_due' && at < unpaidSince(life, one) + this.graceDays * DAY;
      return unpaid ? { plan: one.plan, period: periodOf(one, at) } : { plan: 'free', period: null };
    }
    const free = this.#free.findLast(({ from }) => from <= at);
    if (free !== undefined) return { plan: free.plan, period: null };
    return present.length > 0 ? { plan: 'free', period: null } : null;
  }
}

/** What was shown last counts; what a new period brings counts from its start. */
function shownAt(life: readonly Shown[], at: number): Shown | null {
  let found: Shown | null = null;
  let [began, period] = [-Infinity, NaN];
  for (const one of life) {
    const isNew = one.start !== period && one.start >= began && one.start < one.seen;
    began = isNew ? one.start : one.seen;
    period = one.start;
    if (began <= at) found = one;
  }
  return found;
}

function unpaidSince(life: readonly Shown[], one: Shown): number {
  const before = life.filter(({ seen }) => seen <= one.seen);
  const paid = before.findLastIndex(({ status }) => status !== 'past_due');
  return before[paid + 1]!.seen;
}

/** Periods follow each other without gap; each ends on the day on which the first one began, or on the last of a month that has no such day. */
function periodOf({ start, end, yearly }: Shown, at: number): readonly [number, number] {
  const months = yearly ? 12 : 1;
  const isWhole = monthsAfter(start, months, new Date(start).getUTCDate()) === end;
  const day = new Date(isWhole ? start : end).getUTCDate();
  let [from, until] = [start, end];
  while (at >= until) [from, until] = [until, monthsAfter(until, months, day)];
  return [from, until];
}
