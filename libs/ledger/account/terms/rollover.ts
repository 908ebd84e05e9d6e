import { MAX_AMOUNT, type Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { claimedGrants, claimedPayment, isAfterClaims, unspentOf, type Claimed } from '../claims/view.js';
import { total, type AccountEventOf } from '../events.js';
import { claimedUnder, grantOf, isOver } from '../grants/lots.js';
import type { Recording } from '../recording.js';
import type { AccountState, Grant, Rollover } from '../state.js';

const keyOf = (subscriptionId: string, endedAt: Instant): string => `${subscriptionId} ${endedAt}`;

/** Whether what is unused of a grant goes on when it expires. */
const canGoOn = ({ term }: Grant): boolean => term !== null && term.kind !== 'trial' && term.kind !== 'free';

/** What was agreed about the months of a subscription that have ended by `at`, the earliest first: what goes on of one may go on of the next. */
export const rolloversOf = (state: AccountState, subscriptionId: string, at: Instant): readonly Rollover[] =>
  [...state.rollovers.values()]
    .filter((agreed) => agreed.subscriptionId === subscriptionId && agreed.endedAt <= at)
    .sort((a, b) => (a.endedAt < b.endedAt ? -1 : 1));

type Month = {
  /** What went on of it. */
  readonly rolled: readonly Grant[];
  readonly wentOn: Amount;
  /** What should have, by all that was taken of it since. */
  readonly due: Amount;
  /** What should have by claims alone: only what they take becomes debt where it was spent. */
  readonly dueByClaims: Amount;
};

function monthOf(state: AccountState, { subscriptionId, endedAt, cap, grantId }: Rollover, at: Instant): Month {
  const grants = (state.terms.get(subscriptionId)?.grants ?? []).map((id) => grantOf(state, id));
  const ended = grants.filter((grant) => grant.expiresAt === endedAt && canGoOn(grant));
  const rolled = grants.filter(({ term }) => term?.kind === 'rollover' && term.start === endedAt);
  const expired = ended.reduce((sum, grant) => sum + grant.expired, 0);
  const taken = ended.reduce((sum, { revocations }) => sum + total(revocations.filter(isAfterClaims)), 0);
  const reserved = ended.reduce((sum, grant) => sum + reservedOf(state, grant, at), 0);
  const { term: next } = grantOf(state, grantId);
  const isLeft = ({ term, revoked, amount }: Grant): boolean =>
    term?.end === next?.end && (term?.kind === 'period' || term?.kind === 'change') && revoked < amount;
  return {
    rolled,
    wentOn: total(rolled),
    // Whichever grants of the month are what is left of it: changes within one second may take of any.
    due: !grants.some(isLeft) ? 0 : Math.min(cap, Math.max(0, expired - reserved)),
    dueByClaims: Math.min(cap, expired + taken),
  };
}

/** What refunds under way and open disputes ask of a grant that is over: it does not go on before they are decided. */
function reservedOf(state: AccountState, grant: Grant, at: Instant): Amount {
  const reference = claimedUnder(grant);
  if (reference === null || !isOver(grant, at)) return 0;
  return claimedPayment(state, reference)?.due(grant.id).held ?? 0;
}

/** The grants of what went on of a month, and what has to be taken back of them since less of that month is left. */
export function rolledOver(state: AccountState, agreed: Rollover, at: Instant): Claimed | null {
  const { rolled, wentOn, due, dueByClaims } = monthOf(state, agreed, at);
  if (wentOn === 0) return null;
  const unspent = rolled.reduce((sum, grant) => sum + unspentOf(state, grant), 0);
  const amount = Math.max(wentOn - dueByClaims, Math.min(wentOn - due, unspent));
  const cause = { kind: 'rollover', id: agreed.endedAt } as const;
  const asked = amount <= 0 ? [] : [{ cause, state: 'taken' as const, amount, since: agreed.endedAt }];
  return claimedGrants(state, { grants: rolled, holds: [], paid: { paid: wentOn }, claims: asked });
}

/**
 * Lets credits that expired unused of a subscription's month go on into the next one, as far as that one's plan takes them and they
 * have not gone on, whether it is paid before they expire or after. They are worth nothing any more: the money of the month that
 * ended is accounted for as its credits' expiry. Into a month of which nothing is left, nothing goes on; what goes on into one that
 * is over by now expires there at once, and so goes on from it. Answers whether any did.
 */
export function rollOver(recording: Recording, agreed: Rollover): boolean {
  const { state, at } = recording;
  const { wentOn, due } = monthOf(state, agreed, at);
  const amount = Math.min(due - wentOn, MAX_AMOUNT - state.granted);
  const { term } = grantOf(state, agreed.grantId);
  if (amount <= 0 || term === null) return false;
  const { subscriptionId, itemId, periodStart, periodEnd, start, end } = term;
  recording.record({
    type: 'CreditsGranted',
    grantId: recording.newId('gr'),
    amount,
    source: 'subscription',
    priority: agreed.priority,
    effectiveAt: agreed.expiresAt <= at ? agreed.endedAt : at,
    expiresAt: agreed.expiresAt,
    costBasis: null,
    paymentReference: null,
    adjustmentId: null,
    term: { kind: 'rollover', subscriptionId, itemId, periodStart, periodEnd, start, end },
    rolledOverFrom: agreed.endedAt,
    description: 'rolled over',
    metadata: agreed.metadata,
  });
  return true;
}

/** Remembers what was agreed with a grant about the month before. */
export function noteRollover(state: AccountState, event: AccountEventOf<'CreditsGranted'>): void {
  const { grantId, term, rollover, expiresAt, priority, metadata } = event;
  if (term === undefined || rollover === undefined || expiresAt === null) return;
  const { subscriptionId } = term;
  const { cap, endedAt } = rollover;
  const known = state.rollovers.get(keyOf(subscriptionId, endedAt));
  // Of two items of one subscription the one that lets more go on counts, whichever was reported first.
  if (known !== undefined && (known.cap > cap || (known.cap === cap && known.expiresAt >= expiresAt))) return;
  const agreed = { subscriptionId, endedAt, grantId, cap, expiresAt, priority, metadata };
  state.rollovers.set(keyOf(subscriptionId, endedAt), agreed);
}

/** Forgets what was agreed about months of which a grant is forgotten: before and after, all that it says of a month is true. */
export function forgetRollovers(state: AccountState, grantIds: readonly string[]): void {
  for (const id of grantIds) {
    const { term, expiresAt } = grantOf(state, id);
    if (term === null) continue;
    for (const endedAt of [expiresAt, term.start])
      if (endedAt !== null) state.rollovers.delete(keyOf(term.subscriptionId, endedAt));
  }
}
