import type { DuePayment } from './books.js';
import { shareOf } from './calendar.js';
import type { Claim } from './payment-books.js';

/** A grant that a payment bought, and what became of its credits. */
export type Lot = {
  readonly id: string;
  readonly amount: number;
  readonly startsAt: number;
  readonly expiresAt: number | null;
  /** None where it is not known. */
  readonly lines: readonly string[];
  readonly cost: number;
  /** What nobody has used. */
  readonly unspent: number;
  readonly spent: number;
};

/** What claims have of a grant: unspent credits, spent ones (debt, or written off), and what they reserve. */
export type Claimed = { unspent: number; spent: number; reserved: number };

/**
 * What the claims on a payment meet, by the README of the ledger: in the order of their times, each first what had not begun, the
 * last first, then by expiry, and what exceeds all that is unspent is spent credits.
 */
export function claimedOf(
  payment: DuePayment,
  lots: readonly Lot[],
  lineAmounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, Claimed> {
  const met = new Map(lots.map(({ id }) => [id, { unspent: 0, spent: 0, reserved: 0 }]));
  const virtual = new Map<string, number>();
  const meet = (claim: Claim, among: readonly Lot[], credits: number): number => {
    let missing = credits;
    const order = inOrderOf(among, claim.since);
    for (const lot of order) {
      const known = met.get(lot.id)!;
      const part = Math.min(missing, lot.unspent - known.unspent - known.reserved);
      known[claim.taken ? 'unspent' : 'reserved'] += part;
      missing -= part;
    }
    for (const lot of order) {
      const known = met.get(lot.id)!;
      const ahead = virtual.get(lot.id) ?? 0;
      const part = Math.min(missing, lot.spent - known.spent - ahead);
      if (claim.taken) known.spent += part;
      else virtual.set(lot.id, ahead + part);
      missing -= part;
    }
    return credits - missing;
  };
  const state = new MoneyLeft(payment, lots, lineAmounts);
  const inOrder = [...payment.claims.filter(({ taken }) => taken), ...payment.claims.filter(({ taken }) => !taken)];
  for (const claim of inOrder) state.goBack(claim, (among, credits) => meet(claim, among, credits));
  return met;
}

/** Of what begins and ends alike, by the smallest id of the lines that bought it. */
function inOrderOf(lots: readonly Lot[], since: number): readonly Lot[] {
  const byLine = lots.toSorted((a, b) => ((a.lines.toSorted()[0] ?? '') < (b.lines.toSorted()[0] ?? '') ? -1 : 1));
  const ahead = byLine.filter(({ startsAt }) => startsAt > since).toSorted((a, b) => b.startsAt - a.startsAt);
  const begun = byLine
    .filter(({ startsAt }) => startsAt <= since)
    .toSorted((a, b) => (a.expiresAt ?? Infinity) - (b.expiresAt ?? Infinity) || a.startsAt - b.startsAt);
  return [...ahead, ...begun];
}

type Meet = (among: readonly Lot[], credits: number) => number;

/** What of a payment's money is not back, and of its credits not claimed; a claim by lines begins both again. */
class MoneyLeft {
  readonly #lots: readonly Lot[];
  readonly #ofLines = new Map<string, number>();
  #ofUnknownLines = 0;
  #money: number;
  #credits: number;
  /** What claims that name no lines have had of the money since. */
  #shared = 0;

  constructor(
    private readonly payment: DuePayment,
    private readonly all: readonly Lot[],
    private readonly lineAmounts: ReadonlyMap<string, number>,
  ) {
    const costOf = (lot: Lot): number =>
      all.reduce((sum, { lines, cost }) => (lines.join() === lot.lines.join() ? sum + cost : sum), 0);
    this.#lots = all.filter((lot) => lot.lines.length === 0 || costOf(lot) > 0);
    this.#money = payment.paid;
    this.#credits = creditsOf(this.#lots);
  }

  goBack({ amount, byLines, beyondLines }: Claim, meet: Meet): void {
    if (this.payment.paid <= 0) return;
    const named = byLines.length > 0 && this.all.some(({ lines }) => lines.length > 0);
    const before = this.#shared;
    this.#shared = Math.min(this.#money, before + (named ? beyondLines : amount));
    meet(this.#lots, part(this.#credits, before, this.#shared, this.#money));
    if (!named) return;
    const met = this.#byLines(byLines, amount - beyondLines, meet);
    this.#credits -= part(this.#credits, 0, this.#shared, this.#money) + met;
    this.#money = Math.max(0, this.#money - this.#shared - (amount - beyondLines));
    this.#shared = 0;
    if (this.#money === 0) meet(this.#lots, this.#credits);
  }

  #byLines(byLines: Claim['byLines'], money: number, meet: Meet): number {
    const whole = byLines.reduce((sum, line) => sum + line.amount, 0);
    let [met, unknown] = [0, 0];
    for (const { line, amount } of byLines) {
      if (!this.all.some(({ lines }) => lines.includes(line))) unknown += amount;
      const among = this.#lots.filter(({ lines }) => lines.includes(line));
      const lines = [...new Set(among.flatMap((lot) => lot.lines))].sort();
      const charged = lines.reduce((sum, id) => sum + Math.max(0, this.lineAmounts.get(id) ?? 0), 0);
      const before = this.#ofLines.get(lines.join()) ?? 0;
      const after = Math.min(charged, before + amount);
      this.#ofLines.set(lines.join(), after);
      met += meet(among, part(creditsOf(among), before, after, charged));
    }
    const among = this.#lots.filter(({ lines }) => lines.length === 0);
    const before = this.#ofUnknownLines;
    this.#ofUnknownLines = Math.min(this.payment.paid, before + shareOf(money, unknown, Math.max(1, whole)));
    return met + meet(among, part(creditsOf(among), before, this.#ofUnknownLines, this.payment.paid));
  }
}

const creditsOf = (lots: readonly Lot[]): number => lots.reduce((sum, { amount }) => sum + amount, 0);

const part = (credits: number, from: number, to: number, whole: number): number =>
  whole <= 0 ? 0 : shareOf(credits, to, whole) - shareOf(credits, from, whole);
