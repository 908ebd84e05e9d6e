import { settleClaims } from './settling.js';
import type { AccountCommand, AccountRefusal } from '../commands.js';
import type { Recording } from '../recording.js';
import { recordTaken } from './revocations.js';

type RevokeGrant = Extract<AccountCommand, { type: 'RevokeGrant' }>;

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
