import { MAX_AMOUNT, type Amount, type Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { AccountCommand, AccountRefusal } from './account-commands.js';
import type { Source } from './account-events.js';
import { chooseSlices } from './account-burn-order.js';
import { settleNewGrant } from './account-claims.js';
import { openAccount } from './account-opening.js';
import { costOf } from './account-state.js';
import type { Recording } from './account-recording.js';

type Grant = Extract<AccountCommand, { type: 'GrantCredits' }>;
type Adjust = Extract<AccountCommand, { type: 'AdjustCredits' }>;
type NewGrant = {
  amount: Amount;
  source: Source;
  priority: number;
  effectiveAt: Instant;
  expiresAt: Instant | null;
  costBasis: Money | null;
  paymentReference: string | null;
  description: string | null;
  metadata: Json;
};

/** Lots of credits enter the account. The first one opens it; a grant that is effective repays debt first. */
export function grantCredits(recording: Recording, command: Grant): AccountRefusal | null {
  const { at } = recording.moment;
  const effectiveAt = command.effectiveAt ?? at;
  if (command.expiresAt !== null && command.expiresAt <= at) return { rejected: 'grant_expired' };
  if (command.expiresAt !== null && command.expiresAt <= effectiveAt) return { rejected: 'invalid_expiry' };
  const unspent = command.rollover === undefined ? 0 : unspentUpTo(recording, command.rollover);
  const refusal = recordGrant(recording, { ...command, effectiveAt }, null);
  if (refusal !== null || unspent === 0) return refusal;
  // Worth nothing any more: the money of the ended period is accounted for as its credits' expiry.
  return recordGrant(
    recording,
    { ...command, amount: unspent, effectiveAt, costBasis: null, paymentReference: null, description: 'rolled over' },
    null,
  );
}

/** What expired unused of the subscription's period that ended, up to the cap. */
function unspentUpTo(recording: Recording, { cap, endedAt }: { cap: Amount; endedAt: Instant }): Amount {
  let unspent = 0;
  for (const grant of recording.state.grants.values()) {
    if (grant.source === 'subscription' && grant.expiresAt === endedAt) unspent += grant.expired;
  }
  return Math.min(cap, unspent);
}

function recordGrant(recording: Recording, grant: NewGrant, adjusts: 'adjusts' | null): AccountRefusal | null {
  if (recording.state.granted > MAX_AMOUNT - grant.amount) return { rejected: 'balance_limit_exceeded' };
  openAccount(recording);
  const grantId = recording.newId('gr');
  recording.record({
    type: 'CreditsGranted',
    grantId,
    amount: grant.amount,
    source: grant.source,
    priority: grant.priority,
    effectiveAt: grant.effectiveAt,
    expiresAt: grant.expiresAt,
    costBasis: grant.costBasis,
    paymentReference: grant.paymentReference,
    adjustmentId: adjusts === null ? null : recording.newId('adj'),
    description: grant.description,
    metadata: grant.metadata,
  });
  settleNewGrant(recording, grant.paymentReference, grantId);
  return null;
}

/** An operator's correction: a grant that never expires, or credits taken away in burn order, never below zero. */
export function adjustCredits(recording: Recording, command: Adjust): AccountRefusal | null {
  if (command.amount > 0) {
    const { amount, reason } = command;
    const { at } = recording.moment;
    return recordGrant(
      recording,
      {
        amount,
        source: 'adjustment',
        priority: 50,
        effectiveAt: at,
        expiresAt: null,
        costBasis: null,
        paymentReference: null,
        description: reason,
        metadata: {},
      },
      'adjusts',
    );
  }
  const amount = -command.amount;
  const { available } = recording.balance;
  if (amount > available) return { rejected: 'insufficient_credits', available, required: amount };
  recording.record({
    type: 'CreditsRevoked',
    revocationId: recording.newId('rvk'),
    amount,
    allocations: chooseSlices(recording.state, amount).map(({ grant, slice }) => ({
      ...slice,
      cost: costOf(grant, slice.amount),
    })),
    scheduled: 0,
    writtenOff: 0,
    grantId: null,
    cause: { kind: 'adjustment', id: recording.newId('adj') },
    reason: command.reason,
  });
  return null;
}
