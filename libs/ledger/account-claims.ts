import { MAX_AMOUNT } from '#kernel/amount.js';
import type { AccountCommand, AccountRefusal } from './account-commands.js';
import { revokeCredits, undoRevocation } from './account-clawback.js';
import { burnOrderOf } from './account-burn-order.js';
import { repayOwed } from './account-debt.js';
import { total, type AccountEventOf } from './account-events.js';
import { holdReleased } from './account-lots.js';
import { openAccount } from './account-opening.js';
import { NO_TIMEOUT, type AccountState, type Grant, type Hold, type PaymentClaims } from './account-state.js';
import { letTimePass } from './account-time.js';
import { giveBackUnspent, settleUnspent } from './account-unspent.js';
import type { Recording } from './account-recording.js';
import { claimedOf, type ClaimedCredits } from './payment-claims.js';

type Settle = Extract<AccountCommand, { type: 'SettlePayment' }>;

/**
 * Makes the grants that a payment bought what its refunds and disputes leave of them: takes, gives back and reserves the
 * difference to what was settled before. Older versions than the one that is known change nothing. The claims stay known, so a
 * grant that comes later is settled as it is granted.
 */
export function settlePayment(recording: Recording, command: Settle): AccountRefusal | null {
  const { paymentReference, version, paid, claims } = command;
  const before = recording.state.claims.get(paymentReference) ?? null;
  if (before !== null && before.version >= version) return null;
  const after = { version, paid, claims };
  openAccount(recording);
  recording.record({ type: 'PaymentClaimed', paymentReference, ...after });
  settle(recording, paymentReference, (grant) => [creditsOf(before, grant), creditsOf(after, grant)]);
  return null;
}

/** A grant that claims on its payment or its period were waiting for. */
export function settleNewGrant(
  recording: Recording,
  { paymentReference, expiresAt }: Pick<Grant, 'paymentReference' | 'expiresAt'>,
  grantId: string,
): void {
  settleUnspent(recording, expiresAt);
  const claims = paymentReference === null ? undefined : recording.state.claims.get(paymentReference);
  if (claims === undefined || paymentReference === null) return;
  settle(recording, paymentReference, (grant) => [
    creditsOf(grant.id === grantId ? null : claims, grant),
    creditsOf(claims, grant),
  ]);
}

const creditsOf = (claims: PaymentClaims | null, grant: Grant): ClaimedCredits =>
  claims === null ? { taken: [], reserved: 0 } : claimedOf(grant.amount, claims.paid, claims.claims);

type Change = { readonly grantId: string; readonly before: ClaimedCredits; readonly after: ClaimedCredits };

function settle(
  recording: Recording,
  paymentReference: string,
  credits: (grant: Grant) => readonly [ClaimedCredits, ClaimedCredits],
): void {
  const grants = [...recording.state.grants.values()].filter((grant) => grant.paymentReference === paymentReference);
  const changes = grants.map((grant): Change => {
    const [before, after] = credits(grant);
    return { grantId: grant.id, before, after };
  });
  if (changes.every(isSettled)) return;
  // A smaller plan takes only what refunds and disputes leave, whichever was heard of first.
  const ends = [...new Set(grants.flatMap(({ expiresAt }) => expiresAt ?? []))];
  for (const endsAt of ends)
    if (recording.state.unspentClaims.get(endsAt) !== undefined) giveBackUnspent(recording, endsAt);
  releaseReserved(recording, paymentReference);
  const redone = changes.map((change) => retake(recording, change));
  reserve(recording, changes);
  for (const endsAt of ends) settleUnspent(recording, endsAt);
  if (redone.includes(true)) repayOwed(recording, recording.moment.at);
  letTimePass(recording);
}

const isSettled = ({ before, after }: Change): boolean =>
  before.reserved === after.reserved && JSON.stringify(before.taken) === JSON.stringify(after.taken);

/**
 * Takes of a grant what its causes claim, in their order: those after the first that has changed are undone, the newest first,
 * and taken anew. So it makes no difference, to the last cent, in what order they were heard of. Answers whether one was.
 */
function retake(recording: Recording, { grantId, before, after }: Change): boolean {
  const changed = after.taken.findIndex(
    (taken, index) => JSON.stringify(taken) !== JSON.stringify(before.taken[index]),
  );
  const same = changed === -1 ? after.taken.length : changed;
  const undone = before.taken.slice(same);
  const taken = after.taken.slice(same);
  for (const { cause } of undone.toReversed()) undoRevocation(recording, { grantId, amount: MAX_AMOUNT, cause });
  for (const { cause, amount } of taken)
    revokeCredits(recording, { type: 'RevokeCredits', grantId, amount, cause, reason: null });
  return undone.length > 0 && taken.length > 0;
}

/** The hold that a payment's claims have placed: it has no time-out, and only claims release it. */
const reservedFor = (recording: Recording, paymentReference: string): readonly Hold[] =>
  [...recording.state.holds.values()].filter(
    ({ expiresAt, allocations: [slice] }) =>
      expiresAt === NO_TIMEOUT &&
      slice !== undefined &&
      recording.state.grants.get(slice.grantId)?.paymentReference === paymentReference,
  );

function releaseReserved(recording: Recording, paymentReference: string): void {
  for (const hold of reservedFor(recording, paymentReference)) recording.record(holdReleased(hold, 'released'));
}

/** Reserves what is left of the grants; what is spent is asked back only when the money is really gone. */
function reserve(recording: Recording, changes: readonly Change[]): void {
  const allocations = changes.flatMap(({ grantId, after }) => {
    const grant = recording.state.grants.get(grantId);
    const amount = grant === undefined || grant.scheduled ? 0 : Math.min(after.reserved, grant.free);
    return grant === undefined || amount === 0 ? [] : [{ grantId, source: grant.source, amount }];
  });
  if (allocations.length === 0) return;
  recording.record({
    type: 'CreditsHeld',
    holdId: recording.newId('hold'),
    amount: total(allocations),
    allocations,
    expiresAt: NO_TIMEOUT,
    burnOrder: burnOrderOf(recording.state.settings.burnOrder),
    description: 'refund under way or payment disputed',
    metadata: {},
  });
}

/** What is claimed, for grants that come later. */
export function evolveClaims(
  state: AccountState,
  event: AccountEventOf<'PaymentClaimed'> | AccountEventOf<'UnspentClaimed'>,
): AccountState {
  if (event.type === 'PaymentClaimed') {
    state.claims.set(event.paymentReference, { version: event.version, paid: event.paid, claims: event.claims });
    return state;
  }
  const { endsAt, since, amount, cause } = event;
  const ended = [...state.unspentClaims.entries()].filter(([end]) => end <= event.at);
  for (const [end] of ended) state.unspentClaims.delete(end);
  state.unspentClaims.set(endsAt, [...(state.unspentClaims.get(endsAt) ?? []), { cause, amount, since }]);
  return state;
}
