import type { DuePayment } from './books.js';
import { shareOf } from './calendar.js';
import type { Claim } from './payment-books.js';

/** A grant that a payment bought, and what became of its credits. */
export type Lot = {
  readonly id: string;
  readonly amount: number;
  readonly startsAt: number;
  readonly expiresAt: number | null;
  readonly lines: readonly string[];
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
  const demands = new Demands(payment, lots, lineAmounts);
  const inOrder = [...payment.claims.filter(({ taken }) => taken), ...payment.claims.filter(({ taken }) => !taken)];
  for (const claim of inOrder) {
    for (const { among, credits } of demands.of(claim)) {
      let missing = credits;
      const order = inOrderOf(among, claim.since);
      for (const lot of order) {
        const known = met.get(lot.id)!;
        const part = Math.min(missing, lot.unspent - known.unspent - known.reserved);
        known[claim.taken ? 'unspent' : 'reserved'] += part;
        missing -= part;
      }
      if (!claim.taken) continue;
      for (const lot of order) {
        const known = met.get(lot.id)!;
        const part = Math.min(missing, lot.spent - known.spent);
        known.spent += part;
        missing -= part;
      }
    }
  }
  return met;
}

function inOrderOf(lots: readonly Lot[], since: number): readonly Lot[] {
  const ahead = lots.filter(({ startsAt }) => startsAt > since).toSorted((a, b) => b.startsAt - a.startsAt);
  const begun = lots
    .filter(({ startsAt }) => startsAt <= since)
    .toSorted((a, b) => (a.expiresAt ?? Infinity) - (b.expiresAt ?? Infinity) || a.startsAt - b.startsAt);
  return [...ahead, ...begun];
}

type Demand = { readonly among: readonly Lot[]; readonly credits: number };

/** How many credits each claim asks for: by running totals, of the whole payment and of lines. */
class Demands {
  readonly #claimed = new Map<string, number>();

  constructor(
    private readonly payment: DuePayment,
    private readonly lots: readonly Lot[],
    private readonly lineAmounts: ReadonlyMap<string, number>,
  ) {}

  of({ amount: whole, byLines, beyondLines }: Claim): readonly Demand[] {
    // What a session sold does not know the lines of its invoice: a note on them is a share of all.
    if (this.lots.every(({ lines }) => lines.length === 0))
      return [{ among: this.lots, credits: this.#share('all', whole, this.payment.paid, this.lots) }];
    const demands = byLines.map(({ line, amount }): Demand => {
      const among = this.lots.filter(({ lines }) => lines.includes(line));
      const lines = [...new Set(among.flatMap((lot) => lot.lines))].sort();
      const cost = lines.reduce((sum, id) => sum + (this.lineAmounts.get(id) ?? 0), 0);
      return { among, credits: this.#share(lines.join(' '), amount, cost, among) };
    });
    return [...demands, { among: this.lots, credits: this.#share('all', beyondLines, this.payment.paid, this.lots) }];
  }

  #share(name: string, money: number, paid: number, among: readonly Lot[]): number {
    if (paid <= 0) return 0;
    const credits = among.reduce((sum, { amount }) => sum + amount, 0);
    const before = this.#claimed.get(name) ?? 0;
    const after = Math.min(paid, before + money);
    this.#claimed.set(name, after);
    return shareOf(credits, after, paid) - shareOf(credits, before, paid);
  }
}
