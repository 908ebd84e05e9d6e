import { assert } from '#kernel/assert.js';
import { MAX_AMOUNT, proportion } from '#kernel/amount.js';
import type { AccountCommand, AccountRefusal } from './account-commands.js';
import type { Slice } from './account-events.js';
import { forgiveDebt } from './account-debt.js';
import type { Recording } from './account-recording.js';
import { costOf, sameCause, type Debt, type Grant, type Revocation } from './account-state.js';
import { letTimePass } from './account-time.js';

type Revoke = Extract<AccountCommand, { type: 'RevokeCredits' }>;
type TakeUnspent = Extract<AccountCommand, { type: 'TakeUnspent' }>;
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

/** Takes back what a smaller plan no longer includes, as far as it is unspent. */
export function takeUnspent(recording: Recording, { endsAt, amount, cause }: TakeUnspent): AccountRefusal | null {
  let missing = amount;
  const allocations: Slice[] = [];
  for (const grant of recording.state.spendable) {
    if (missing === 0) break;
    if (grant.source !== 'subscription' || grant.expiresAt !== endsAt) continue;
    const taken = Math.min(missing, grant.free);
    allocations.push({ grantId: grant.id, source: grant.source, amount: taken, cost: costOf(grant, taken) });
    missing -= taken;
  }
  if (allocations.length === 0) return null;
  recording.record({
    type: 'CreditsRevoked',
    revocationId: recording.newId('rvk'),
    amount: amount - missing,
    allocations,
    scheduled: 0,
    writtenOff: 0,
    grantId: null,
    cause,
    reason: null,
  });
  return null;
}

/**
 * Undoes a revocation under the same cause: first the debt that it made, newest first, then the credits it took. What comes
 * back to an expired grant expires at once.
 */
export function reinstateCredits(recording: Recording, command: Reinstate): AccountRefusal | null {
  const grant = recording.state.grants.get(command.grantId);
  if (grant === undefined) return { rejected: 'grant_not_found' };
  let left = command.amount;
  for (const debt of debtsOf(recording, command)) left -= forgiveDebt(recording, debt, left, command.cause);
  const current = recording.state.grants.get(command.grantId);
  assert(current !== undefined, 'a grant vanished during its reinstatement');
  const revocation = current.revocations.find(({ cause }) => sameCause(cause, command.cause));
  const amount = Math.min(left, revocation?.amount ?? 0);
  if (revocation !== undefined && amount > 0) {
    recording.record({
      type: 'CreditsReinstated',
      reinstatementId: recording.newId('rein'),
      grantId: grant.id,
      amount,
      cost: costToReturn(current, revocation, amount),
      scheduled: current.scheduled,
      cause: command.cause,
    });
  }
  letTimePass(recording);
  return null;
}

/** Credits that come back bring back their share of the cost that was recorded when they were revoked; the last the rest. */
const costToReturn = (grant: Grant, revocation: Revocation, amount: number): Grant['costBasis'] =>
  grant.costBasis && {
    amount: proportion(revocation.cost, amount, revocation.amount),
    currency: grant.costBasis.currency,
  };

function debtsOf(recording: Recording, command: Reinstate): Debt[] {
  const { cause, grantId } = command;
  return [...recording.state.debts.values()]
    .filter((debt) => debt.cause.grantId === grantId && sameCause(debt.cause, cause))
    .sort((a, b) => b.revision - a.revision);
}
