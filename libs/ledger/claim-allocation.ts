import { proportion, type Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { RevocationCause } from './account-events.js';
import type { BoughtLine, Claim } from './payment-claims.js';

/** A grant of a payment, as far as claims on the payment concern it. */
export type ClaimedLot = {
  readonly id: string;
  readonly amount: Amount;
  readonly effectiveAt: Instant;
  readonly expiresAt: Instant | null;
  /** The lines of the invoice that bought it; null where it is not known. */
  readonly lines: readonly BoughtLine[] | null;
  /** What nobody used: scheduled, available, expired, or taken by claims, a smaller plan or the end of a subscription. */
  readonly unspent: Amount;
  /** What was used or is reserved by callers, and nobody else has asked back. */
  readonly spent: Amount;
};

/** Credits of one grant. */
export type LotPart = { readonly lotId: string; readonly amount: Amount };

/** A claim, whatever asks. */
export type Asking = Omit<Claim, 'cause'> & { readonly cause: RevocationCause };

/** What one claim meets. `spent` of it becomes debt or is written off; always empty for what is only reserved. */
export type ClaimShare = {
  readonly cause: RevocationCause;
  readonly state: Claim['state'];
  readonly unspent: readonly LotPart[];
  readonly spent: readonly LotPart[];
};

/**
 * What the claims on a payment of `paid` minor units meet of its grants, in the order that the README beside this file gives:
 * claims by their time, what is taken before what is only reserved. Looks at nothing but facts, so the order in which they were
 * reported makes no difference. All claims together never take more than there is.
 */
export function allocate(lots: readonly ClaimedLot[], paid: number, claims: readonly Asking[]): readonly ClaimShare[] {
  if (paid <= 0 || lots.length === 0) return [];
  const demands = new Demands(lots, paid);
  const unspent = new Map(lots.map((lot) => [lot.id, lot.unspent]));
  const spent = new Map(lots.map((lot) => [lot.id, lot.spent]));
  const inOrder = [...claims.filter(isTaken), ...claims.filter((claim) => !isTaken(claim))];
  return inOrder.map((claim): ClaimShare => {
    const share = { unspent: new Map<string, Amount>(), spent: new Map<string, Amount>() };
    for (const demand of demands.of(claim)) {
      const order = inOrderFor(demand.lots, claim.since);
      const missing = demand.credits - meet(order, demand.credits, unspent, share.unspent);
      if (isTaken(claim)) meet(order, missing, spent, share.spent);
    }
    return { cause: claim.cause, state: claim.state, unspent: partsOf(share.unspent), spent: partsOf(share.spent) };
  });
}

const isTaken = ({ state }: Asking): boolean => state === 'taken';

const partsOf = (amounts: ReadonlyMap<string, Amount>): readonly LotPart[] =>
  [...amounts].map(([lotId, amount]) => ({ lotId, amount }));

/** Moves up to `wanted` credits from what is `left` of the lots, in their order, to `met`. Answers how many. */
function meet(
  order: readonly ClaimedLot[],
  wanted: Amount,
  left: Map<string, Amount>,
  met: Map<string, Amount>,
): Amount {
  let missing = wanted;
  for (const { id } of order) {
    const amount = Math.min(missing, left.get(id) ?? 0);
    if (amount <= 0) continue;
    missing -= amount;
    left.set(id, (left.get(id) ?? 0) - amount);
    met.set(id, (met.get(id) ?? 0) + amount);
  }
  return wanted - missing;
}

/** First what had not begun at the time of the claim, the last first; then by expiry, the soonest first, never last. */
function inOrderFor(lots: readonly ClaimedLot[], since: Instant): readonly ClaimedLot[] {
  const begun = (lot: ClaimedLot): boolean => lot.effectiveAt <= since;
  return lots.toSorted((a, b) => {
    if (begun(a) !== begun(b)) return begun(a) ? 1 : -1;
    return begun(a) ? byExpiry(a, b) : byEffect(b, a);
  });
}

/** A year after the last instant that can be written: sorts after every expiry. */
const NEVER = '~';

const byExpiry = (a: ClaimedLot, b: ClaimedLot): number =>
  compare(a.expiresAt ?? NEVER, b.expiresAt ?? NEVER) || byEffect(a, b);

/** Grants that are alike are told apart by what bought them, and not by when they were recorded. */
const byEffect = (a: ClaimedLot, b: ClaimedLot): number =>
  compare(a.effectiveAt, b.effectiveAt) ||
  compare(namesOf(a), namesOf(b)) ||
  a.amount - b.amount ||
  compare(a.id, b.id);

const namesOf = ({ lines }: ClaimedLot): string => (lines ?? []).map(({ id }) => id).join(' ');

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

type Demand = { readonly lots: readonly ClaimedLot[]; readonly credits: Amount };

/** How many credits of which lots a claim asks for: by running totals, so that the parts of a sum add up exactly. */
class Demands {
  readonly #ofAll = { claimed: 0 };
  readonly #ofLine = new Map<string, { claimed: number }>();
  readonly #linesAreKnown: boolean;

  constructor(
    private readonly lots: readonly ClaimedLot[],
    private readonly paid: number,
  ) {
    this.#linesAreKnown = lots.some(({ lines }) => lines !== null);
  }

  /** Lines that bought no credits ask for none. Where no grant knows its lines, a claim is a share of all. */
  of({ amount, byLines }: Asking): readonly Demand[] {
    if (byLines === undefined || !this.#linesAreKnown) return [this.#next(this.#ofAll, amount, this.paid, this.lots)];
    const demands = byLines.lines.flatMap(({ id, amount: ofLine }) => {
      const lots = this.lots.filter(({ lines }) => lines?.some((line) => line.id === id) === true);
      const lines = new Map(lots.flatMap((lot) => (lot.lines ?? []).map((line) => [line.id, line.amount] as const)));
      const cost = [...lines.values()].reduce((sum, each) => sum + each, 0);
      if (cost <= 0) return [];
      const name = [...lines.keys()].sort().join(' ');
      const total = this.#ofLine.get(name) ?? { claimed: 0 };
      this.#ofLine.set(name, total);
      return [this.#next(total, ofLine, cost, lots)];
    });
    return [...demands, this.#next(this.#ofAll, amount - byLines.money, this.paid, this.lots)];
  }

  #next(total: { claimed: number }, money: number, paid: number, lots: readonly ClaimedLot[]): Demand {
    const granted = lots.reduce((sum, { amount }) => sum + amount, 0);
    const before = proportion(granted, total.claimed, paid);
    total.claimed = Math.min(paid, total.claimed + money);
    return { lots, credits: proportion(granted, total.claimed, paid) - before };
  }
}
