import { assert } from '#kernel/assert.js';
import { MAX_AMOUNT, proportion } from '#kernel/amount.js';
import type { AccountCommand, AccountRefusal } from './account-commands.js';
import { costOf, moneyOf } from './account-cost.js';
import type { AccountEventOf, RevocationCause } from './account-events.js';
import { forgiveDebt } from './account-debt.js';
import { changeGrant, grantOf, move, noteClawback, sameCause } from './account-lots.js';
import type { Recording } from './account-recording.js';
import type { AccountState, Debt, Grant, Revocation } from './account-state.js';
import { letTimePass } from './account-time.js';

type Revoke = Extract<AccountCommand, { type: 'RevokeCredits' }>;
type Reinstate = Extract<AccountCommand, { type: 'ReinstateCredits' }>;

/** What of a grant can still be asked back. */
const revocable = (grant: Grant): number => grant.free + grant.held + grant.consumed + grant.repaid - grant.clawedBack;

/**
 * Takes credits of one grant back: what is free of it at once; what is spent or reserved becomes debt, or is written off, by
 * the account's policy. Never more than the grant still has to give; asking for more takes what there is.
 */
export function revokeCredits(recording: Recording, command: Revoke): AccountRefusal | null {
  const grant = recording.state.grants.get(command.grantId);
  if (grant === undefined) return { rejected: 'grant_not_found' };
  const amount = Math.min(command.amount, revocable(grant));
  if (amount <= 0) return null;
  const taken = Math.min(amount, grant.free);
  const spent = amount - taken;
  const debt =
    recording.state.settings.debtPolicy === 'debt' ? Math.min(spent, MAX_AMOUNT - recording.balance.debt) : 0;
  if (taken > 0 || spent > debt) {
    recording.record({
      type: 'CreditsRevoked',
      revocationId: recording.newId('rvk'),
      amount: taken,
      allocations:
        taken === 0 ? [] : [{ grantId: grant.id, source: grant.source, amount: taken, cost: costOf(grant, taken) }],
      scheduled: grant.scheduled ? taken : 0,
      writtenOff: spent - debt,
      grantId: grant.id,
      cause: command.cause,
      reason: command.reason,
    });
  }
  if (debt > 0) {
    recording.record({
      type: 'DebtIncurred',
      debtId: recording.newId('debt'),
      amount: debt,
      cause: { ...command.cause, grantId: grant.id },
    });
  }
  return null;
}

/**
 * Undoes a revocation under the same cause: first the debt that it made, newest first, and what it wrote off, then the credits it
 * took. What comes back to an expired grant expires at once.
 */
export function reinstateCredits(recording: Recording, command: Reinstate): AccountRefusal | null {
  if (recording.state.grants.get(command.grantId) === undefined) return { rejected: 'grant_not_found' };
  undoRevocation(recording, command);
  letTimePass(recording);
  return null;
}

/** `reinstateCredits` of a grant that exists; what comes back stays free until time is let pass. */
export function undoRevocation(recording: Recording, { grantId, amount: asked, cause }: Omit<Reinstate, 'type'>): void {
  let left = asked;
  for (const debt of debtsOf(recording, grantId, cause)) left -= forgiveDebt(recording, debt, left, cause);
  const grant = grantOf(recording.state, grantId);
  const revocation = grant.revocations.find((each) => sameCause(each.cause, cause));
  if (revocation === undefined) return;
  const writtenOff = Math.min(left, revocation.writtenOff);
  const amount = Math.min(left - writtenOff, revocation.amount);
  if (writtenOff + amount === 0) return;
  recording.record({
    type: 'CreditsReinstated',
    reinstatementId: recording.newId('rein'),
    grantId,
    amount,
    cost: amount === 0 ? null : costToReturn(grant, revocation, amount),
    writtenOff,
    scheduled: grant.scheduled,
    cause,
  });
}

/** Credits that come back bring back their share of the cost that was recorded when they were revoked; the last the rest. */
const costToReturn = (grant: Grant, revocation: Revocation, amount: number): Grant['costBasis'] =>
  grant.costBasis && {
    amount: proportion(revocation.cost, amount, revocation.amount),
    currency: grant.costBasis.currency,
  };

const debtsOf = (recording: Recording, grantId: string, cause: RevocationCause): Debt[] =>
  [...recording.state.debts.values()]
    .filter((debt) => debt.cause.grantId === grantId && sameCause(debt.cause, cause))
    .sort((a, b) => b.revision - a.revision);

/** What was taken back, or given back of it, and under which cause. */
export function evolveRevocations(
  state: AccountState,
  event: AccountEventOf<'CreditsRevoked'> | AccountEventOf<'CreditsReinstated'>,
): AccountState {
  const { cause, grantId } = event;
  if (event.type === 'CreditsReinstated') {
    move(state, event, 'revoked', 'free');
    noteRevocation(state, event.grantId, cause, {
      amount: -event.amount,
      cost: -moneyOf(event),
      writtenOff: -event.writtenOff,
    });
    noteClawback(state, event.grantId, -event.writtenOff);
    return state;
  }
  for (const slice of event.allocations) {
    move(state, slice, 'free', 'revoked');
    noteRevocation(state, slice.grantId, cause, { amount: slice.amount, cost: moneyOf(slice), writtenOff: 0 });
  }
  if (grantId !== null && event.writtenOff > 0) {
    noteRevocation(state, grantId, cause, { amount: 0, cost: 0, writtenOff: event.writtenOff });
    noteClawback(state, grantId, event.writtenOff);
  }
  return state;
}

/** Notes what `cause` has taken of a grant, all in all; what is negative was given back. */
function noteRevocation(
  state: AccountState,
  grantId: string,
  cause: RevocationCause,
  { amount, cost, writtenOff }: Omit<Revocation, 'cause'>,
): void {
  if (cause.kind === 'adjustment') return;
  const grant = grantOf(state, grantId);
  const before = grant.revocations.find((revocation) => sameCause(revocation.cause, cause));
  const after: Revocation = {
    cause,
    amount: (before?.amount ?? 0) + amount,
    cost: (before?.cost ?? 0) + cost,
    writtenOff: (before?.writtenOff ?? 0) + writtenOff,
  };
  assert(
    after.amount >= 0 && after.cost >= 0 && after.writtenOff >= 0,
    `grant ${grantId} gets back more than was revoked`,
  );
  const others = grant.revocations.filter((revocation) => revocation !== before);
  const isUndone = after.amount === 0 && after.writtenOff === 0;
  changeGrant(state, grant, { revocations: isUndone ? others : [...others, after] });
}
