import { MAX_AMOUNT } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { AccountEventOf } from './account-events.js';
import type { Recording } from './account-recording.js';
import type { AccountState, Grant } from './account-state.js';

const endedAt = (grant: Grant): Instant | null => (grant.source === 'subscription' ? grant.expiresAt : null);

/**
 * Lets `amount` credits that expired unused of a subscription's grant go on into the next period, as far as that one's plan
 * takes them, whether it is paid before they expire or after. They are worth nothing any more: the money of the period that ended
 * is accounted for as its credits' expiry.
 */
export function rollOver(recording: Recording, expired: Grant, amount: number, at: Instant): void {
  const { state } = recording;
  const from = endedAt(expired);
  const agreed = from === null ? undefined : state.rollovers.get(from);
  if (from === null || agreed === undefined || agreed.expiresAt <= at) return;
  const goesOn = Math.min(amount, agreed.cap - agreed.used, MAX_AMOUNT - state.granted);
  if (goesOn <= 0) return;
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
      rolledOverFrom: from,
      description: 'rolled over',
      metadata: agreed.metadata,
    },
    at,
  );
}

/** Lets go on what had expired before the next period was heard of. */
export function rollOverExpired(recording: Recording, from: Instant): void {
  const unused = [...recording.state.grants.values()].filter((grant) => endedAt(grant) === from && grant.expired > 0);
  const amount = unused.reduce((sum, { expired }) => sum + expired, 0);
  const [one] = unused;
  if (one !== undefined) rollOver(recording, one, amount, recording.moment.at);
}

/** Remembers what was agreed with a grant about the period before, and how much of it has gone on. */
export function noteRollover(state: AccountState, event: AccountEventOf<'CreditsGranted'>): void {
  const { rollover, rolledOverFrom, expiresAt, priority, metadata, amount } = event;
  if (rolledOverFrom !== undefined) {
    const agreed = state.rollovers.get(rolledOverFrom);
    if (agreed !== undefined) state.rollovers.set(rolledOverFrom, { ...agreed, used: agreed.used + amount });
  }
  if (rollover === undefined || expiresAt === null) return;
  const over = [...state.rollovers.entries()].filter(([, agreed]) => agreed.expiresAt <= event.at);
  for (const [from] of over) state.rollovers.delete(from);
  const used = state.rollovers.get(rollover.endedAt)?.used ?? 0;
  state.rollovers.set(rollover.endedAt, { cap: rollover.cap, used, expiresAt, priority, metadata });
}
