import type { DueTerm } from './books.js';
import type { ChangedMonth } from './term-books.js';

/** A grant of a subscription; `unspent`: what claims have left of it unspent. */
export type TermLot = {
  readonly id: string;
  /** The invoice that bought it; empty for what went on. */
  readonly invoiceId: string;
  readonly amount: number;
  /** What of it is too much, by what was reported later; left out for nothing. */
  readonly excess?: number;
  readonly term: DueTerm;
  readonly rolledOver: boolean;
  readonly unspent: number;
  /** What claims have taken of it: nobody keeps that. */
  readonly claimed: number;
};

/** Credits whose money went back, or for which it came, without the credits themselves; until `end`. */
type Pool = { readonly subscription: string; readonly from: number; readonly end: number; left: number };

/**
 * What changes of plan and the ends of an account's subscriptions take of their grants, by the README of the ledger: everything at its own
 * time; of one second, what is less first. Less is taken back by the policy, else kept; what is kept counts against what is given later.
 */
export function takenByChanges(
  lots: readonly TermLot[],
  changes: readonly ChangedMonth[],
  ends: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const taken = new Map(lots.map(({ id }) => [id, 0]));
  const take = (lot: TermLot, most: number): number => {
    const part = Math.min(most, lot.unspent - taken.get(lot.id)!);
    taken.set(lot.id, taken.get(lot.id)! + part);
    return part;
  };
  const counted = new Map(lots.map(({ id }) => [id, 0]));
  /** What claims took of a lot went back with other money, once. */
  const uncounted = (lot: TermLot, most: number): number => {
    const part = Math.min(most, lot.claimed - counted.get(lot.id)!);
    counted.set(lot.id, counted.get(lot.id)! + part);
    return part;
  };
  const kept: Pool[] = [];
  const withheld: Pool[] = [];
  const given: TermLot[] = [];
  for (const fact of inOrder(lots, changes)) {
    if ('lot' in fact) {
      take(fact.lot, fact.lot.excess ?? 0);
      if (!fact.lot.rolledOver) meetKept(fact.lot, counting(fact.lot, kept, ends), take);
      given.push(fact.lot);
      continue;
    }
    const { change } = fact;
    const { subscription, from, end } = change;
    if (change.credits > 0) {
      withheld.push({ subscription, from, end, left: change.credits });
      continue;
    }
    let less = -change.credits;
    for (const pool of withheld.filter((one) => one.end === end && one.subscription === subscription)) {
      const met = Math.min(pool.left, less);
      pool.left -= met;
      less -= met;
    }
    const ending = newestFirst(
      given.filter(({ term }) => term.subscription === subscription),
      end,
    );
    if (change.takesBack) for (const lot of ending) less -= take(lot, less);
    for (const lot of ending) less -= uncounted(lot, less);
    if (less > 0) kept.push({ subscription, from, end, left: less });
  }
  for (const lot of lots) {
    const endedAt = ends.get(lot.term.subscription) ?? Infinity;
    if (lot.term.start > endedAt || (lot.term.start === endedAt && lot.term.periodStart !== endedAt))
      take(lot, lot.amount);
  }
  return taken;
}

/** What was kept of a lot's own subscription, and of others that had ended by then. */
const counting = (
  { term: { subscription, periodStart } }: TermLot,
  kept: readonly Pool[],
  ends: ReadonlyMap<string, number>,
): readonly Pool[] =>
  kept.filter((pool) => pool.subscription === subscription || (ends.get(pool.subscription) ?? Infinity) <= periodStart);

/** What was kept, and would last into a grant, counts against it. */
function meetKept(lot: TermLot, kept: readonly Pool[], take: (lot: TermLot, most: number) => number): void {
  const { start, end } = lot.term;
  for (const pool of kept.toSorted((a, b) => a.end - b.end || a.from - b.from))
    if (pool.left > 0 && pool.from < end && pool.end > start) pool.left -= take(lot, pool.left);
}

/** What ends then, the newest first, and last what had gone on from the month before. */
function newestFirst(given: readonly TermLot[], end: number): readonly TermLot[] {
  const ending = given.filter(({ term }) => term.end === end).toReversed();
  return [...ending.filter(({ rolledOver }) => !rolledOver), ...ending.filter(({ rolledOver }) => rolledOver)];
}

type Fact = { readonly at: number; readonly rank: number } & (
  { readonly lot: TermLot } | { readonly change: ChangedMonth }
);

/**
 * Grants count when their period begins, what went on when its month does, changes by the second in which they were made. Of one
 * second: what went on, and what is withheld; then what is less; then periods, and at last what changes gave; by the ids of invoices.
 */
function inOrder(lots: readonly TermLot[], changes: readonly ChangedMonth[]): readonly Fact[] {
  const facts: Fact[] = [
    ...lots.map((lot) => {
      const rank = lot.rolledOver ? 0 : lot.term.invoiceId === undefined ? 2 : 3;
      return { at: lot.rolledOver ? lot.term.start : lot.term.periodStart, rank, lot };
    }),
    ...changes
      .filter(({ credits, grants }) => credits < 0 || !grants)
      .map((change) => ({ at: change.since, rank: change.credits < 0 ? 1 : 0, change })),
  ];
  return facts.toSorted(
    (a, b) => a.at - b.at || a.rank - b.rank || startOf(a) - startOf(b) || (invoiceOf(a) < invoiceOf(b) ? -1 : 1),
  );
}

const startOf = (fact: Fact): number => ('lot' in fact ? fact.lot.term.start : fact.change.from);
const invoiceOf = (fact: Fact): string => ('lot' in fact ? fact.lot.invoiceId : '');
