import { assertNever } from '#kernel/assert.js';
import type { Decider, Moment } from '#kernel/decider.js';
import { removeBudget, setBudget } from './budgets/budgets.js';
import { keepFreeMonths } from './terms/free-months.js';
import { adjustCredits, grantCredits } from './granting.js';
import { repayOwed } from './debt.js';
import { settlePayment } from './claims/claims.js';
import { revokeGrant } from './claims/revoke-grant.js';
import { captureHold, extendHold, holdCredits, raiseHold, releaseHold, revisionOfHold } from './holds.js';
import { Recording, openAccount } from './recording.js';
import { changeSettings, changeStatus } from './settings.js';
import { consumeCredits, reverseConsumption, revisionToReverse } from './spending.js';
import type { AccountCommand, AccountRefusal } from './commands.js';
import type { AccountEvent } from './events.js';
import { decodeAccount, encodeAccount, SNAPSHOT_VERSION } from './snapshot.js';
import { evolveAccount } from './evolve.js';
import { counters, places, type Place } from './grants/moves.js';
import { forkAccount, initialAccount, mergeAccount, type AccountState, type Grant } from './state.js';
import { letTimePass } from './time.js';
import { followClaims, receiveTransfer, returnTransfer, transferCredits } from './transfers/transfers.js';
import { changePeriod, endSubscription, grantPeriod } from './terms/terms.js';
import { agreeTrial, moveTrial } from './terms/trials.js';

/** What a frozen account does not do: no new spending. What was reserved before may still be settled. */
const refusedWhenFrozen: readonly AccountCommand['type'][] = [
  'ConsumeCredits',
  'HoldCredits',
  'RaiseHold',
  'TransferCredits',
];
/**
 * What a closed account still does: time passes, and money that Stripe takes or gives back is still accounted for, and so is what comes
 * back to it. Of billing goes on what sells it nothing.
 */
const allowedWhenClosed: readonly AccountCommand['type'][] = [
  'RecordDue',
  'SettlePayment',
  'FollowClaims',
  'ReturnTransfer',
  'MoveTrial',
  'EndSubscription',
  'RequestBilling',
  'CloseAccount',
];

function decide(
  state: AccountState,
  command: AccountCommand,
  moment: Moment<AccountEvent>,
): readonly AccountEvent[] | AccountRefusal {
  const { status } = state.settings;
  if (status === 'closed' && !allowedWhenClosed.includes(command.type)) return { rejected: 'account_closed' };
  if (status === 'frozen' && refusedWhenFrozen.includes(command.type)) return { rejected: 'account_frozen' };
  const recording = new Recording(state, moment, evolveAccount);
  letTimePass(recording);
  const refusal = apply(recording, command);
  if (refusal !== null) return refusal;
  repayOwed(recording, moment.at);
  return recording.events;
}

function apply(recording: Recording, command: AccountCommand): AccountRefusal | null {
  switch (command.type) {
    case 'GrantCredits':
      return grantCredits(recording, command);
    case 'ConsumeCredits':
      return consumeCredits(recording, command);
    case 'ReverseConsumption':
      return reverseConsumption(recording, command);
    case 'HoldCredits':
      return holdCredits(recording, command);
    case 'ExtendHold':
      return extendHold(recording, command);
    case 'RaiseHold':
      return raiseHold(recording, command);
    case 'CaptureHold':
      return captureHold(recording, command);
    case 'ReleaseHold':
      return releaseHold(recording, command);
    case 'AdjustCredits':
      return adjustCredits(recording, command);
    case 'RevokeGrant':
      return revokeGrant(recording, command);
    case 'GrantPeriod':
      return grantPeriod(recording, command);
    case 'ChangePeriod':
      return changePeriod(recording, command);
    case 'AgreeTrial':
      return agreeTrial(recording, command);
    case 'MoveTrial':
      return moveTrial(recording, command);
    case 'EndSubscription':
      return endSubscription(recording, command);
    case 'KeepFreeMonths':
      return keepFreeMonths(recording, command);
    case 'SettlePayment':
      return settlePayment(recording, command);
    case 'TransferCredits':
      return transferCredits(recording, command);
    case 'ReceiveTransfer':
      return receiveTransfer(recording, command);
    case 'ReturnTransfer':
      return returnTransfer(recording, command);
    case 'FollowClaims':
      return followClaims(recording, command);
    case 'RequestBilling':
      openAccount(recording);
      recording.record({ type: 'BillingRequested', operation: command.operation });
      return null;
    case 'SetBudget':
      return setBudget(recording, command);
    case 'RemoveBudget':
      return removeBudget(recording, command);
    case 'RecordDue':
      return null;
    case 'ChangeSettings':
      return changeSettings(recording, command);
    case 'FreezeAccount':
    case 'UnfreezeAccount':
    case 'CloseAccount':
      return changeStatus(recording, command);
    default:
      return assertNever(command);
  }
}

function needs(state: AccountState, command: AccountCommand): number | null {
  switch (command.type) {
    case 'ReverseConsumption':
      return revisionToReverse(command);
    case 'ExtendHold':
    case 'RaiseHold':
    case 'CaptureHold':
    case 'ReleaseHold':
      return state.holds.get(command.holdId) === undefined ? revisionOfHold(command) : null;
    default:
      return null;
  }
}

/** The rules of a customer's credits in one unit: see README beside this file for what they mean. */
export const accountDecider: Decider<AccountCommand, AccountEvent, AccountState, AccountRefusal> = {
  category: 'account',
  initial: initialAccount,
  decide,
  evolve: evolveAccount,
  fork: forkAccount,
  merge: mergeAccount,
  needs,
  snapshot: { version: SNAPSHOT_VERSION, encode: encodeAccount, decode: decodeAccount },
};

/** The sums of an account's grants, by where the credits are, and whether they add up. */
export type Conservation = { readonly [Name in Place | 'granted']: number } & {
  /** What does not add up, in words; empty when all does. */
  readonly violations: readonly string[];
};

const freePlace = ({ scheduled }: Grant): Place => (scheduled ? 'scheduled' : 'available');

/** Conservation: what was granted is all somewhere, per grant and in total, and the recorded balance is what grants and debts sum up to. */
export function conservationOf(state: AccountState): Conservation {
  const violations: string[] = [];
  const sum = Object.fromEntries(['granted', ...places].map((name) => [name, 0])) as Record<Place | 'granted', number>;
  for (const grant of state.grants.values()) {
    if (grant.amount !== counters.reduce((all, counter) => all + grant[counter], 0))
      violations.push(`grant ${grant.id} does not add up`);
    sum.granted += grant.amount;
    for (const counter of counters) sum[counter === 'free' ? freePlace(grant) : counter] += grant[counter];
  }
  const held = [...state.holds.values()].reduce((total, hold) => total + hold.remaining, 0);
  const debt = [...state.debts.values()].reduce((total, { outstanding }) => total + outstanding, 0);
  const { balance } = state;
  if (balance.available !== sum.available)
    violations.push(
      `available is recorded as ${String(balance.available)}, the grants sum up to ${String(sum.available)}`,
    );
  if (balance.held !== sum.held)
    violations.push(`held is recorded as ${String(balance.held)}, the grants sum up to ${String(sum.held)}`);
  if (held !== sum.held)
    violations.push(`the open holds sum up to ${String(held)}, the grants' held parts to ${String(sum.held)}`);
  if (balance.debt !== debt)
    violations.push(`debt is recorded as ${String(balance.debt)}, the debts sum up to ${String(debt)}`);
  if (state.granted !== sum.granted) violations.push('the sum of grants is not what was granted');
  return { ...sum, violations };
}
