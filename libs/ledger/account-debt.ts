import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { AccountEventOf, Slice } from './account-events.js';
import { proportion } from '#kernel/amount.js';
import { costOf, type Debt, type Grant } from './account-state.js';
import type { Recording } from './account-recording.js';

/**
 * Nothing is available while something is owed: whatever has become free (a grant, credits released or given back) repays
 * debt first, the oldest grant the oldest debt. So it makes no difference which came first, the debt or the credits.
 */
export function repayOwed(recording: Recording, at: Instant): void {
  if (recording.balance.debt === 0 || recording.balance.available === 0) return;
  const payers = recording.state.spendable.toSorted((a, b) => a.revision - b.revision);
  for (const payer of payers) repayFrom(recording, payer, at);
}

function repayFrom(recording: Recording, grant: Grant, at: Instant): void {
  let payer = grant;
  for (const debt of recording.state.owed) {
    if (payer.free === 0) return;
    const amount = Math.min(debt.outstanding, payer.free);
    const cost = costOf(payer, amount);
    recording.record({ type: 'DebtRepaid', debtId: debt.id, grantId: payer.id, amount, cost }, at);
    payer = { ...payer, free: payer.free - amount, costLeft: payer.costLeft - (cost?.amount ?? 0) };
  }
}

/**
 * Undoes up to `amount` of a debt: what is still owed is forgiven, what was repaid goes back to the grants that repaid it,
 * newest repayment first. Answers how much it undid.
 */
export function forgiveDebt(
  recording: Recording,
  debt: Debt,
  amount: Amount,
  cause: AccountEventOf<'DebtForgiven'>['cause'],
): Amount {
  const forgiven = Math.min(amount, debt.outstanding);
  const restored: Slice[] = [];
  let left = amount - forgiven;
  for (const repayment of debt.repayments.toReversed()) {
    if (left === 0) break;
    const part = Math.min(left, repayment.amount);
    restored.push({ ...repayment, amount: part, cost: partOfCost(repayment, 0, part) });
    left -= part;
  }
  const undone = amount - left;
  if (undone > 0) recording.record({ type: 'DebtForgiven', debtId: debt.id, amount: forgiven, restored, cause });
  return undone;
}

/** The recorded cost of `part` of a slice of which `before` was restored earlier; all parts together restore the whole cost. */
export function partOfCost(slice: Slice, before: Amount, part: Amount): Slice['cost'] {
  if (slice.cost === null) return null;
  const upTo = (restored: Amount): number =>
    slice.cost === null ? 0 : proportion(slice.cost.amount, restored, slice.amount);
  return { amount: upTo(before + part) - upTo(before), currency: slice.cost.currency };
}
