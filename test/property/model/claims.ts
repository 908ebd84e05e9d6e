import type { Claim } from '#ledger/payment/claims.js';
import { shareOf, sum } from './books.js';

/** A grant of a payment: what nobody has used of it, and what was used or is reserved for work. */
export type ClaimedLot = {
  readonly grant: number;
  readonly amount: number;
  readonly effectiveAt: string;
  readonly expiresAt: string | null;
  readonly unspent: number;
  /** Taken by an operator. */
  readonly withdrawn: number;
  /** Given to other customers. */
  readonly given: number;
  readonly spent: number;
};

/** What one claim has of one grant. */
export type Share = {
  readonly grant: number;
  readonly claim: Claim;
  readonly unspent: number;
  /** To be given by who received it. */
  readonly given: number;
  readonly spent: number;
};

/**
 * What the claims on a payment of `paid` meet of its grants: claims in the order of their times, what is taken before what is
 * only reserved; each first what had not begun at its time, the last first, then by expiry; then what an operator took of it, then what was
 * given to others, and at last what is spent.
 */
export function sharesOfClaims(lots: readonly ClaimedLot[], paid: number, claims: readonly Claim[]): readonly Share[] {
  const shares: Share[] = [];
  const granted = sum(lots.map(({ amount }) => amount));
  const left = new Map(
    lots.map(({ grant, unspent, withdrawn, given, spent }) => [grant, { unspent, withdrawn, given, spent }]),
  );
  let claimed = 0;
  for (const claim of [...claims.filter(isTaken), ...claims.filter((one) => !isTaken(one))]) {
    const upTo = Math.min(paid, claimed + claim.amount);
    let missing = paid === 0 ? 0 : shareOf(granted, upTo, paid) - shareOf(granted, claimed, paid);
    claimed = upTo;
    for (const kind of isTaken(claim)
      ? (['unspent', 'withdrawn', 'given', 'spent'] as const)
      : (['unspent', 'withdrawn', 'given'] as const)) {
      for (const { grant } of inOrderFor(lots, claim.since)) {
        const part = Math.min(missing, left.get(grant)![kind]);
        left.get(grant)![kind] -= part;
        missing -= part;
        if (part > 0 && kind !== 'withdrawn')
          shares.push({ grant, claim, unspent: 0, given: 0, spent: 0, [kind]: part });
      }
    }
  }
  return shares;
}

const isTaken = ({ state }: Claim): boolean => state === 'taken';

function inOrderFor(lots: readonly ClaimedLot[], since: string): readonly ClaimedLot[] {
  const ahead = lots.filter(({ effectiveAt }) => effectiveAt > since);
  const begun = lots.filter(({ effectiveAt }) => effectiveAt <= since);
  const byEffect = (a: ClaimedLot, b: ClaimedLot): number => (a.effectiveAt < b.effectiveAt ? -1 : 1);
  const never = '~';
  return [
    ...ahead.toSorted((a, b) => byEffect(b, a)),
    ...begun.toSorted((a, b) => {
      const [first, second] = [a.expiresAt ?? never, b.expiresAt ?? never];
      return first === second ? byEffect(a, b) : first < second ? -1 : 1;
    }),
  ];
}
