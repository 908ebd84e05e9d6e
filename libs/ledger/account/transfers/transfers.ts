import { MAX_AMOUNT } from '#kernel/amount.js';
import { claim } from '../claims/claims.js';
import type { AccountCommand, AccountRefusal } from '../commands.js';
import { total, type Slice, type TransferredLot } from '../events.js';
import { burnOrderOf, slicesToSpend } from '../grants/burn-order.js';
import { grantOf, nameOfLot } from '../grants/lots.js';
import { type Recording, openAccount } from '../recording.js';
import type { SentLot } from '../state.js';
import { letTimePass } from '../time.js';

type Command<Type extends AccountCommand['type']> = Extract<AccountCommand, { type: Type }>;

/** So many grants may give to one transfer: the receiver takes all of them in one append. */
export const MOST_LOTS = 300;

/**
 * Takes credits out of the account for another customer, in burn order, with all that is known of them. What waits for its receiver is
 * nobody's to spend. Never uses an overdraft.
 */
export function transferCredits(recording: Recording, command: Command<'TransferCredits'>): AccountRefusal | null {
  const { toCustomerId, amount, reason, receiver } = command;
  if (receiver !== 'ready')
    return { rejected: receiver === 'closed' ? 'account_closed' : 'customer_not_found', customerId: toCustomerId };
  const { available } = recording.balance;
  if (amount > available) return { rejected: 'insufficient_credits', available, required: amount };
  const { state } = recording;
  const lots = slicesToSpend(state, amount).map((slice): TransferredLot => {
    const { priority, effectiveAt, expiresAt, paymentReference } = grantOf(state, slice.grantId);
    return { ...slice, priority, effectiveAt, expiresAt, paymentReference };
  });
  if (lots.length > MOST_LOTS) return { rejected: 'too_many_grants' };
  recording.record({
    type: 'TransferSent',
    transferId: recording.newId('tr'),
    toCustomerId,
    amount,
    lots,
    burnOrder: burnOrderOf(state.settings.burnOrder),
    reason,
  });
  return null;
}

/**
 * Makes each lot a grant of this account as it was one of the sender's: source, expiry, priority, payment and cost stay. What is refused
 * here is refused for ever, so that the sender can have it back. A lot that has expired meanwhile expires here at once.
 */
export function receiveTransfer(recording: Recording, command: Command<'ReceiveTransfer'>): AccountRefusal | null {
  const { transferId, fromCustomerId, reason, lots, erased } = command;
  const amount = total(lots);
  const { customerId } = recording.state;
  if (erased) return { rejected: 'customer_erased', customerId };
  if (recording.state.granted > MAX_AMOUNT - amount) return { rejected: 'balance_limit_exceeded' };
  openAccount(recording);
  recording.record({ type: 'TransferReceived', transferId, fromCustomerId, amount, reason });
  for (const { grantId, cost, ...lot } of lots)
    recording.record({
      type: 'CreditsGranted',
      grantId: recording.newId('gr'),
      ...lot,
      costBasis: cost,
      adjustmentId: null,
      received: { transferId, fromCustomerId, grantId },
      description: reason,
      metadata: {},
    });
  letTimePass(recording);
  return null;
}

/** Puts what the receiver could not take back into the grants that it came from; of one that has expired it expires at once. */
export function returnTransfer(
  recording: Recording,
  { transferId, because }: Command<'ReturnTransfer'>,
): AccountRefusal | null {
  const transfer = recording.state.transfers.get(transferId);
  if (transfer === undefined) return null;
  const { toCustomerId, lots } = transfer;
  const restored = lots.map(sliceOf);
  recording.record({ type: 'TransferReturned', transferId, toCustomerId, amount: total(lots), restored, because });
  letTimePass(recording, restored);
  return null;
}

const sliceOf = ({ grantId, source, amount, cost }: SentLot): Slice => ({ grantId, source, amount, cost });

/**
 * Makes the grant that a lot became what claims on its payment leave of it, as those of an own payment would. Changes nothing where the
 * lot never arrived.
 */
export function followClaims(recording: Recording, command: Command<'FollowClaims'>): AccountRefusal | null {
  const { version, claims } = command;
  const paymentReference = nameOfLot(command);
  const { state } = recording;
  const grant = [...state.grants.values()].find(
    ({ received }) => received !== null && nameOfLot(received) === paymentReference,
  );
  const known = state.claims.get(paymentReference);
  if (grant === undefined || (known !== undefined && known.version >= version)) return null;
  claim(recording, { paymentReference, version, paid: grant.amount, claims });
  return null;
}
