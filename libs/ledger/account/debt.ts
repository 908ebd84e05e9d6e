import { assert, assertNever } from '#kernel/assert.js';
import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { costOf, partOfCost } from './grants/cost.js';
import { moneyOf, total, type AccountEventOf, type Slice } from './events.js';
import { compareDebts, grantOf, noteClawback } from './grants/lots.js';
import type { AccountState, Debt, Grant } from './state.js';
import type { Recording } from './recording.js';
import { insertSorted, removeSorted } from '../sorted.js';

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
    payer = { ...payer, free: payer.free - amount, costLeft: payer.costLeft - moneyOf({ cost }) };
  }
}

/**
 * Undoes up to `amount` of a debt: what is still owed is forgiven, what was repaid goes back to the grants that repaid it,
 * newest repayment first. Answers what went back to grants.
 */
export function forgiveDebt(
  recording: Recording,
  debt: Debt,
  amount: Amount,
  cause: AccountEventOf<'DebtForgiven'>['cause'],
): readonly Slice[] {
  const forgiven = Math.min(amount, debt.outstanding);
  const restored: Slice[] = [];
  let left = amount - forgiven;
  for (const repayment of debt.repayments.toReversed()) {
    if (left === 0) break;
    const part = Math.min(left, repayment.amount);
    restored.push({ ...repayment, amount: part, cost: partOfCost(repayment, 0, part) });
    left -= part;
  }
  if (amount > left) recording.record({ type: 'DebtForgiven', debtId: debt.id, amount: forgiven, restored, cause });
  return restored;
}

/** What of a debt has not been forgiven: still owed, or repaid. */
export const standing = (debt: Debt): Amount => debt.outstanding + total(debt.repayments);

function putDebt(state: AccountState, debt: Debt): void {
  const before = state.debts.get(debt.id);
  if (before !== undefined && before.outstanding > 0) state.owed = removeSorted(state.owed, before, compareDebts);
  state.debts.set(debt.id, debt);
  if (debt.outstanding > 0) state.owed = insertSorted(state.owed, debt, compareDebts);
}

/** The debt that must exist: an event named it. */
function debtOf(state: AccountState, id: string): Debt {
  const debt = state.debts.get(id);
  assert(debt !== undefined, `an event names debt ${id}, which the account does not have`);
  return debt;
}

type DebtEvent = AccountEventOf<'DebtIncurred'> | AccountEventOf<'DebtRepaid'> | AccountEventOf<'DebtForgiven'>;

/** What an event leaves of a debt. */
export function evolveDebts(state: AccountState, event: DebtEvent, revision: number): AccountState {
  switch (event.type) {
    case 'DebtIncurred':
      putDebt(state, { id: event.debtId, revision, cause: event.cause, outstanding: event.amount, repayments: [] });
      if (event.cause.grantId !== null) noteClawback(state, event.cause.grantId, event.amount);
      return state;
    case 'DebtRepaid': {
      const debt = debtOf(state, event.debtId);
      const { source } = grantOf(state, event.grantId);
      const repayment: Slice = { grantId: event.grantId, source, amount: event.amount, cost: event.cost };
      putDebt(state, {
        ...debt,
        outstanding: debt.outstanding - event.amount,
        repayments: [...debt.repayments, repayment],
      });
      return state;
    }
    case 'DebtForgiven': {
      const debt = debtOf(state, event.debtId);
      putDebt(state, {
        ...debt,
        outstanding: debt.outstanding - event.amount,
        repayments: event.restored.reduce(withoutNewest, debt.repayments),
      });
      const { grantId } = debt.cause;
      if (grantId !== null) noteClawback(state, grantId, -(event.amount + total(event.restored)));
      return state;
    }
    default:
      return assertNever(event);
  }
}

/** The repayments less a slice of the newest of them. */
function withoutNewest(repayments: readonly Slice[], slice: Slice): readonly Slice[] {
  const newest = repayments.at(-1);
  assert(
    newest !== undefined && newest.grantId === slice.grantId && newest.amount >= slice.amount,
    'a repayment given back was never made',
  );
  const rest = repayments.slice(0, -1);
  if (newest.amount === slice.amount) return rest;
  const cost = newest.cost === null ? null : { ...newest.cost, amount: newest.cost.amount - moneyOf(slice) };
  return [...rest, { ...newest, amount: newest.amount - slice.amount, cost }];
}
