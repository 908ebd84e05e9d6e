import { assert } from '#kernel/assert.js';
import { later, type Instant } from '#kernel/instant.js';
import type { ChangedPeriod, PlanChange, RevocationCause, Term } from './account-events.js';
import { anniversary, creditsFrom, monthsUntil, type Month, type PaidMonth } from './paid-month.js';

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
type TermFacts = Pick<TermGrant, 'id' | 'term' | 'amount' | 'paymentReference'>;

/**
 * The months that a change touches, each with what is more or less in it. The month under way is measured as it is: from its own
 * start, where one of the subscription's paid months tells it, else as the month that ends then.
 */
export function changedMonths(change: PlanChange, grants: readonly TermFacts[]): readonly ChangedMonth[] {
  return change.periods.flatMap((period) => monthsChangedIn(period, change.changeId, grants));
}

function monthsChangedIn(period: ChangedPeriod, changeId: string, grants: readonly TermFacts[]): ChangedMonth[] {
  const { end: periodEnd, interval, parts } = period;
  const [first] = parts;
  if (first === undefined) return [];
  const months: readonly Month[] =
    interval === 'year' ? monthsUntil(periodEnd, first.since) : [{ start: anniversary(periodEnd, -1), end: periodEnd }];
  return months.flatMap((month): ChangedMonth[] => {
    const within = parts.filter(({ since }) => since < month.end);
    const last = within.at(-1);
    if (last === undefined) return [];
    const measured = { end: month.end, measuredFrom: startOf(month, first.since, grants) };
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
function startOf({ start, end }: Month, since: Instant, grants: readonly TermFacts[]): Instant {
  const starts = grants
    .filter(({ term }) => term.kind === 'period' && term.end === end && term.start <= later(since, start))
    .map(({ term }) => term.measuredFrom ?? term.start);
  return starts.sort().at(-1) ?? start;
}

/** What plan changes and the end of a subscription take of one of its grants, in this order. */
export type Takes = readonly { readonly cause: RevocationCause; readonly amount: number }[];

/** Credits of a change that were not granted, or not taken back, until `end`. */
type Pool = { readonly id: string; readonly from: Instant; readonly end: Instant; left: number };

/**
 * What plan changes and the end take of each grant of a subscription, by grant id. All facts count by their own time, at one time
 * those to less first: so the order in which they were reported makes no difference.
 */
export function takesOf(
  grants: readonly TermGrant[],
  changes: readonly PlanChange[],
  endedAt: Instant | null,
): ReadonlyMap<string, Takes> {
  const months = changes.flatMap((change) => changedMonths(change, grants));
  const settling = new Settling(excessIn(grants, months, changes));
  for (const fact of factsInOrder(grants, months)) {
    if ('grant' in fact) settling.give(fact.grant);
    else if (fact.month.amount < 0) settling.reduce(fact.month);
    else settling.withhold(fact.month);
  }
  if (endedAt !== null) for (const grant of grants) if (beginsAfter(grant, endedAt)) settling.end(grant);
  return settling.takes;
}

/**
 * What grants of changes give beyond what the changes mean by the true lengths of their months, by grant id: a change that was
 * reported before its period's payment was measured by a guess.
 */
export const excessOf = (grants: readonly TermFacts[], changes: readonly PlanChange[]): ReadonlyMap<string, number> =>
  excessIn(
    grants,
    changes.flatMap((change) => changedMonths(change, grants)),
    changes,
  );

function excessIn(
  grants: readonly TermFacts[],
  months: readonly ChangedMonth[],
  changes: readonly PlanChange[],
): ReadonlyMap<string, number> {
  const known = new Set(changes.map(({ changeId }) => changeId));
  const missing = new Map<string, number>();
  for (const month of months) if (month.amount > 0 && month.grants) missing.set(monthName(month), month.amount);
  const excess = new Map<string, number>();
  for (const fact of factsInOrder(grants, [])) {
    if (!('grant' in fact)) continue;
    const { id, amount, term } = fact.grant;
    if (term.changeId === undefined || !known.has(term.changeId)) continue;
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

type Fact<Grant> = { readonly order: string } & ({ readonly grant: Grant } | { readonly month: ChangedMonth });

function factsInOrder<Grant extends TermFacts>(
  grants: readonly Grant[],
  months: readonly ChangedMonth[],
): readonly Fact<Grant>[] {
  const facts: Fact<Grant>[] = [];
  for (const grant of grants) {
    const { term, paymentReference } = grant;
    if (term.kind === 'trial') continue;
    const since = term.kind === 'rollover' ? term.start : term.periodStart;
    const name = term.changeId ?? `${term.itemId ?? ''} ${paymentReference ?? ''}`;
    const kind = term.kind === 'rollover' ? '0' : term.kind === 'period' ? '2' : '3';
    facts.push({ order: `${since} ${kind} ${name} ${term.start} ${String(grant.amount)} ${grant.id}`, grant });
  }
  for (const month of months) {
    // What an earlier change of the same second withheld is not taken again.
    const kind = month.amount < 0 ? '1' : '0';
    if (month.amount < 0 || !month.grants)
      facts.push({ order: `${month.since} ${kind} ${month.changeId} ${month.start}`, month });
  }
  return facts.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
}

class Settling {
  readonly takes = new Map<string, { cause: RevocationCause; amount: number }[]>();
  /** The money went back, the credits did not. */
  readonly #kept: Pool[] = [];
  /** The money came, the credits did not. */
  readonly #withheld: Pool[] = [];
  /** By grant: what of its claimed credits was set against changes to less. */
  readonly #counted = new Map<string, number>();
  /** Newest last. */
  readonly #given: TermGrant[] = [];

  /** @param excess By grant: what it gives too much, by the true length of its month. */
  constructor(private readonly excess: ReadonlyMap<string, number>) {}

  /** A grant: what was kept before and would last into it counts against it. */
  give(grant: TermGrant): void {
    const { changeId } = grant.term;
    const excess = this.excess.get(grant.id) ?? 0;
    if (changeId !== undefined && excess > 0) this.#take(grant, { kind: 'correction', id: changeId }, excess);
    if (grant.term.kind !== 'rollover') {
      for (const pool of this.#kept) {
        if (pool.left === 0 || pool.from >= grant.term.end || pool.end <= grant.term.start) continue;
        pool.left -= this.#take(grant, { kind: 'kept', id: pool.id }, pool.left);
      }
    }
    // What went on from the month before is given up last.
    if (grant.term.kind === 'rollover') this.#given.unshift(grant);
    else this.#given.push(grant);
  }

  /** A change to less: first what an earlier change to more had not given, then what is unspent, the newest first, and what claims took; the rest is kept. */
  reduce(month: ChangedMonth): void {
    let less = -month.amount;
    for (const pool of this.#withheld) {
      if (pool.end !== month.end) continue;
      const met = Math.min(pool.left, less);
      pool.left -= met;
      less -= met;
    }
    if (month.takesBack) {
      for (const grant of this.#given.toReversed()) {
        if (grant.term.end !== month.end) continue;
        less -= this.#take(grant, { kind: 'downgrade', id: month.changeId }, less);
      }
    }
    // What refunds and disputes took went back with other money: nobody keeps it.
    for (const grant of this.#given.toReversed()) {
      if (grant.term.end === month.end) less -= this.#count(grant, less);
    }
    if (less > 0) this.#kept.push({ id: month.changeId, from: month.from, end: month.end, left: less });
    this.#kept.sort((a, b) => (`${a.end} ${a.from} ${a.id}` < `${b.end} ${b.from} ${b.id}` ? -1 : 1));
  }

  /** Counts at most `amount` of what claims took of a grant, each credit once; answers how much. */
  #count({ id, claimed }: TermGrant, amount: number): number {
    const before = this.#counted.get(id) ?? 0;
    const counted = Math.min(amount, claimed - before);
    this.#counted.set(id, before + counted);
    return counted;
  }

  /** A change to more that gives nothing for the month under way. */
  withhold({ changeId: id, from, end, amount: left }: ChangedMonth): void {
    this.#withheld.push({ id, from, end, left });
  }

  end(grant: TermGrant): void {
    this.#take(grant, { kind: 'ended', id: grant.term.subscriptionId }, grant.amount);
  }

  /** Takes at most `amount` of what is left unspent of a grant; answers how much. */
  #take({ id, unspent }: TermGrant, cause: RevocationCause, amount: number): number {
    const before = this.takes.get(id) ?? [];
    const left = before.reduce((sum, each) => sum - each.amount, unspent);
    const taken = Math.min(amount, left);
    assert(taken >= 0, `more is taken of grant ${id} than it has`);
    if (taken === 0) return 0;
    const known = before.find((each) => each.cause.kind === cause.kind && each.cause.id === cause.id);
    if (known === undefined) this.takes.set(id, [...before, { cause, amount: taken }]);
    else known.amount += taken;
    return taken;
  }
}

/** What names a change's part in one month. */
export const monthName = ({ changeId, end }: { readonly changeId: string; readonly end: Instant }): string =>
  `${changeId} ${end}`;
