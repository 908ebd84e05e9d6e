import type { AccountCommand, AccountRefusal } from './account-commands.js';
import { reinstateCredits, revokeCredits } from './account-clawback.js';
import { burnOrderOf } from './account-burn-order.js';
import { openAccount } from './account-opening.js';
import { NO_TIMEOUT, type Grant, type Hold, type PaymentClaims } from './account-state.js';
import { letTimePass } from './account-time.js';
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

/** A grant that its payment's claims were waiting for. */
export function settleNewGrant(recording: Recording, paymentReference: string | null, grantId: string): void {
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
  const changes = [...recording.state.grants.values()]
    .filter((grant) => grant.paymentReference === paymentReference)
    .map((grant): Change => {
      const [before, after] = credits(grant);
      return { grantId: grant.id, before, after };
    });
  if (changes.length === 0 || changes.every(isSettled)) return;
  releaseReserved(recording, paymentReference);
  for (const change of changes) giveBack(recording, change);
  for (const change of changes) takeBack(recording, change);
  reserve(recording, changes);
}

const isSettled = ({ before, after }: Change): boolean =>
  before.reserved === after.reserved && JSON.stringify(before.taken) === JSON.stringify(after.taken);

const amountUnder = ({ taken }: ClaimedCredits, id: string): number =>
  taken.reduce((sum, { cause, amount }) => sum + (cause.id === id ? amount : 0), 0);

function giveBack(recording: Recording, { grantId, before, after }: Change): void {
  for (const { cause, amount } of before.taken) {
    const back = amount - amountUnder(after, cause.id);
    if (back > 0) reinstateCredits(recording, { type: 'ReinstateCredits', grantId, amount: back, cause });
  }
}

function takeBack(recording: Recording, { grantId, before, after }: Change): void {
  for (const { cause, amount } of after.taken) {
    const more = amount - amountUnder(before, cause.id);
    if (more > 0) revokeCredits(recording, { type: 'RevokeCredits', grantId, amount: more, cause, reason: null });
  }
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
  for (const hold of reservedFor(recording, paymentReference)) {
    recording.record({
      type: 'HoldReleased',
      holdId: hold.id,
      amount: hold.remaining,
      allocations: hold.allocations,
      reason: 'released',
      heldAmount: hold.amount,
      expiresAt: hold.expiresAt,
    });
  }
  letTimePass(recording);
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
    amount: allocations.reduce((sum, { amount }) => sum + amount, 0),
    allocations,
    expiresAt: NO_TIMEOUT,
    burnOrder: burnOrderOf(recording.state.settings.burnOrder),
    description: 'refund under way or payment disputed',
    metadata: {},
  });
}
