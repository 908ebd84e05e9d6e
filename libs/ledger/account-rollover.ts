import { MAX_AMOUNT } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { AccountEventOf } from './account-events.js';
import { grantOf } from './account-lots.js';
import type { Recording } from './account-recording.js';
import type { AccountState, Grant } from './account-state.js';

const keyOf = (subscriptionId: string, endedAt: Instant): string => `${subscriptionId} ${endedAt}`;

/** Under which name it was agreed that what is unused of a grant goes on; null for one of which nothing can. */
function agreedFor({ term, expiresAt }: Grant): string | null {
  if (term === null || expiresAt === null || term.kind === 'trial' || term.kind === 'free') return null;
  return keyOf(term.subscriptionId, expiresAt);
}

/**
 * Lets `amount` credits that expired unused of a subscription's grant go on into the next month, as far as that one's plan takes
 * them, whether it is paid before they expire or after. They are worth nothing any more: the money of the month that ended is
 * accounted for as its credits' expiry. Into a month of which nothing is left, nothing goes on.
 */
export function rollOver(recording: Recording, expired: Grant, amount: number, at: Instant): void {
  const { state } = recording;
  const key = agreedFor(expired);
  const agreed = key === null ? undefined : state.rollovers.get(key);
  if (expired.expiresAt === null || agreed === undefined || agreed.expiresAt <= at) return;
  const into = grantOf(state, agreed.grantId);
  const goesOn = Math.min(amount, agreed.cap - agreed.used, MAX_AMOUNT - state.granted);
  if (goesOn <= 0 || into.term === null || into.revoked === into.amount) return;
  const { subscriptionId, itemId, periodStart, periodEnd, start, end } = into.term;
  recording.record(
    {
      type: 'CreditsGranted',
      grantId: recording.newId('gr'),
      amount: goesOn,
      source: 'subscription',
      priority: agreed.priority,
      effectiveAt: at,
      expiresAt: agreed.expiresAt,
      costBasis: null,
      paymentReference: null,
      adjustmentId: null,
      term: { kind: 'rollover', subscriptionId, itemId, periodStart, periodEnd, start, end },
      rolledOverFrom: expired.expiresAt,
      description: 'rolled over',
      metadata: agreed.metadata,
    },
    at,
  );
}

/** Lets go on what had expired before the month after it, which begins with this grant, was reported. */
export function rollOverExpired(recording: Recording, grantId: string): void {
  const { state } = recording;
  const { term } = grantOf(state, grantId);
  if (term === null) return;
  const key = keyOf(term.subscriptionId, term.start);
  if (state.rollovers.get(key)?.grantId !== grantId) return;
  const before = (state.terms.get(term.subscriptionId)?.grants ?? []).map((id) => grantOf(state, id));
  const unused = before.filter((grant) => agreedFor(grant) === key && grant.expired > 0);
  const amount = unused.reduce((sum, { expired }) => sum + expired, 0);
  const [one] = unused;
  if (one !== undefined) rollOver(recording, one, amount, recording.moment.at);
}

/** Remembers what was agreed with a grant about the month before, and how much of it has gone on. */
export function noteRollover(state: AccountState, event: AccountEventOf<'CreditsGranted'>): void {
  const { grantId, term, rollover, rolledOverFrom, expiresAt, priority, metadata, amount } = event;
  if (term === undefined) return;
  if (rolledOverFrom !== undefined) {
    const key = keyOf(term.subscriptionId, rolledOverFrom);
    const agreed = state.rollovers.get(key);
    if (agreed !== undefined) state.rollovers.set(key, { ...agreed, used: agreed.used + amount });
  }
  if (rollover === undefined || expiresAt === null) return;
  const over = [...state.rollovers.entries()].filter(([, agreed]) => agreed.expiresAt <= event.at);
  for (const [key] of over) state.rollovers.delete(key);
  const key = keyOf(term.subscriptionId, rollover.endedAt);
  const known = state.rollovers.get(key);
  // Of two items of one subscription the one that lets more go on counts, whichever was reported first.
  if (known !== undefined && (known.cap > rollover.cap || (known.cap === rollover.cap && known.expiresAt >= expiresAt)))
    return;
  const used = known?.used ?? 0;
  state.rollovers.set(key, { grantId, cap: rollover.cap, used, expiresAt, priority, metadata });
}
