import type { Amount } from '#kernel/amount.js';
import { revisionInId } from '#kernel/ids.js';
import { allowanceOf, noneLeft } from './budgets/allowance.js';
import { chargesMember, giveBack } from './budgets/charges.js';
import type { Charged } from './budgets/facts.js';
import { burnOrderOf, slicesToSpend } from './grants/burn-order.js';
import type { AccountCommand, AccountRefusal } from './commands.js';
import { partOfCost } from './grants/cost.js';
import { forgiveDebt } from './debt.js';
import type { AccountEvent, Slice } from './events.js';
import { type Recording, openAccount } from './recording.js';
import type { AccountState, Debt } from './state.js';
import { letTimePass } from './time.js';

type Consume = Extract<AccountCommand, { type: 'ConsumeCredits' }>;
type Reverse = Extract<AccountCommand, { type: 'ReverseConsumption' }>;

/**
 * Spends in burn order; beyond what is available only within the overdraft limit, which becomes debt. The budgets of the scope have to allow
 * it. A partial consumption takes as much as all that allows, and is refused where that is nothing.
 */
export function consumeCredits(recording: Recording, command: Consume): AccountRefusal | null {
  const { amount: requested, partial = false } = command;
  const { available, debt } = recording.balance;
  const { settings } = recording.state;
  const most = available + Math.max(0, settings.overdraftLimit - debt);
  const allowance = allowanceOf(recording, command.scope);
  if (allowance !== null && 'rejected' in allowance) return allowance;
  const amount = partial ? Math.min(requested, most, allowance?.most ?? requested) : requested;
  if (amount > most || amount === 0)
    return { rejected: 'insufficient_credits', available, required: requested, ...noneLeft(allowance, most) };
  const exceeded = allowance?.exceededBy(amount) ?? null;
  if (exceeded !== null) return { rejected: 'budget_exceeded', ...exceeded };
  const missing = Math.max(0, amount - available);
  openAccount(recording);
  const consumptionId = recording.newId('con');
  recording.record({
    type: 'CreditsConsumed',
    consumptionId,
    amount,
    ...(amount === requested ? {} : { requested }),
    allocations: slicesToSpend(recording.state, amount - missing),
    debt: missing,
    ...allowance?.charge(amount),
    burnOrder: burnOrderOf(settings.burnOrder),
    usage: command.usage,
    resource: command.resource,
    description: command.description,
    metadata: command.metadata,
  });
  if (missing > 0) {
    recording.record({
      type: 'DebtIncurred',
      debtId: recording.newId('debt'),
      amount: missing,
      cause: { kind: 'overdraft', id: consumptionId, grantId: null },
    });
  }
  return null;
}

/** The revision of the consumption that a reversal names; null when the id cannot be one of ours. */
export const revisionToReverse = (command: Reverse): number | null => revisionInId('con', command.consumptionId);

type Consumption = Charged & {
  readonly amount: Amount;
  readonly allocations: readonly Slice[];
  readonly debt: Amount;
};

function consumptionIn(past: AccountEvent | null, id: string): Consumption | null {
  if (past?.type === 'CreditsConsumed' && past.consumptionId === id) return past;
  if (past?.type === 'HoldCaptured' && past.consumptionId === id) return { ...past, debt: 0 };
  return null;
}

/**
 * Gives a consumption back, whole or in part, to where it came from: its overdraft first, then its slices, the newest first.
 * What comes back to an expired grant expires at once.
 */
export function reverseConsumption(recording: Recording, command: Reverse): AccountRefusal | null {
  const consumption = consumptionIn(recording.moment.past, command.consumptionId);
  const revision = revisionToReverse(command);
  if (consumption === null || revision === null) return { rejected: 'consumption_not_found' };
  const before = recording.state.reversed.get(revision) ?? 0;
  const left = consumption.amount - before;
  if (left === 0) return { rejected: 'already_reversed' };
  const amount = command.amount ?? left;
  if (amount > left) return { rejected: 'amount_exceeds_consumption' };

  const debtReversed = overlap(before, before + amount, 0, consumption.debt);
  const reversalId = recording.newId('rev');
  const restored = slicesToRestore(consumption, before, amount);
  recording.record({
    type: 'ConsumptionReversed',
    reversalId,
    consumptionId: command.consumptionId,
    consumptionRevision: revision,
    amount,
    reversedTotal: before + amount,
    restored,
    ...chargesMember(giveBack(consumption.charges ?? [], before, amount)),
    debtReversed,
    reason: command.reason,
  });
  const debt = debtReversed === 0 ? null : overdraftOf(recording.state, command.consumptionId);
  const returned =
    debt === null ? [] : forgiveDebt(recording, debt, debtReversed, { kind: 'reversal', id: reversalId });
  letTimePass(recording, [...restored, ...returned]);
  return null;
}

/** How much of [from, to) lies in the `length` that begin at `start`. */
const overlap = (from: Amount, to: Amount, start: Amount, length: Amount): Amount =>
  Math.max(0, Math.min(to, start + length) - Math.max(from, start));

/** All reversals of a consumption together walk once along its parts: the debt, then the slices from the last to the first. */
function slicesToRestore(consumption: Consumption, before: Amount, amount: Amount): Slice[] {
  const restored: Slice[] = [];
  let start = consumption.debt;
  for (const slice of consumption.allocations.toReversed()) {
    const part = overlap(before, before + amount, start, slice.amount);
    if (part > 0) restored.push({ ...slice, amount: part, cost: partOfCost(slice, Math.max(0, before - start), part) });
    start += slice.amount;
  }
  return restored;
}

function overdraftOf(state: AccountState, consumptionId: string): Debt | null {
  for (const debt of state.debts.values())
    if (debt.cause.kind === 'overdraft' && debt.cause.id === consumptionId) return debt;
  return null;
}
