/**
 * Budgets told a second time, naively. A window is known by the date that a calendar on the wall shows, never by its bounds; what counts
 * in each is a sum in a map. Shares nothing with the ledger.
 */
export type ModelBudget = {
  readonly limit: number;
  readonly window: 'day' | 'week' | 'month' | 'total';
  readonly zone: string;
  readonly hard: boolean;
};
type Known = ModelBudget & { readonly generation: number };
type Part = { amount: number; readonly keys: readonly string[] };
type Answer = 'done' | 'short' | 'closed' | { readonly exceeded: string } | { readonly below: number };

const walls = new Map<string, Intl.DateTimeFormat>();
const dates = new Map<string, string>();

/** The date on the wall, `2026-03-29`. Clocks are changed on the quarter of an hour, so one look at it is enough for that long. */
function dateOnTheWall(zone: string, at: number): string {
  const key = `${zone} ${String(Math.floor(at / 900_000))}`;
  const seen = dates.get(key);
  if (seen !== undefined) return seen;
  let wall = walls.get(zone);
  if (wall === undefined) {
    wall = new Intl.DateTimeFormat('sv-SE', { timeZone: zone });
    walls.set(zone, wall);
  }
  if (dates.size > 100_000) dates.clear();
  const date = wall.format(at);
  dates.set(key, date);
  return date;
}

function windowName({ window, zone }: ModelBudget, at: number): string {
  if (window === 'total') return '';
  const date = dateOnTheWall(zone, at);
  if (window === 'day') return date;
  if (window === 'month') return date.slice(0, 7);
  const monday = new Date(`${date}T00:00:00Z`);
  while (monday.getUTCDay() !== 1) monday.setUTCDate(monday.getUTCDate() - 1);
  return `week of ${monday.toISOString().slice(0, 10)}`;
}

const levels = (scope: string): string[] => {
  const segments = scope === 'org' ? [] : scope.split('/');
  return ['org', ...segments.map((_, index) => segments.slice(0, index + 1).join('/'))];
};

/** Takes `amount` off parts, from the first on, and says what was taken. */
function takeFrom(parts: Part[], amount: number): Part[] {
  const taken: Part[] = [];
  let missing = amount;
  while (missing > 0) {
    const first = parts[0]!;
    const part = Math.min(first.amount, missing);
    taken.push({ amount: part, keys: first.keys });
    first.amount -= part;
    missing -= part;
    if (first.amount === 0) parts.shift();
  }
  return taken;
}

export class NaiveBudgets {
  readonly budgets = new Map<string, Known>();
  readonly holds = new Map<string, { parts: Part[]; readonly scope: string; readonly until: number }>();
  readonly consumptions = new Map<string, Part[]>();
  readonly #counted = new Map<string, number>();
  #generation = 0;

  constructor(public available: number) {}

  /** What counts in the present window of a budget, held or used. */
  countedIn(scope: string, at: number): number {
    return this.#counted.get(this.#keyOf(scope, at)!) ?? 0;
  }

  #keyOf(scope: string, at: number): string | null {
    const budget = this.budgets.get(scope);
    return budget === undefined ? null : `${scope} ${String(budget.generation)} ${windowName(budget, at)}`;
  }

  #count(parts: readonly Part[], sign: 1 | -1): void {
    for (const { amount, keys } of parts)
      for (const key of keys) this.#counted.set(key, (this.#counted.get(key) ?? 0) + sign * amount);
  }

  set(scope: string, budget: ModelBudget, at: number): Answer {
    const before = this.budgets.get(scope);
    const goesOn = before?.window === budget.window && before.zone === budget.zone;
    const counted = goesOn ? this.countedIn(scope, at) : 0;
    if (budget.hard && budget.limit < counted) return { below: counted };
    this.#generation += 1;
    this.budgets.set(scope, { ...budget, generation: goesOn ? before.generation : this.#generation });
    return 'done';
  }

  /** Whether so much may be taken now, and the part that it is then. */
  #allow(scope: string, amount: number, at: number): { readonly answer: Answer; readonly parts: Part[] } {
    if (amount > this.available) return { answer: 'short', parts: [] };
    let tightest: { readonly scope: string; readonly left: number } | null = null;
    const keys: string[] = [];
    for (const level of levels(scope)) {
      const key = this.#keyOf(level, at);
      if (key === null) continue;
      keys.push(key);
      const { limit, hard } = this.budgets.get(level)!;
      const left = Math.max(0, limit - this.countedIn(level, at));
      if (hard && left < amount && (tightest === null || left < tightest.left)) tightest = { scope: level, left };
    }
    if (tightest !== null) return { answer: { exceeded: tightest.scope }, parts: [] };
    return { answer: 'done', parts: [{ amount, keys }] };
  }

  #take(scope: string, amount: number, at: number): { readonly answer: Answer; readonly parts: Part[] } {
    const allowed = this.#allow(scope, amount, at);
    if (allowed.answer === 'done') {
      this.available -= amount;
      this.#count(allowed.parts, 1);
    }
    return allowed;
  }

  consume(scope: string, amount: number, at: number, id: () => string): Answer {
    const { answer, parts } = this.#take(scope, amount, at);
    if (answer === 'done') this.consumptions.set(id(), parts);
    return answer;
  }

  hold(scope: string, amount: number, at: number, until: number, id: () => string): Answer {
    const { answer, parts } = this.#take(scope, amount, at);
    if (answer === 'done') this.holds.set(id(), { parts, scope, until });
    return answer;
  }

  raise(id: string, amount: number, at: number): Answer {
    const hold = this.holds.get(id);
    if (hold === undefined) return 'closed';
    const { answer, parts } = this.#take(hold.scope, amount, at);
    hold.parts.push(...parts);
    return answer;
  }

  /** A final capture: the rest is released. */
  capture(id: string, amount: number, consumptionId: () => string): Answer {
    const hold = this.holds.get(id);
    if (hold === undefined) return 'closed';
    this.consumptions.set(consumptionId(), takeFrom(hold.parts, amount));
    this.release(id);
    return 'done';
  }

  release(id: string): Answer {
    const hold = this.holds.get(id);
    if (hold === undefined) return 'closed';
    this.#giveBack(hold.parts);
    this.holds.delete(id);
    return 'done';
  }

  heldBy(id: string): number {
    return this.holds.get(id)?.parts.reduce((sum, { amount }) => sum + amount, 0) ?? 0;
  }

  /** Gives back so much, what was taken last first. */
  reverse(id: string, amount: number): void {
    const parts = this.consumptions.get(id)!;
    parts.reverse();
    this.#giveBack(takeFrom(parts, amount));
    parts.reverse();
    if (parts.length === 0) this.consumptions.delete(id);
  }

  leftOf(id: string): number {
    return this.consumptions.get(id)?.reduce((sum, { amount }) => sum + amount, 0) ?? 0;
  }

  #giveBack(parts: readonly Part[]): void {
    for (const { amount } of parts) this.available += amount;
    this.#count(parts, -1);
  }

  passTime(at: number): void {
    for (const [id, { until }] of this.holds) if (until <= at) this.release(id);
  }
}
