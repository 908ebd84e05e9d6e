import type { AccountCommand, AccountRefusal } from '../commands.js';
import { settleClaimsOn } from './settling.js';
import type { AccountEventOf, AccountFact } from '../events.js';
import { type Recording, openAccount } from '../recording.js';
import type { AccountState } from '../state.js';
import { letTimePass } from '../time.js';

type Facts<Type extends AccountFact['type']> = Omit<Extract<AccountFact, { type: Type }>, 'type'>;
type Settle = Extract<AccountCommand, { type: 'SettlePayment' }>;

/**
 * Makes the grants that a payment bought what its refunds and disputes leave of them: takes, gives back and reserves the
 * difference to what was settled before. Older versions than the one that is known change nothing. The claims stay known, so
 * whatever happens to a grant of the payment later is settled as it happens.
 */
export function settlePayment(recording: Recording, command: Settle): AccountRefusal | null {
  const { type: _, ...facts } = command;
  const { paymentReference, version } = facts;
  const before = recording.state.claims.get(paymentReference) ?? null;
  if (before !== null && before.version >= version) return null;
  openAccount(recording);
  claim(recording, facts);
  return null;
}

/** Notes what is claimed of a payment, or of a lot that was received, and settles it. */
export function claim(recording: Recording, facts: Facts<'PaymentClaimed'>): void {
  recording.record({ type: 'PaymentClaimed', ...facts });
  settleClaimsOn(recording, facts.paymentReference);
  letTimePass(recording);
}

/** What is claimed, for what happens later. */
export function evolveClaims(state: AccountState, event: AccountEventOf<'PaymentClaimed'>): AccountState {
  const { paymentReference, version, paid, overpaid, creditedBefore, claims } = event;
  state.claims.set(paymentReference, {
    ...{ version, paid, claims },
    ...(overpaid === undefined ? {} : { overpaid }),
    ...(creditedBefore === undefined ? {} : { creditedBefore }),
  });
  return state;
}
