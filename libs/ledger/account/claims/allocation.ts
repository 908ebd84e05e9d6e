import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { RevocationCause } from '../events.js';
import { Demands, type Asking, type ClaimedLot } from './demands.js';
import type { Claim, Paid } from '../../payment/claims.js';

/** Credits of one grant. */
export type LotPart = { readonly lotId: string; readonly amount: Amount };

/**
 * What one claim meets. `given` of it is for the customers to give who received the credits. `spent` of it becomes debt or is written
 * off; always empty for what is only reserved.
 */
export type ClaimShare = {
  readonly cause: RevocationCause;
  readonly state: Claim['state'];
  readonly since: Instant;
  readonly unspent: readonly LotPart[];
  readonly given: readonly LotPart[];
  readonly spent: readonly LotPart[];
};

/**
 * What the claims on what was `paid` meet of the grants that it bought, in the order that the README beside this file gives: claims
 * by their time, what is taken before what is only reserved. Looks at nothing but facts, so the order in which they were reported
 * makes no difference. All claims together never take more than there is.
 */
export function allocate(lots: readonly ClaimedLot[], paid: Paid, claims: readonly Asking[]): readonly ClaimShare[] {
  if (paid.paid <= 0 || lots.length === 0) return [];
  const demands = new Demands(lots, paid);
  const unspent = new Map(lots.map((lot) => [lot.id, lot.unspent]));
  const withdrawn = new Map(lots.map((lot) => [lot.id, lot.withdrawn]));
  const given = new Map(lots.map((lot) => [lot.id, lot.given]));
  const spent = new Map(lots.map((lot) => [lot.id, lot.spent]));
  const inOrder = [...claims.filter(isTaken), ...claims.filter((claim) => !isTaken(claim))];
  return inOrder.map((claim): ClaimShare => {
    const share = {
      unspent: new Map<string, Amount>(),
      given: new Map<string, Amount>(),
      spent: new Map<string, Amount>(),
    };
    // What is only reserved is nothing of what is spent, but counts as if it were.
    const ofSpent = isTaken(claim) ? share.spent : new Map<string, Amount>();
    demands.meet(claim, (among, credits) => {
      const order = inOrderFor(among, claim.since);
      const here = meet(order, credits, unspent, share.unspent);
      const ofSender = here + meet(order, credits - here, withdrawn, new Map());
      const met = ofSender + meet(order, credits - ofSender, given, share.given);
      return met + meet(order, credits - met, spent, ofSpent);
    });
    const { cause, state, since } = claim;
    return {
      ...{ cause, state, since },
      unspent: partsOf(share.unspent),
      given: partsOf(share.given),
      spent: partsOf(share.spent),
    };
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
    const byTime = begun(a) ? byExpiry(a, b) : compare(b.effectiveAt, a.effectiveAt);
    return byTime || byLines(a, b) || a.amount - b.amount || compare(a.id, b.id);
  });
}

/** A year after the last instant that can be written: sorts after every expiry. */
const NEVER = '~';

const byExpiry = (a: ClaimedLot, b: ClaimedLot): number =>
  compare(a.expiresAt ?? NEVER, b.expiresAt ?? NEVER) || compare(a.effectiveAt, b.effectiveAt);

/** Grants of the same time are told apart by what bought them, and not by when they were recorded: a claim by lines may follow. */
const byLines = (a: ClaimedLot, b: ClaimedLot): number => compare(firstLineOf(a), firstLineOf(b));

const firstLineOf = ({ lines }: ClaimedLot): string =>
  (lines ?? []).reduce<string | null>((first, { id }) => (first === null || id < first ? id : first), null) ?? '';

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);
