/** Seats of a plan that gives so many credits a month for each. */
export type Seats = { readonly plan: string; readonly seats: number; readonly credits: number };

/** What one invoice says from one second on of the periods that end at one time. */
export type Deal = {
  readonly end: number;
  readonly since: number;
  readonly invoiceId: string;
  readonly charged: readonly Seats[];
  readonly givenBack: readonly Seats[];
};

/** A lot of seats, as it was bought. */
type Lot = { readonly plan: string; readonly credits: number; seats: number };

/**
 * By deal: how many credits a month of what it gives back were never given, so that it takes as many less. By the README of the ledger:
 * what no paid invoice bought came in place of something that gives no more, of what is charged again or of what gives the most; what it
 * would have given beyond that is not taken.
 */
export function neverGiven(periods: readonly Deal[], changes: readonly Deal[]): ReadonlyMap<Deal, number> {
  const spared = new Map<Deal, number>();
  for (const end of new Set(changes.map((deal) => deal.end))) {
    let lots: Lot[] = [];
    let unpaid = 0;
    const own = (deals: readonly Deal[]): readonly Deal[] => deals.filter((deal) => deal.end === end);
    const seconds = new Set([...own(periods), ...own(changes)].map(({ since }) => since));
    for (const second of [...seconds].toSorted((a, b) => a - b)) {
      const deals = own(changes)
        .filter(({ since }) => since === second)
        .toSorted((a, b) => (a.invoiceId < b.invoiceId ? -1 : 1));
      const fresh = own(periods).filter(({ since }) => since === second);
      lots.push(...fresh.flatMap(({ charged }) => charged).map((seats) => ({ ...seats })));
      const buys = deals.flatMap(({ charged }) => charged).map((seats): Lot => ({ ...seats }));
      const anything = lots.length > 0;
      // Which of several came first is not known, so what one gives back may be what another charges.
      const before = deals.length === 1 ? lots : [...lots, ...buys];
      const after = deals.length === 1 ? buys : [];
      lots = before;
      for (const gone of anything ? deals.flatMap(({ givenBack }) => givenBack) : []) {
        const missing = giveUp(lots, gone);
        lots = lots.filter(({ seats }) => seats > 0);
        if (missing === 0) continue;
        const worth = missing * gone.credits;
        const replaced = replacedBy(worth, lots, buys);
        if (replaced === null) continue;
        unpaid += worth - (replaced === 'nothing' ? 0 : worthOf(replaced));
        lots = lots.filter((lot) => lot !== replaced);
      }
      lots.push(...after);
      for (const deal of deals) {
        const less = sumOf(deal.givenBack) - sumOf(deal.charged);
        const met = Math.max(0, Math.min(unpaid, less));
        unpaid -= met;
        spared.set(deal, met);
      }
    }
  }
  return spared;
}

const worthOf = ({ seats, credits }: Seats): number => seats * credits;
const sumOf = (all: readonly Seats[]): number => all.reduce((sum, seats) => sum + worthOf(seats), 0);

/** Gives up seats of the lots that were bought last; answers how many there were none of. */
function giveUp(lots: readonly Lot[], { plan, seats }: Seats): number {
  let left = seats;
  for (const lot of lots.filter((one) => one.plan === plan).toReversed()) {
    const part = Math.min(lot.seats, left);
    lot.seats -= part;
    left -= part;
  }
  return left;
}

/** In place of which lot something came that was never paid for; null where that is not known. */
function replacedBy(worth: number, lots: readonly Lot[], buys: readonly Lot[]): Lot | 'nothing' | null {
  if (lots.length === 0) return 'nothing';
  const smaller = lots
    .filter((lot) => worthOf(lot) <= worth)
    .toSorted((a, b) => worthOf(b) - worthOf(a) || (a.plan < b.plan ? -1 : 1));
  return smaller.find(({ plan }) => buys.some((bought) => bought.plan === plan)) ?? smaller[0] ?? null;
}
