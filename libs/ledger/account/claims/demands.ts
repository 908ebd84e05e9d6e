import { proportion, type Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { RevocationCause } from '../events.js';
import type { BoughtLine, ByLines, Claim, Paid } from '../../payment/claims.js';

/** A grant of a payment, as far as claims on the payment concern it. */
export type ClaimedLot = {
  readonly id: string;
  readonly amount: Amount;
  readonly effectiveAt: Instant;
  readonly expiresAt: Instant | null;
  /** The lines of the invoice that bought it; null where it is not known. */
  readonly lines: readonly BoughtLine[] | null;
  /** Minor units of its cost basis; 0 for what cost nothing. */
  readonly cost: number;
  /** What nobody used: scheduled, available, expired, or taken by claims, a smaller plan or the end of a subscription. */
  readonly unspent: Amount;
  /** What an operator took when nobody had used it: it meets what claims ask for, and is gone already. */
  readonly withdrawn: Amount;
  /** What was given to other customers: nobody here used it. */
  readonly given: Amount;
  /** What was used or is reserved by callers. */
  readonly spent: Amount;
};

/** A claim, whatever asks. */
export type Asking = Omit<Claim, 'cause'> & { readonly cause: RevocationCause };

/** Takes up to so many credits of the lots for a claim. Answers how many there were. */
type Take = (lots: readonly ClaimedLot[], credits: Amount) => Amount;

/** Money that claims are a share of, the credits that it bought, and how much of the money is claimed. */
type Base = { readonly money: number; readonly credits: Amount; readonly claimed: number };

/** The lines that bought a lot, as one name; empty where they are not known. */
const namesOf = ({ lines }: ClaimedLot): string => (lines ?? []).map(({ id }) => id).join(' ');

const amountOf = (lots: readonly ClaimedLot[]): Amount => lots.reduce((sum, { amount }) => sum + amount, 0);
const moneyOf = (lines: readonly BoughtLine[]): number => lines.reduce((sum, { amount }) => sum + amount, 0);
const isNamed = (lot: ClaimedLot): boolean => namesOf(lot) !== '';

/** What goes back of the base's credits with so much of its money. */
const creditsFor = ({ money, credits }: Base, claimed: number): Amount =>
  money <= 0 ? 0 : proportion(credits, claimed, money);

/** The lots that cost something: what was free has no share in money that goes back. Lots of the same lines cost their sum. */
function paidLots(lots: readonly ClaimedLot[]): readonly ClaimedLot[] {
  const costs = new Map<string, number>();
  for (const lot of lots) costs.set(namesOf(lot), (costs.get(namesOf(lot)) ?? 0) + lot.cost);
  return lots.filter((lot) => !isNamed(lot) || (costs.get(namesOf(lot)) ?? 0) > 0);
}

/**
 * How many credits of which lots claims ask for, one after the other: by running totals, so that the parts of a sum add up exactly. A
 * claim by lines asks for what those bought. Any other is a share of what claims by lines have left, of the money as of the credits.
 */
export class Demands {
  readonly #lots: readonly ClaimedLot[];
  /** Lots of which it is not known which lines bought them. */
  readonly #unnamed: readonly ClaimedLot[];
  readonly #linesOfLots: ReadonlySet<string>;
  readonly #byName = new Map<string, Base>();
  #overpaid: number;
  #left: Base;

  constructor(
    lots: readonly ClaimedLot[],
    private readonly paid: Paid,
  ) {
    this.#lots = paidLots(lots);
    this.#unnamed = this.#lots.filter((lot) => !isNamed(lot));
    this.#linesOfLots = new Set(lots.flatMap(({ lines }) => (lines ?? []).map(({ id }) => id)));
    this.#overpaid = paid.overpaid ?? 0;
    const before = (paid.creditedBefore ?? []).reduce((sum, credited) => sum + this.#creditedElsewhere(credited), 0);
    this.#left = { money: Math.max(0, paid.paid - before), credits: amountOf(this.#lots), claimed: 0 };
  }

  /** Takes what the next claim asks for. With the last of the money goes all that is left. */
  meet({ amount, byLines }: Asking, take: Take): void {
    const read = this.#linesOfLots.size === 0 ? undefined : byLines;
    this.#meetShare(amount - (read?.money ?? 0), take);
    if (read === undefined) return;
    this.#meetLines(read, take);
    if (this.#left.money === 0) take(this.#lots, this.#left.credits);
  }

  #meetShare(amount: number, take: Take): void {
    const overpaid = Math.min(this.#overpaid, amount);
    this.#overpaid -= overpaid;
    const before = this.#left;
    this.#left = { ...before, claimed: Math.min(before.money, before.claimed + amount - overpaid) };
    take(this.#lots, creditsFor(this.#left, this.#left.claimed) - creditsFor(before, before.claimed));
  }

  #meetLines(byLines: ByLines, take: Take): void {
    let met = 0;
    for (const { id, amount } of byLines.lines) {
      const lots = this.#lots.filter(({ lines }) => lines?.some((line) => line.id === id) === true);
      const lines = new Map(lots.flatMap((lot) => (lot.lines ?? []).map((line) => [line.id, line.amount] as const)));
      // What the lines charged: what they gave back of another plan was no price.
      const charged = [...lines.values()].reduce((sum, each) => sum + Math.max(0, each), 0);
      met += take(lots, this.#next([...lines.keys()].sort().join(' '), charged, lots, amount));
    }
    const elsewhere = this.#elsewhere(byLines);
    met += take(this.#unnamed, this.#next('', this.paid.paid, this.#unnamed, elsewhere));
    const { money, credits, claimed } = this.#left;
    this.#left = {
      money: Math.max(0, money - claimed - byLines.money),
      credits: Math.max(0, credits - creditsFor(this.#left, claimed) - met),
      claimed: 0,
    };
  }

  #next(name: string, money: number, lots: readonly ClaimedLot[], more: number): Amount {
    const base = { money, credits: amountOf(lots), claimed: this.#byName.get(name)?.claimed ?? 0 };
    const claimed = Math.min(money, base.claimed + more);
    this.#byName.set(name, { ...base, claimed });
    return creditsFor(base, claimed) - creditsFor(base, base.claimed);
  }

  /** What of the money is for lines of which no lot is known to be bought. */
  #elsewhere({ money, lines }: ByLines): number {
    const others = lines.filter(({ id }) => !this.#linesOfLots.has(id));
    return others.length === 0 ? 0 : proportion(money, moneyOf(others), Math.max(1, moneyOf(lines)));
  }

  /** Of a note before the payment; what it took off a line that bought credits was paid for them all the same. */
  #creditedElsewhere(credited: ByLines): number {
    return this.#linesOfLots.size === 0 || this.#unnamed.length > 0 ? 0 : this.#elsewhere(credited);
  }
}
