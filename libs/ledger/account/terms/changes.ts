import { assert } from '#kernel/assert.js';
import { earlier, later, type Instant } from '#kernel/instant.js';
import type { ChangedPart, ChangedPeriod, PlanChange, RevocationCause, Term } from '../events.js';
import { sameCause } from '../grants/lots.js';
import { anniversary, creditsFrom, monthsUntil, type Month, type PaidMonth } from '../../subscription/paid-month.js';
import { insertSorted } from '../../sorted.js';
import { creditsInForce } from './unpaid.js';

/** What a plan change means for one month: more (`amount` > 0) or less, from `from` on. */
export type ChangedMonth = PaidMonth & {
  readonly changeId: string;
  /** The time of the change. */
  readonly since: Instant;
  /** The change's part in this month begins here. */
  readonly from: Instant;
  readonly periodEnd: Instant;
  readonly amount: number;
  /** Whether more is granted. */
  readonly grants: boolean;
  /** Whether less is taken back as far as it is unspent. */
  readonly takesBack: boolean;
};

/** A grant of a subscription, as far as plan changes and ends look at it. */
export type TermGrant = {
  readonly id: string;
  readonly term: Term;
  readonly amount: number;
  /** What is unspent of it after all claims, before plan changes and ends. */
  readonly unspent: number;
  /** What refunds and disputes took of it unspent. */
  readonly claimed: number;
  readonly paymentReference: string | null;
};

/** What the record of a grant of a subscription says of it. */
export type TermFacts = Pick<TermGrant, 'id' | 'term' | 'amount' | 'paymentReference'>;

/** When the paid months of a subscription began, by the time at which they end. */
type Starts = ReadonlyMap<Instant, readonly Pick<PaidMonth, 'start' | 'measuredFrom'>[]>;

function startsOf(grants: readonly TermFacts[]): Starts {
  const starts = new Map<Instant, Pick<PaidMonth, 'start' | 'measuredFrom'>[]>();
  for (const { term } of grants) {
    if (term.kind !== 'period') continue;
    const { start, end, measuredFrom = start } = term;
    starts.set(end, [...(starts.get(end) ?? []), { start, measuredFrom }]);
  }
  return starts;
}

/** The months of yearly periods, by the end of the period, back to the first change of it: a plan may be changed hundreds of times. */
function monthsOfYears(changes: readonly PlanChange[]): ReadonlyMap<Instant, readonly Month[]> {
  const first = new Map<Instant, Instant>();
  for (const { end, interval, parts } of changes.flatMap(({ periods }) => periods)) {
    const since = parts[0]?.since;
    if (interval === 'year' && since !== undefined) first.set(end, earlier(first.get(end) ?? since, since));
  }
  return new Map([...first].map(([end, since]) => [end, monthsUntil(end, since)]));
}

/**
 * The months that a change touches, each with what is more or less in it. The month under way is measured as it is: from its own
 * start, where one of the subscription's paid months tells it, else as the month that ends then.
 */
function changedMonths({ changeId, periods }: PlanChange, known: Known): readonly ChangedMonth[] {
  return periods.flatMap((period) => {
    const parts = period.parts.map((part) => ({ since: part.since, credits: known.credits.get(part) ?? part.credits }));
    return monthsChangedIn({ ...period, parts }, changeId, known);
  });
}

type Known = {
  readonly starts: Starts;
  readonly years: ReadonlyMap<Instant, readonly Month[]>;
  /** What the parts of changes count for. */
  readonly credits: ReadonlyMap<ChangedPart, number>;
};

function monthsChangedIn(period: ChangedPeriod, changeId: string, { starts, years }: Known): ChangedMonth[] {
  const { end: periodEnd, interval, parts } = period;
  const [first] = parts;
  if (first === undefined) return [];
  const months =
    interval === 'year'
      ? (years.get(periodEnd) ?? []).filter(({ end }) => end > first.since)
      : [{ start: anniversary(periodEnd, -1), end: periodEnd }];
  return months.flatMap((month): ChangedMonth[] => {
    const within = parts.filter(({ since }) => since < month.end);
    const last = within.at(-1);
    if (last === undefined) return [];
    const measured = { end: month.end, measuredFrom: startOf(month, first.since, starts) };
    const amount = within.reduce((sum, { since, credits }) => {
      const rest = creditsFrom(Math.abs(credits), since, measured);
      return credits < 0 ? sum - rest : sum + rest;
    }, 0);
    if (amount === 0) return [];
    const underWay = interval === 'month' || last.since > measured.measuredFrom;
    const from = interval === 'month' ? last.since : later(last.since, month.start);
    return [
      {
        ...{ ...measured, start: from, changeId, since: last.since, from, periodEnd, amount },
        ...{ grants: !underWay || period.grants, takesBack: !underWay || period.takesBack },
      },
    ];
  });
}

/** When the month began that a change at `since` falls in. */
function startOf({ start, end }: Month, since: Instant, starts: Starts): Instant {
  const begun = (starts.get(end) ?? []).filter((month) => month.start <= later(since, start));
  return (
    begun.reduce<Instant | null>((last, { measuredFrom }) => later(last ?? measuredFrom, measuredFrom), null) ?? start
  );
}

/** What the records of a subscription's grants and changes say, whatever has become of the credits. */
export type PlanFacts = {
  /** The months that changes touch, by change. */
  readonly months: ReadonlyMap<string, readonly ChangedMonth[]>;
  /**
   * What grants of changes give beyond what the changes mean by the true lengths of their months, by grant id: a change that was
   * reported before its period's payment was measured by a guess.
   */
  readonly excess: ReadonlyMap<string, number>;
  /** By their own time, at one time those to less first: so the order in which they were reported makes no difference. */
  readonly inOrder: readonly Fact[];
};

/** Works out what is the same until a grant or a change is added. */
export function planFacts(grants: readonly TermFacts[], changes: readonly PlanChange[]): PlanFacts {
  const known = {
    starts: startsOf(grants),
    years: monthsOfYears(changes),
    credits: creditsInForce(grants, changes),
  };
  const months = new Map(changes.map((change) => [change.changeId, changedMonths(change, known)]));
  const inOrder = factsInOrder(grants, [...months.values()].flat());
  return { months, excess: excessOf(inOrder, months), inOrder };
}

/** What plan changes and the end of a subscription take of one of its grants, in this order. */
export type Takes = readonly { readonly cause: RevocationCause; readonly amount: number }[];

/** Credits of a change that were not granted, or not taken back, until `end`. */
type Pool = { readonly id: string; readonly from: Instant; readonly end: Instant; left: number };

/** A subscription as plan changes and its end look at it. */
export type Planned = {
  readonly facts: PlanFacts;
  readonly grants: ReadonlyMap<string, TermGrant>;
  readonly endedAt: Instant | null;
};

/** What plan changes and ends take of each grant of subscriptions of one account, by grant id. */
export function takesOf(subscriptions: readonly Planned[]): ReadonlyMap<string, Takes> {
  const all: Settling[] = [];
  const steps = subscriptions.flatMap(({ facts, grants, endedAt }) => {
    const settling = new Settling(facts.excess, endedAt, all);
    all.push(settling);
    return facts.inOrder.map((fact) => ({ order: fact.order, act: () => settling.settle(fact, grants) }));
  });
  if (subscriptions.length > 1) steps.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
  for (const { act } of steps) act();
  for (const [index, { grants, endedAt }] of subscriptions.entries())
    if (endedAt !== null) for (const grant of grants.values()) if (beginsAfter(grant, endedAt)) all[index]?.end(grant);
  return new Map(all.flatMap(({ takes }) => [...takes]));
}

function excessOf(inOrder: readonly Fact[], months: PlanFacts['months']): ReadonlyMap<string, number> {
  const missing = new Map<string, number>();
  for (const month of [...months.values()].flat())
    if (month.amount > 0 && month.grants) missing.set(monthName(month), month.amount);
  const excess = new Map<string, number>();
  for (const fact of inOrder) {
    if (!('grant' in fact)) continue;
    const { id, amount, term } = fact.grant;
    if (term.changeId === undefined || !months.has(term.changeId)) continue;
    const name = monthName({ changeId: term.changeId, end: term.end });
    const left = (missing.get(name) ?? 0) - amount;
    missing.set(name, Math.max(0, left));
    if (left < 0) excess.set(id, -left);
  }
  return excess;
}

/** The month under way at the end stays, also where its period began in that very second. */
const beginsAfter = ({ term }: TermGrant, endedAt: Instant): boolean =>
  term.kind !== 'trial' && (term.start > endedAt || (term.start === endedAt && term.periodStart !== endedAt));

type Fact = { readonly order: string } & ({ readonly grant: TermFacts } | { readonly month: ChangedMonth });

function factsInOrder(grants: readonly TermFacts[], months: readonly ChangedMonth[]): readonly Fact[] {
  const facts: Fact[] = [];
  for (const grant of grants) {
    const { term, paymentReference } = grant;
    if (term.kind === 'trial') continue;
    const since = term.kind === 'rollover' ? term.start : term.periodStart;
    // What was granted beside a change later comes after it: those of one change stay as they were added.
    const name = term.changeId ?? [term.itemId ?? '', paymentReference ?? '', grant.amount, grant.id].join(' ');
    const kind = term.kind === 'rollover' ? '0' : term.kind === 'period' ? '2' : '3';
    // Of several items the earlier month comes first, as nobody has had the later one yet.
    facts.push({ order: `${since} ${kind} ${term.start} ${name}`, grant });
  }
  for (const month of months) {
    // What an earlier change of the same second withheld is not taken again.
    const kind = month.amount < 0 ? '1' : '0';
    if (month.amount < 0 || !month.grants)
      facts.push({ order: `${month.since} ${kind} ${month.changeId} ${month.start}`, month });
  }
  return facts.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
}

/** By the end of the month. */
type ByEnd<T> = Map<Instant, readonly T[]>;

const comparePools = (a: Pool, b: Pool): number => {
  if (a.from !== b.from) return a.from < b.from ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
};

class Settling {
  readonly takes = new Map<string, { cause: RevocationCause; amount: number }[]>();
  /** By grant: what is unspent of it still. */
  readonly #left = new Map<string, number>();
  /** The money went back, the credits did not. */
  readonly #kept: ByEnd<Pool> = new Map();
  /** The money came, the credits did not. */
  readonly #withheld: ByEnd<Pool> = new Map();
  /** By grant: what of its claimed credits was set against changes to less. */
  readonly #counted = new Map<string, number>();
  /** Newest first. */
  readonly #given: ByEnd<TermGrant> = new Map();

  /**
   * @param excess By grant: what it gives too much, by the true length of its month.
   * @param endedAt When the subscription ended: from then on what is kept counts against other subscriptions, too.
   * @param all Of all subscriptions of the account, this one included.
   */
  constructor(
    private readonly excess: ReadonlyMap<string, number>,
    private readonly endedAt: Instant | null,
    private readonly all: readonly Settling[],
  ) {}

  settle(fact: Fact, grants: ReadonlyMap<string, TermGrant>): void {
    if ('month' in fact) {
      if (fact.month.amount < 0) this.reduce(fact.month);
      else this.withhold(fact.month);
      return;
    }
    const grant = grants.get(fact.grant.id);
    assert(grant !== undefined, `grant ${fact.grant.id} is not among those of its subscription`);
    this.give(grant);
  }

  /** A grant: what was kept before and would last into it counts against it. */
  give(grant: TermGrant): void {
    const { changeId, kind, end } = grant.term;
    const excess = this.excess.get(grant.id) ?? 0;
    if (changeId !== undefined && excess > 0) this.#take(grant, { kind: 'correction', id: changeId }, excess);
    if (kind !== 'rollover') this.#meetKept(grant);
    // What went on from the month before is given up last.
    const given = this.#given.get(end) ?? [];
    this.#given.set(end, kind === 'rollover' ? [...given, grant] : [grant, ...given]);
  }

  #meetKept(grant: TermGrant): void {
    const { start, end, periodStart } = grant.term;
    const counting = this.all.filter((one) => one === this || (one.endedAt !== null && one.endedAt <= periodStart));
    const ends = [...new Set(counting.flatMap((one) => [...one.#kept.keys()]))].filter((each) => each > start).sort();
    const poolsUntil = (each: Instant): readonly Pool[] =>
      counting.length === 1
        ? (this.#kept.get(each) ?? [])
        : counting.flatMap((one) => one.#kept.get(each) ?? []).sort(comparePools);
    for (const pool of ends.flatMap(poolsUntil)) {
      if (pool.left === 0 || pool.from >= end) continue;
      pool.left -= this.#take(grant, { kind: 'kept', id: pool.id }, pool.left);
    }
  }

  /** A change to less: first what an earlier change to more had not given, then what is unspent, the newest first, and what claims took; the rest is kept. */
  reduce(month: ChangedMonth): void {
    const { changeId: id, from, end } = month;
    const given = this.#given.get(end) ?? [];
    let less = -month.amount;
    for (const pool of this.#withheld.get(end) ?? []) {
      const met = Math.min(pool.left, less);
      pool.left -= met;
      less -= met;
    }
    if (month.takesBack) for (const grant of given) less -= this.#take(grant, { kind: 'downgrade', id }, less);
    // What refunds and disputes took went back with other money: nobody keeps it.
    for (const grant of given) less -= this.#count(grant, less);
    if (less > 0) {
      const kept = (this.#kept.get(end) ?? []).filter(({ left }) => left > 0);
      this.#kept.set(end, insertSorted(kept, { id, from, end, left: less }, comparePools));
    }
  }

  /** Counts at most `amount` of what claims took of a grant, each credit once; answers how much. */
  #count({ id, claimed }: TermGrant, amount: number): number {
    const before = this.#counted.get(id) ?? 0;
    const counted = Math.min(amount, claimed - before);
    if (counted > 0) this.#counted.set(id, before + counted);
    return counted;
  }

  /** A change to more that gives nothing for the month under way. */
  withhold({ changeId: id, from, end, amount: left }: ChangedMonth): void {
    this.#withheld.set(end, [...(this.#withheld.get(end) ?? []), { id, from, end, left }]);
  }

  end(grant: TermGrant): void {
    this.#take(grant, { kind: 'ended', id: grant.term.subscriptionId }, grant.amount);
  }

  /** Takes at most `amount` of what is left unspent of a grant; answers how much. */
  #take({ id, unspent }: TermGrant, cause: RevocationCause, amount: number): number {
    const left = this.#left.get(id) ?? unspent;
    const taken = Math.min(amount, left);
    assert(taken >= 0, `more is taken of grant ${id} than it has`);
    if (taken === 0) return 0;
    this.#left.set(id, left - taken);
    const takes = this.takes.get(id) ?? [];
    const known = takes.find((each) => sameCause(each.cause, cause));
    if (known === undefined) this.takes.set(id, [...takes, { cause, amount: taken }]);
    else known.amount += taken;
    return taken;
  }
}

/** What names a change's part in one month. */
export const monthName = ({ changeId, end }: { readonly changeId: string; readonly end: Instant }): string =>
  `${changeId} ${end}`;
