import { assert, assertNever } from '#kernel/assert.js';
import { countCharges, evolveBudgets } from './budgets/budgets.js';
import { evolveClaims } from './claims/claims.js';
import { evolveDebts } from './debt.js';
import type { AccountEvent } from './events.js';
import { evolveGranted } from './granting.js';
import { moveCredits } from './grants/lots.js';
import { moves } from './grants/moves.js';
import { evolveHolds } from './holds.js';
import { evolveRevocations } from './claims/revocations.js';
import { evolveSettings } from './settings.js';
import { evolveTerms } from './terms/terms.js';
import type { AccountState } from './state.js';
import { evolveTransfers } from './transfers/sent.js';
import { usageAfter } from './usage.js';

/** Takes over `state` and returns it as the event leaves it. Asserts what the rules exclude. */
export function evolveAccount(state: AccountState, event: AccountEvent, revision: number): AccountState {
  const { available, held, debt } = event.balance;
  assert(
    available >= 0 && held >= 0 && debt >= 0,
    `${event.type} at revision ${String(revision)} leaves a balance below nothing`,
  );
  state.balance = event.balance;
  state.lastAt = event.at;
  state.usage = usageAfter(state.usage, event, revision, (id) => state.grants.get(id)?.term ?? null);
  const after = noted(state, event, revision);
  for (const move of moves(event)) moveCredits(after, move);
  return after;
}

/** What an event leaves beside the credits that it moves. */
function noted(state: AccountState, event: AccountEvent, revision: number): AccountState {
  switch (event.type) {
    case 'AccountOpened':
      state.opened = true;
      return state;
    case 'BillingRequested':
    case 'CreditsActivated':
    case 'CreditsExpired':
      return state;
    case 'CreditsConsumed':
      countCharges(state, event);
      return state;
    case 'CreditsGranted':
      return evolveGranted(state, event, revision);
    case 'ConsumptionReversed':
      state.reversed.set(event.consumptionRevision, event.reversedTotal);
      countCharges(state, event);
      return state;
    case 'CreditsRevoked':
    case 'CreditsReinstated':
      return evolveRevocations(state, event);
    case 'HoldExtended':
      return evolveHolds(state, event);
    case 'CreditsHeld':
    case 'HoldRaised':
    case 'HoldCaptured':
    case 'HoldReleased':
      countCharges(state, event);
      return evolveHolds(state, event);
    case 'DebtIncurred':
    case 'DebtRepaid':
    case 'DebtForgiven':
      return evolveDebts(state, event, revision);
    case 'PaymentClaimed':
      return evolveClaims(state, event);
    case 'PeriodChanged':
    case 'TrialChanged':
    case 'TermsEnded':
      return evolveTerms(state, event);
    case 'BudgetSet':
    case 'BudgetRemoved':
      return evolveBudgets(state, event);
    case 'TransferSent':
    case 'TransferReceived':
    case 'TransferReturned':
    case 'TransferClaimed':
      return evolveTransfers(state, event);
    case 'BurnOrderChanged':
    case 'OverdraftLimitChanged':
    case 'DebtPolicyChanged':
    case 'LowBalanceThresholdChanged':
    case 'AccountFrozen':
    case 'AccountUnfrozen':
    case 'AccountClosed':
      return evolveSettings(state, event);
    default:
      return assertNever(event);
  }
}
