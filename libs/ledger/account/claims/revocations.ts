import { assert } from '#kernel/assert.js';
import { MAX_AMOUNT, proportion, type Amount, type Money } from '#kernel/amount.js';
import { costOf } from '../grants/cost.js';
import { moneyOf, type AccountEventOf, type RevocationCause, type Slice } from '../events.js';
import { forgiveDebt, standing } from '../debt.js';
import { changeGrant, grantOf, isOver, noteClawback, sameCause } from '../grants/lots.js';
import type { Recording } from '../recording.js';
import type { AccountState, Debt, Grant, Revocation } from '../state.js';

/** Takes credits of a grant that nobody used: what is free of it first, then what expired. There must be enough. */
export function recordTaken(
  recording: Recording,
  grantId: string,
  amount: Amount,
  cause: RevocationCause,
  reason: string | null = null,
): void {
  const { source, free, scheduled } = grantOf(recording.state, grantId);
  const take = (part: Amount, expired: boolean): void => {
    if (part === 0) return;
    const grant = grantOf(recording.state, grantId);
    const cost = expired ? costOfExpired(grant, part) : costOf(grant, part);
    recording.record({
      type: 'CreditsRevoked',
      revocationId: recording.newId('rvk'),
      amount: part,
      allocations: [{ grantId, source, amount: part, cost }],
      scheduled: scheduled && !expired ? part : 0,
      expired: expired ? part : 0,
      writtenOff: 0,
      grantId,
      cause,
      reason,
    });
  };
  take(Math.min(amount, free), false);
  take(amount - Math.min(amount, free), true);
}

/** The share of the breakage that `amount` of the expired credits of a grant turn back; the last credit takes the rest. */
function costOfExpired({ costBasis, costExpired, expired }: Grant, amount: Amount): Money | null {
  if (costBasis === null) return null;
  return { amount: proportion(costExpired, amount, expired), currency: costBasis.currency };
}

/** Asks back spent credits of a grant: they become debt, or are written off, by the account's policy. */
export function recordSpent(recording: Recording, grantId: string, amount: Amount, cause: RevocationCause): void {
  const { debtPolicy } = recording.state.settings;
  const debt = debtPolicy === 'debt' ? Math.min(amount, MAX_AMOUNT - recording.balance.debt) : 0;
  if (amount > debt)
    recording.record({
      type: 'CreditsRevoked',
      revocationId: recording.newId('rvk'),
      amount: 0,
      allocations: [],
      scheduled: 0,
      expired: 0,
      writtenOff: amount - debt,
      grantId,
      cause,
      reason: null,
    });
  if (debt > 0)
    recording.record({
      type: 'DebtIncurred',
      debtId: recording.newId('debt'),
      amount: debt,
      cause: { ...cause, grantId },
    });
}

type Undone = { readonly grantId: string; readonly amount: Amount; readonly cause: RevocationCause };

/**
 * Undoes up to `amount` of the spent credits that a cause asked back of a grant: first the debt that it made, newest first, then what
 * was written off. Answers what went back to grants that had repaid the debt.
 */
export function undoSpent(recording: Recording, { grantId, amount, cause }: Undone): readonly Slice[] {
  const { returned, left } = forgiveDebts(recording, { grantId, amount, cause });
  const writtenOff = Math.min(left, revocationOf(recording.state, grantId, cause)?.writtenOff ?? 0);
  recordReinstated(recording, { grantId, amount: 0, cause }, writtenOff);
  return returned;
}

/**
 * Gives back `amount` of the credits that a cause took of a grant; what it asked back of spent ones stays. What comes back to a grant
 * that has expired is expired.
 */
export const undoTaken = (recording: Recording, undone: Undone): void => recordReinstated(recording, undone, 0);

function forgiveDebts(
  recording: Recording,
  { grantId, amount, cause }: Undone,
): { readonly returned: readonly Slice[]; readonly left: Amount } {
  let left = amount;
  const returned: Slice[] = [];
  for (const debt of debtsOf(recording.state, grantId, cause)) {
    const before = standing(debt);
    returned.push(...forgiveDebt(recording, debt, left, cause));
    left -= Math.min(left, before);
  }
  return { returned, left };
}

function recordReinstated(recording: Recording, { grantId, amount, cause }: Undone, writtenOff: Amount): void {
  if (writtenOff + amount === 0) return;
  const grant = grantOf(recording.state, grantId);
  const revocation = revocationOf(recording.state, grantId, cause);
  recording.record({
    type: 'CreditsReinstated',
    reinstatementId: recording.newId('rein'),
    grantId,
    amount,
    cost: revocation === undefined || amount === 0 ? null : costToReturn(grant, revocation, amount),
    writtenOff,
    scheduled: grant.scheduled,
    expired: isOver(grant, recording.at),
    cause,
  });
}

/** Credits that come back bring back their share of the cost that was recorded when they were revoked; the last the rest. */
const costToReturn = (grant: Grant, revocation: Revocation, amount: Amount): Money | null =>
  grant.costBasis && {
    amount: proportion(revocation.cost, amount, revocation.amount),
    currency: grant.costBasis.currency,
  };

const revocationOf = (state: AccountState, grantId: string, cause: RevocationCause): Revocation | undefined =>
  grantOf(state, grantId).revocations.find((each) => sameCause(each.cause, cause));

const debtsOf = (state: AccountState, grantId: string, cause: RevocationCause): Debt[] =>
  [...state.debts.values()]
    .filter((debt) => debt.cause.grantId === grantId && sameCause(debt.cause, cause))
    .sort((a, b) => b.revision - a.revision);

/** What was taken back, or given back of it, and under which cause. */
export function evolveRevocations(
  state: AccountState,
  event: AccountEventOf<'CreditsRevoked'> | AccountEventOf<'CreditsReinstated'>,
): AccountState {
  const { cause, grantId } = event;
  if (event.type === 'CreditsReinstated') {
    noteRevocation(state, event.grantId, cause, {
      amount: -event.amount,
      cost: -moneyOf(event),
      writtenOff: -event.writtenOff,
    });
    noteClawback(state, event.grantId, -event.writtenOff);
    return state;
  }
  for (const slice of event.allocations)
    noteRevocation(state, slice.grantId, cause, { amount: slice.amount, cost: moneyOf(slice), writtenOff: 0 });
  if (grantId !== null && event.writtenOff > 0) {
    noteRevocation(state, grantId, cause, { amount: 0, cost: 0, writtenOff: event.writtenOff });
    noteClawback(state, grantId, event.writtenOff);
  }
  return state;
}

/**
 * Notes what `cause` has taken of a grant, all in all; what is negative was given back. The list is in the order in which causes
 * came to have something of the grant.
 */
function noteRevocation(
  state: AccountState,
  grantId: string,
  cause: RevocationCause,
  { amount, cost, writtenOff }: Omit<Revocation, 'cause'>,
): void {
  if (cause.kind === 'adjustment') return;
  const grant = grantOf(state, grantId);
  const index = grant.revocations.findIndex((revocation) => sameCause(revocation.cause, cause));
  const before = grant.revocations[index];
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
  changeGrant(state, grant, { revocations: withRevocation(grant.revocations, index, after) });
}

function withRevocation(list: readonly Revocation[], index: number, after: Revocation): readonly Revocation[] {
  const before = list[index];
  if (before === undefined) return [...list, after];
  if (after.amount === 0 && after.writtenOff === 0) return list.toSpliced(index, 1);
  return before.amount === 0 ? [...list.toSpliced(index, 1), after] : list.with(index, after);
}
