import { MAX_AMOUNT, type Amount } from '#kernel/amount.js';
import type { AccountCommand, AccountRefusal, FreeMonth } from '../commands.js';
import type { RevocationCause } from '../events.js';
import { grantOf, sameCause } from '../grants/lots.js';
import { type Recording, openAccount } from '../recording.js';
import { undoTaken } from '../claims/revocations.js';
import type { Grant } from '../state.js';
import { letTimePass } from '../time.js';

type Keep = Extract<AccountCommand, { type: 'KeepFreeMonths' }>;

/**
 * Makes months of a free plan what they should be. A month is granted once: one that was withdrawn comes back as it was, one whose
 * amount has changed before it began is replaced. What has begun stays until it expires.
 */
export function keepFreeMonths(recording: Recording, command: Keep): AccountRefusal | null {
  for (const month of command.months) {
    const refusal = keepMonth(recording, command, month);
    if (refusal !== null) return refusal;
  }
  letTimePass(recording);
  return null;
}

function keepMonth(recording: Recording, command: Keep, month: FreeMonth): AccountRefusal | null {
  const { at } = recording.moment;
  const { start, end, amount } = month;
  if (end <= at) return null;
  const cause = { kind: 'superseded', id: start } as const;
  const known = (recording.state.terms.get(command.subscriptionId)?.grants ?? [])
    .map((id) => grantOf(recording.state, id))
    .filter(({ term }) => term?.kind === 'free' && term.start === start);
  const given = known.filter((grant) => withdrawnOf(grant, cause) === 0);
  // What has begun is never taken away, and so nothing is granted beside it.
  if (given.some(({ effectiveAt }) => effectiveAt <= at)) return null;
  for (const grant of given) if (grant.amount !== amount) withdraw(recording, grant, cause);
  if (amount === null || amount === 0 || given.some((grant) => grant.amount === amount)) return null;
  const same = known.find((grant) => grant.amount === amount);
  if (same === undefined) return grantMonth(recording, command, month, amount);
  undoTaken(recording, { grantId: same.id, amount: withdrawnOf(same, cause), cause });
  return null;
}

const withdrawnOf = ({ revocations }: Grant, cause: RevocationCause): number =>
  revocations.find((each) => sameCause(each.cause, cause))?.amount ?? 0;

function withdraw(recording: Recording, { id: grantId, source, free }: Grant, cause: RevocationCause): void {
  if (free === 0) return;
  recording.record({
    type: 'CreditsRevoked',
    revocationId: recording.newId('rvk'),
    amount: free,
    allocations: [{ grantId, source, amount: free, cost: null }],
    scheduled: free,
    expired: 0,
    writtenOff: 0,
    grantId: null,
    cause,
    reason: null,
  });
}

function grantMonth(
  recording: Recording,
  { subscriptionId, planId }: Keep,
  { start, end }: FreeMonth,
  amount: Amount,
): AccountRefusal | null {
  if (recording.state.granted > MAX_AMOUNT - amount) return { rejected: 'balance_limit_exceeded' };
  openAccount(recording);
  recording.record({
    type: 'CreditsGranted',
    grantId: recording.newId('gr'),
    amount,
    source: 'free_tier',
    priority: 50,
    effectiveAt: start,
    expiresAt: end,
    costBasis: null,
    paymentReference: null,
    adjustmentId: null,
    term: { kind: 'free', subscriptionId, itemId: planId, periodStart: start, periodEnd: end, start, end },
    description: null,
    metadata: { plan: planId, subscription: subscriptionId },
  });
  return null;
}
