import { assert, assertNever } from '#kernel/assert.js';
import { canonicalJson, type Json } from '#kernel/json.js';
import type { AccountEventOf, FollowingClaim } from '../events.js';
import type { Recording } from '../recording.js';
import type { AccountState, SentLot, Transfer } from '../state.js';

/** The transfer that must stand: an event named it. */
function transferOf(state: AccountState, id: string): Transfer {
  const transfer = state.transfers.get(id);
  assert(transfer !== undefined, `an event names transfer ${id}, which the account has not sent`);
  return transfer;
}

/**
 * Has those who received credits of a grant give what claims ask of these: the oldest transfer first, so that a later one changes nothing
 * for earlier receivers. Records what is new of it; `asked` is at most what was transferred.
 */
export function passClaimsOn(recording: Recording, grantId: string, asked: readonly FollowingClaim[]): void {
  const sent = [...recording.state.transfers.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  let left = asked;
  for (const { id: transferId, toCustomerId, lots } of sent) {
    const lot = lots.find((each) => each.grantId === grantId);
    if (lot === undefined) continue;
    const { claims, rest } = split(left, lot.amount);
    left = rest;
    if (isSame(claims, lot.claims)) continue;
    recording.record({ type: 'TransferClaimed', transferId, toCustomerId, grantId, claims });
  }
}

const isSame = (a: readonly FollowingClaim[], b: readonly FollowingClaim[]): boolean =>
  canonicalJson(a as unknown as Json) === canonicalJson(b as unknown as Json);

/** The first `amount` credits of claims, and the others. */
function split(
  asked: readonly FollowingClaim[],
  amount: number,
): { readonly claims: readonly FollowingClaim[]; readonly rest: readonly FollowingClaim[] } {
  const [claims, rest]: [FollowingClaim[], FollowingClaim[]] = [[], []];
  let free = amount;
  for (const claim of asked) {
    const part = Math.min(free, claim.amount);
    free -= part;
    if (part > 0) claims.push({ ...claim, amount: part });
    if (part < claim.amount) rest.push({ ...claim, amount: claim.amount - part });
  }
  return { claims, rest };
}

type TransferEvent =
  | AccountEventOf<'TransferSent'>
  | AccountEventOf<'TransferReceived'>
  | AccountEventOf<'TransferReturned'>
  | AccountEventOf<'TransferClaimed'>;

/** What is known of the credits that were sent. What was received is known of its grants. */
export function evolveTransfers(state: AccountState, event: TransferEvent): AccountState {
  switch (event.type) {
    case 'TransferSent': {
      const lots = event.lots.map(({ grantId, source, amount, cost }): SentLot => ({
        grantId,
        source,
        amount,
        cost,
        claims: [],
      }));
      state.transfers.set(event.transferId, { id: event.transferId, toCustomerId: event.toCustomerId, lots });
      return state;
    }
    case 'TransferReceived':
      return state;
    case 'TransferReturned':
      transferOf(state, event.transferId);
      state.transfers.delete(event.transferId);
      return state;
    case 'TransferClaimed': {
      const transfer = transferOf(state, event.transferId);
      const lots = transfer.lots.map((lot) => (lot.grantId === event.grantId ? { ...lot, claims: event.claims } : lot));
      state.transfers.set(transfer.id, { ...transfer, lots });
      return state;
    }
    default:
      return assertNever(event);
  }
}
