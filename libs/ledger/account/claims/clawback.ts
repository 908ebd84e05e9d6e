import { settleClaims } from './settling.js';
import type { AccountCommand, AccountRefusal } from '../commands.js';
import type { Recording } from '../recording.js';
import { recordSpent, recordTaken, undoRevocation } from './revocations.js';
import type { Grant } from '../state.js';
import { letTimePass } from '../time.js';

type Revoke = Extract<AccountCommand, { type: 'RevokeCredits' }>;
type RevokeGrant = Extract<AccountCommand, { type: 'RevokeGrant' }>;
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
  recordTaken(recording, grant.id, taken, command.cause, command.reason);
  recordSpent(recording, grant.id, amount - taken, command.cause, command.reason);
  settleClaims(recording, [command]);
  return null;
}

/** An operator takes what nobody used of a grant, or a part of it. What is spent or reserved of it stays. */
export function revokeGrant(recording: Recording, { grantId, amount, reason }: RevokeGrant): AccountRefusal | null {
  const grant = recording.state.grants.get(grantId);
  if (grant === undefined) return { rejected: 'grant_not_found' };
  const { free: unspent } = grant;
  if (unspent === 0 || (amount ?? 0) > unspent) return { rejected: 'amount_exceeds_grant', unspent };
  const cause = { kind: 'operator', id: recording.newId('rvk') } as const;
  recordTaken(recording, grantId, amount ?? unspent, cause, reason);
  settleClaims(recording, [{ grantId }]);
  return null;
}

/**
 * Undoes a revocation under the same cause: first the debt that it made, newest first, and what it wrote off, then the credits it
 * took. What comes back to an expired grant is expired.
 */
export function reinstateCredits(recording: Recording, command: Reinstate): AccountRefusal | null {
  if (recording.state.grants.get(command.grantId) === undefined) return { rejected: 'grant_not_found' };
  const returned = undoRevocation(recording, command);
  letTimePass(recording, [command, ...returned]);
  return null;
}
