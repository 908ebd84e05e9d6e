import type { Amount } from '#kernel/amount.js';
import { standing } from '../debt.js';
import type { FollowingClaim, RevocationCause } from '../events.js';
import type { AccountState, Grant, Hold, Revocation } from '../state.js';
import { claimedUnder, sameCause } from '../grants/lots.js';
import { factsOf } from '../terms/facts.js';
import { allocate, type ClaimShare } from './allocation.js';
import type { Asking, ClaimedLot } from './demands.js';
import type { Paid } from '../../payment/claims.js';

/** What of a grant's credits is asked back, and by which claim. */
export type Asked = { readonly cause: RevocationCause; readonly amount: Amount };

/** How many of the first are the same: what comes after them is undone, the newest first, and taken again, for the sake of the cents. */
export function sameUpTo(before: readonly Asked[], after: readonly Asked[]): number {
  const differs = after.findIndex(({ cause, amount }, index) => {
    const other = before[index];
    return other === undefined || other.amount !== amount || !sameCause(other.cause, cause);
  });
  return differs === -1 ? after.length : differs;
}

/** What claims have of a grant: unspent credits in the order in which they were taken, spent ones, and what they reserve. */
export type OfGrant = {
  readonly taken: readonly Asked[];
  readonly spent: readonly Asked[];
  readonly held: Amount;
};
/** The same as it has to be. `given`: what other customers have to give of the grant's credits that were transferred to them. */
export type DueOfGrant = OfGrant & { readonly given: readonly FollowingClaim[] };

/** Grants with claims, mostly those of a payment: what these have of each, and what is theirs by the facts. */
export type Claimed = {
  readonly grants: readonly Grant[];
  readonly holds: readonly Hold[];
  now(grantId: string): OfGrant;
  due(grantId: string): DueOfGrant;
};

/** What went on of a month is claimed by what that month lost since. */
const isClaim = (kind: string): kind is 'refund' | 'dispute' | 'rollover' =>
  kind === 'refund' || kind === 'dispute' || kind === 'rollover';

/** Whether a revocation took only what nobody had used, for a reason that comes after all claims. */
export const isAfterClaims = ({ cause }: Revocation): boolean => afterClaims.includes(cause.kind);
const afterClaims: readonly RevocationCause['kind'][] = ['downgrade', 'kept', 'correction', 'ended'];

const sum = (list: readonly { readonly amount: Amount }[]): Amount =>
  list.reduce((total, { amount }) => total + amount, 0);

const NOTHING_ASKED: OfGrant = { taken: [], spent: [], held: 0 };

/** The payment as it is and as it has to be; null where nothing was ever claimed of it. */
export function claimedPayment(state: AccountState, reference: string): Claimed | null {
  const known = state.claims.get(reference);
  if (known === undefined) return null;
  const grants = [...state.grants.values()].filter((grant) => claimedUnder(grant) === reference);
  const holds = [...state.holds.values()].filter(({ owner }) => owner !== 'caller' && owner.payment === reference);
  return claimedGrants(state, { grants, holds, paid: known, claims: known.claims });
}

type Claims = {
  readonly grants: readonly Grant[];
  readonly holds: readonly Hold[];
  readonly paid: Paid;
  readonly claims: readonly Asking[];
};

/** The grants as they are and as `claims` on all that was `paid` for them want them. */
export function claimedGrants(state: AccountState, { grants, holds, paid, claims }: Claims): Claimed {
  const now = new Map(grants.map((grant) => [grant.id, ofGrantNow(state, grant, holds)]));
  const nowOf = (id: string): OfGrant => now.get(id) ?? NOTHING_ASKED;
  const excess = excessAmong(state, grants);
  const shares = allocate(
    grants.map((grant) => {
      const lot = lotOf(grant, nowOf(grant.id));
      return { ...lot, amount: lot.amount - (excess.get(grant.id) ?? 0) };
    }),
    paid,
    claims,
  );
  return { grants, holds, now: nowOf, due: (id) => ofGrantBy(shares, id) };
}

/** What grants of plan changes give too much, by the true lengths of their months: it was not bought, so nothing is claimed of it. */
function excessAmong(state: AccountState, grants: readonly Grant[]): ReadonlyMap<string, Amount> {
  const subscriptions = new Set(grants.flatMap(({ term }) => (term?.kind === 'change' ? [term.subscriptionId] : [])));
  return new Map(
    [...subscriptions].flatMap((subscriptionId) => {
      const terms = state.terms.get(subscriptionId);
      return terms === undefined ? [] : [...factsOf(state, terms).excess];
    }),
  );
}

/** What nobody used of a grant that no claim reserves anything of. */
export const unspentOf = (state: AccountState, grant: Grant): Amount =>
  lotOf(grant, ofGrantNow(state, grant, [])).unspent;

function ofGrantNow(state: AccountState, grant: Grant, holds: readonly Hold[]): OfGrant {
  const asked = new Map<string, Asked>();
  const add = (cause: RevocationCause, amount: Amount): void => {
    const name = `${cause.kind} ${cause.id}`;
    const all = (asked.get(name)?.amount ?? 0) + amount;
    if (all > 0) asked.set(name, { cause: { kind: cause.kind, id: cause.id }, amount: all });
  };
  for (const { cause, writtenOff } of grant.revocations) if (isClaim(cause.kind)) add(cause, writtenOff);
  if (grant.clawedBack > 0) for (const debt of state.debts.values()) addDebt(debt.cause, standing(debt));
  function addDebt({ kind, id, grantId }: { kind: string; id: string; grantId: string | null }, amount: Amount): void {
    if (grantId === grant.id && isClaim(kind)) add({ kind, id }, amount);
  }
  const slices = holds.flatMap(({ allocations }) => allocations.filter(({ grantId }) => grantId === grant.id));
  return {
    taken: grant.revocations.filter((each) => isClaim(each.cause.kind) && each.amount > 0),
    spent: [...asked.values()],
    held: sum(slices),
  };
}

function lotOf(grant: Grant, { taken, held }: OfGrant): ClaimedLot {
  const { id, amount, effectiveAt, expiresAt, lines, costBasis } = grant;
  return {
    ...{ id, amount, effectiveAt, expiresAt, lines, cost: costBasis?.amount ?? 0 },
    unspent: grant.free + held + grant.expired + sum(taken) + sum(grant.revocations.filter(isAfterClaims)),
    given: grant.transferred,
    withdrawn: sum(grant.revocations.filter(({ cause }) => cause.kind === 'operator')),
    spent: grant.consumed + grant.repaid + grant.held - held,
  };
}

function ofGrantBy(shares: readonly ClaimShare[], grantId: string): DueOfGrant {
  const of = (list: readonly { readonly lotId: string; readonly amount: Amount }[]): Amount =>
    sum(list.filter(({ lotId }) => lotId === grantId));
  const asked = (member: 'unspent' | 'spent'): readonly Asked[] =>
    shares.flatMap(({ cause, state, [member]: parts }) => {
      const amount = state === 'taken' ? of(parts) : 0;
      return amount === 0 ? [] : [{ cause, amount }];
    });
  const reserved = shares.filter(({ state }) => state === 'reserved');
  return {
    taken: asked('unspent'),
    spent: asked('spent'),
    held: reserved.reduce((total, { unspent }) => total + of(unspent), 0),
    given: shares.flatMap(({ cause, state, since, given }) => {
      const amount = of(given);
      return amount === 0 ? [] : [{ cause, state, amount, since }];
    }),
  };
}
