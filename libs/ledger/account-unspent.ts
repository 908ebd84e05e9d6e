import type { AccountCommand, AccountRefusal } from './account-commands.js';
import { costOf } from './account-cost.js';
import type { Slice } from './account-events.js';
import { grantOf } from './account-lots.js';
import { compareForBurn } from './account-burn-order.js';
import { openAccount } from './account-opening.js';
import type { Recording } from './account-recording.js';
import { undoRevocation } from './account-revocations.js';
import type { Grant, UnspentClaim } from './account-state.js';

type TakeUnspent = Extract<AccountCommand, { type: 'TakeUnspent' }>;

/**
 * Takes back what a smaller plan no longer includes, as far as it is unspent. The claim stays known until its period ends, so that
 * a grant which is heard of later is settled as it is granted. A cause that is known claims nothing more.
 */
export function takeUnspent(recording: Recording, command: TakeUnspent): AccountRefusal | null {
  const { endsAt, since, amount, cause } = command;
  const known = recording.state.unspentClaims.get(endsAt) ?? [];
  if (endsAt <= recording.moment.at || known.some((claim) => claim.cause.id === cause.id)) return null;
  openAccount(recording);
  recording.record({ type: 'UnspentClaimed', endsAt, since, amount, cause });
  settleUnspent(recording, endsAt);
  return null;
}

/** What each claim takes of each grant. */
type Shares = readonly { readonly claim: UnspentClaim; readonly lots: readonly (readonly [string, number])[] }[];

const lotsEnding = (recording: Recording, endsAt: string): readonly Grant[] =>
  [...recording.state.grants.values()]
    .filter((grant) => grant.source === 'subscription' && grant.expiresAt === endsAt && !grant.scheduled)
    .sort((a, b) =>
      agreedOf(a) === agreedOf(b) ? compareForBurn('purchased-first')(a, b) : agreedOf(a) < agreedOf(b) ? -1 : 1,
    );

/** What tells lots of one period apart, whatever order they were granted in. */
const agreedOf = (grant: Grant): string => `${grant.effectiveAt} ${grant.paymentReference ?? ''}`;

const takenBy = (grant: Grant, id: string): number =>
  grant.revocations.reduce(
    (sum, { cause, amount }) => sum + (cause.kind === 'downgrade' && cause.id === id ? amount : 0),
    0,
  );

/** Claims take by their age, each of what was there before it; the grants give in their order. */
function sharesOf(lots: readonly Grant[], claims: readonly UnspentClaim[]): Shares {
  const left = new Map(
    lots.map((lot) => [lot.id, lot.free + claims.reduce((sum, { cause }) => sum + takenBy(lot, cause.id), 0)]),
  );
  const byAge = claims.toSorted((a, b) => (`${a.since} ${a.cause.id}` < `${b.since} ${b.cause.id}` ? -1 : 1));
  return byAge.map((claim) => {
    let missing = claim.amount;
    const taken = lots.flatMap((lot): [string, number][] => {
      const amount = lot.effectiveAt <= claim.since ? Math.min(missing, left.get(lot.id) ?? 0) : 0;
      missing -= amount;
      left.set(lot.id, (left.get(lot.id) ?? 0) - amount);
      return amount === 0 ? [] : [[lot.id, amount]];
    });
    return { claim, lots: taken };
  });
}

/** Lets the claims on a period have what is unspent now; whatever order all was heard of in, they take the same of the same grants. */
export function settleUnspent(recording: Recording, endsAt: string | null): void {
  const claims = endsAt === null ? undefined : recording.state.unspentClaims.get(endsAt);
  if (claims === undefined || endsAt === null) return;
  const lots = lotsEnding(recording, endsAt);
  const shares = sharesOf(lots, claims);
  const isSettled = shares.every(({ claim, lots: wanted }) => {
    const amounts = new Map(wanted);
    return lots.every((lot) => takenBy(lot, claim.cause.id) === (amounts.get(lot.id) ?? 0));
  });
  if (isSettled) return;
  giveBackUnspent(recording, endsAt);
  for (const { claim, lots: wanted } of shares) {
    if (wanted.length === 0) continue;
    recording.record({
      type: 'CreditsRevoked',
      revocationId: recording.newId('rvk'),
      amount: wanted.reduce((sum, [, amount]) => sum + amount, 0),
      allocations: wanted.map(([grantId, amount]): Slice => {
        const grant = grantOf(recording.state, grantId);
        return { grantId, source: grant.source, amount, cost: costOf(grant, amount) };
      }),
      scheduled: 0,
      expired: 0,
      writtenOff: 0,
      grantId: null,
      cause: claim.cause,
      reason: null,
    });
  }
}

/** Gives back what claims on a period took, for others that come first; `settleUnspent` takes what those leave. */
export function giveBackUnspent(recording: Recording, endsAt: string): void {
  for (const { id: grantId, revocations } of lotsEnding(recording, endsAt)) {
    for (const { cause, amount } of revocations.toReversed()) {
      if (cause.kind === 'downgrade') undoRevocation(recording, { grantId, amount, cause });
    }
  }
}
