import type { AccountCommand } from '../commands.js';
import type { AccountEvent } from '../events.js';

/** What an event of an account asks of the account of another customer, in the same unit. */
export type Asked = {
  readonly of: string;
  readonly transferId: string;
  readonly command: Extract<AccountCommand, { type: 'ReceiveTransfer' | 'FollowClaims' }>;
};

/**
 * What becomes of an event in another customer's account; null for most. `by`: the customer and the revision of the event. `erased`:
 * whether the other customer is, by now.
 */
export function askedBy(
  event: AccountEvent,
  by: { readonly customerId: string; readonly revision: number },
  erased: boolean,
): Asked | null {
  if (event.type === 'TransferSent') {
    const { transferId, toCustomerId, reason, lots } = event;
    const sent = { transferId, fromCustomerId: by.customerId, reason, lots };
    const command = { type: 'ReceiveTransfer', ...sent, erased } as const;
    return { of: toCustomerId, transferId, command };
  }
  if (event.type === 'TransferClaimed') {
    const { transferId, toCustomerId, grantId, claims } = event;
    const command = { type: 'FollowClaims', transferId, grantId, version: by.revision, claims } as const;
    return { of: toCustomerId, transferId, command };
  }
  return null;
}
