import type { Amount } from '#kernel/amount.js';
import { instantOf, later, msOf, plusMs, type Instant } from '#kernel/instant.js';
import { compareForBurn } from '../grants/burn-order.js';
import { standing } from '../debt.js';
import type { AccountState, Grant } from '../state.js';
import { insertSorted } from '../../sorted.js';

/** What was consumed from one instant until another, less what was given back meanwhile. */
export type ForecastBasis = { readonly from: Instant; readonly to: Instant; readonly consumed: Amount };

export type Forecast = {
  /** Credits a day, as decimal text of at most six decimals. */
  readonly perDay: string;
  /** Days until `runsOutAt`, with two decimals; null where that is. */
  readonly daysLeft: number | null;
  /** The first instant with nothing available; null when nothing is consumed, or when it is more than a hundred years away. */
  readonly runsOutAt: Instant | null;
  /** What would expire unused of each grant, soonest first. */
  readonly expiringUnused: readonly { readonly grantId: string; readonly at: Instant; readonly amount: Amount }[];
};

const DAY_MS = 86_400_000;
/** What the rate is the mean of. */
const BASIS_MS = 28 * DAY_MS;
const HORIZON_MS = 100 * 365 * DAY_MS;

/** All that was ever consumed of an account and not given back, with what was consumed on credit. */
export function consumedIn({ grants, debts }: AccountState): bigint {
  let sum = 0n;
  for (const { consumed } of grants.values()) sum += BigInt(consumed);
  for (const debt of debts.values()) if (debt.cause.kind === 'overdraft') sum += BigInt(standing(debt));
  return sum;
}

/**
 * From when to `to` consumption is looked at: 28 days, or the life of the account if that is shorter, but at least a day, so that the first
 * hour of an account is not taken for its habit.
 */
export const basisFrom = (openedAt: Instant | null, to: Instant): Instant => {
  const first = openedAt ?? to;
  const youngest = plusMs(to, -DAY_MS);
  return first > youngest ? youngest : later(first, plusMs(to, -BASIS_MS));
};

/** The basis of a forecast: `before` is the account as it was at `from`, null when it was not there yet. */
export function basisOf(
  before: AccountState | null,
  now: AccountState,
  period: { readonly from: Instant; readonly to: Instant },
): ForecastBasis {
  const used = consumedIn(now) - (before === null ? 0n : consumedIn(before));
  return { ...period, consumed: Number(used < 0n ? 0n : used) };
}

/**
 * What becomes of an account that goes on consuming at the rate of `basis`: one credit after another, evenly, from the grants that can be
 * spent then, in the account's burn order. What is held counts as used; what is wanted while nothing is available is lost; a scheduled
 * grant repays what is owed first. Time must have passed in `state` until `basis.to`, where the forecast begins.
 */
export function forecastOf(state: AccountState, basis: ForecastBasis): Forecast {
  const future = new Future(state, basis);
  const { unused, runsOutAt } = future.run();
  const begin = msOf(basis.to);
  const isKnown = basis.consumed > 0 && runsOutAt !== null && runsOutAt - begin <= HORIZON_MS;
  return {
    perDay: perDay(basis),
    daysLeft: isKnown ? Math.round(((runsOutAt - begin) / DAY_MS) * 100) / 100 : null,
    runsOutAt: isKnown ? instantOf(runsOutAt) : null,
    expiringUnused: unused,
  };
}

function perDay({ from, to, consumed }: ForecastBasis): string {
  const span = BigInt(msOf(to) - msOf(from));
  const millionths = (2n * BigInt(consumed) * BigInt(DAY_MS) * 1_000_000n + span) / (2n * span);
  const [whole, rest] = [millionths / 1_000_000n, millionths % 1_000_000n];
  const decimals = String(rest).padStart(6, '0').replace(/0+$/, '');
  return decimals === '' ? String(whole) : `${String(whole)}.${decimals}`;
}

/** A grant becomes effective, or ends. */
type Turn = { readonly at: Instant; readonly kind: 'begin' | 'end'; readonly grant: Grant };
type Outcome = { readonly unused: Forecast['expiringUnused']; readonly runsOutAt: number | null };

class Future {
  readonly #begin: number;
  readonly #rate: { readonly consumed: bigint; readonly span: bigint };
  readonly #compare: (a: Grant, b: Grant) => number;
  readonly #turns: readonly Turn[];
  /** What is left of each grant. */
  readonly #left = new Map<string, Amount>();
  readonly #unused: { grantId: string; at: Instant; amount: Amount }[] = [];
  #spendable: readonly Grant[];
  #available: Amount;
  #owed: Amount;
  /** How many credits were wanted by now. */
  #wanted = 0n;
  #runsOutAt: number | null = null;

  constructor(state: AccountState, { from, to, consumed }: ForecastBasis) {
    this.#begin = msOf(to);
    this.#rate = { consumed: BigInt(consumed), span: BigInt(msOf(to) - msOf(from)) };
    this.#compare = compareForBurn(state.settings.burnOrder);
    this.#spendable = state.spendable;
    this.#available = state.balance.available;
    this.#owed = state.balance.debt;
    const lots = [...state.grants.values()].filter(({ free }) => free > 0);
    for (const { id, free } of lots) this.#left.set(id, free);
    this.#turns = lots.flatMap(turnsOf).sort(compareTurns);
  }

  run(): Outcome {
    if (this.#available === 0) this.#runsOutAt = this.#begin;
    for (const [index, turn] of this.#turns.entries()) {
      this.#spend(this.#wantedBefore(msOf(turn.at)) - this.#wanted);
      if (turn.kind === 'begin') this.#start(turn.grant);
      else this.#end(turn.grant, turn.at);
      // At one instant all begins and ends before anything else is looked at.
      if (this.#turns[index + 1]?.at === turn.at) continue;
      this.#repay();
      if (this.#available === 0) this.#runsOutAt ??= msOf(turn.at);
    }
    if (this.#runsOutAt === null && this.#rate.consumed > 0n)
      this.#runsOutAt = this.#instantOf(this.#wanted + BigInt(this.#available));
    return { unused: this.#unused, runsOutAt: this.#runsOutAt };
  }

  /** How many credits are wanted before an instant: the nth of them is, n spans ÷ consumed after the beginning. */
  #wantedBefore(at: number): bigint {
    const { consumed, span } = this.#rate;
    const product = BigInt(at - this.#begin) * consumed;
    return product <= 0n ? 0n : (product - 1n) / span;
  }

  /** When so many credits are wanted. */
  #instantOf(wanted: bigint): number {
    const { consumed, span } = this.#rate;
    return this.#begin + Number((wanted * span + consumed - 1n) / consumed);
  }

  #spend(wanted: bigint): void {
    const before = this.#wanted;
    this.#wanted += wanted;
    let rest = wanted > BigInt(this.#available) ? this.#available : Number(wanted);
    if (rest === this.#available && rest > 0) this.#runsOutAt ??= this.#instantOf(before + BigInt(rest));
    this.#available -= rest;
    let used = 0;
    for (const grant of this.#spendable) {
      if (rest === 0) break;
      const left = this.#leftOf(grant);
      const taken = Math.min(left, rest);
      this.#left.set(grant.id, left - taken);
      rest -= taken;
      if (taken === left) used += 1;
    }
    if (used > 0) this.#spendable = this.#spendable.slice(used);
  }

  #start(grant: Grant): void {
    this.#spendable = insertSorted(this.#spendable, grant, this.#compare);
    this.#available += this.#leftOf(grant);
  }

  #end(grant: Grant, at: Instant): void {
    const amount = this.#leftOf(grant);
    if (amount === 0) return;
    this.#left.set(grant.id, 0);
    this.#available -= amount;
    this.#spendable = this.#spendable.filter(({ id }) => id !== grant.id);
    this.#unused.push({ grantId: grant.id, at, amount });
  }

  /** What can be spent pays what is owed first, the oldest grant first. */
  #repay(): void {
    if (this.#owed === 0 || this.#available === 0) return;
    for (const grant of this.#spendable.toSorted((a, b) => a.revision - b.revision)) {
      const left = this.#leftOf(grant);
      const paid = Math.min(left, this.#owed);
      this.#left.set(grant.id, left - paid);
      this.#available -= paid;
      this.#owed -= paid;
    }
    this.#spendable = this.#spendable.filter((grant) => this.#leftOf(grant) > 0);
  }

  #leftOf = ({ id }: Grant): Amount => this.#left.get(id) ?? 0;
}

function turnsOf(grant: Grant): readonly Turn[] {
  const { scheduled, effectiveAt, expiresAt } = grant;
  return [
    ...(scheduled ? [{ at: effectiveAt, kind: 'begin', grant } as const] : []),
    ...(expiresAt === null ? [] : [{ at: expiresAt, kind: 'end', grant } as const]),
  ];
}

/** At one instant what begins comes first, as in the account itself. */
const compareTurns = (a: Turn, b: Turn): number => {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1;
  if (a.kind !== b.kind) return a.kind === 'begin' ? -1 : 1;
  return a.grant.id < b.grant.id ? -1 : 1;
};
