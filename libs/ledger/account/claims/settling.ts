import type { Amount } from '#kernel/amount.js';
import { claimedPayment, isAfterClaims, sameUpTo, type Asked, type Claimed, type OfGrant } from './view.js';
import { repayOwed } from '../debt.js';
import type { Slice } from '../events.js';
import { claimedUnder, grantOf, holdReleased, isOver, sameCause } from '../grants/lots.js';
import { recordSpent, recordTaken, undoSpent, undoTaken } from './revocations.js';
import type { AccountState, Grant } from '../state.js';
import { rolledOver, rollOver, rolloversOf } from '../terms/rollover.js';
import { giveBackTerms, linkedTo, settleTerms } from '../terms/settling.js';
import { settleTrial } from '../terms/trial-settling.js';
import type { Recording } from '../recording.js';
import { passClaimsOn } from '../transfers/sent.js';

/** A grant that something has happened to. */
export type Touched = { readonly grantId: string };

/**
 * Makes the grants of payments what the claims on these leave of them, wherever one of them is among `touched`. What is taken is
 * always what `allocate` says: so the end does not depend on whether a refund, a dispute, an expiry or a release comes first. What
 * comes back to an expired grant stays free until time is let pass.
 */
export const settleClaims = (recording: Recording, touched: readonly Touched[]): void => {
  if (touched.length === 0) return;
  settleAll(recording, concernedBy(recording.state, touched));
};

/** The same for the grants of one payment, whose claims have changed. */
export const settleClaimsOn = (recording: Recording, reference: string): void => {
  const grants = [...recording.state.grants.values()].filter((grant) => claimedUnder(grant) === reference);
  settleAll(recording, { references: new Set([reference]), subscriptions: subscriptionsOf(grants) });
};

/** Settles what plan changes, the end and rollovers of a subscription mean for its grants. */
export const settleSubscription = (recording: Recording, subscriptionId: string): void => {
  settleAll(recording, { references: new Set(), subscriptions: new Set([subscriptionId]) });
};

/** What has to be settled: payments with claims, and then subscriptions. */
type Concerned = { readonly references: Set<string>; readonly subscriptions: Set<string> };

function settleAll(recording: Recording, { references, subscriptions }: Concerned): void {
  let someReturned = false;
  // Debt that is undone gives credits back to the grants that had repaid it, perhaps of a payment with claims, too.
  const settled = (returned: readonly Slice[]): void => {
    const others = concernedBy(recording.state, returned);
    for (const other of others.references) references.add(other);
    for (const other of others.subscriptions) subscriptions.add(other);
    someReturned ||= returned.length > 0;
  };
  while (references.size > 0 || subscriptions.size > 0) {
    for (const reference of references) {
      references.delete(reference);
      settled(settlePayment(recording, reference));
    }
    for (const id of subscriptions) {
      subscriptions.delete(id);
      settled(settleTermsAndRollovers(recording, id));
    }
  }
  // What had repaid one claim's debt repays what another claim makes of it, before it may expire.
  if (someReturned) repayOwed(recording, recording.at);
}

function concernedBy(state: AccountState, touched: readonly Touched[]): Concerned {
  const grants = touched.flatMap(({ grantId }) => state.grants.get(grantId) ?? []);
  const claimed = grants
    .flatMap((grant) => claimedUnder(grant) ?? [])
    .filter((each) => state.claims.get(each) !== undefined);
  return { references: new Set(claimed), subscriptions: subscriptionsOf(grants) };
}

/**
 * Plan changes and the end take what claims leave; what expired then and is left goes on into the next month. Answers what went back
 * to grants that had repaid a debt.
 */
function settleTermsAndRollovers(recording: Recording, subscriptionId: string): readonly Slice[] {
  settleTrial(recording, subscriptionId);
  settleTerms(recording, subscriptionId);
  const returned: Slice[] = [];
  const agreedOf = ([id]: readonly [string, unknown]) => rolloversOf(recording.state, id, recording.at);
  for (const agreed of linkedTo(recording.state, subscriptionId).flatMap(agreedOf)) {
    const claimed = rolledOver(recording.state, agreed, recording.at);
    if (claimed !== null) returned.push(...settle(recording, claimed, agreed.grantId));
    if (rollOver(recording, agreed)) settleTerms(recording, subscriptionId);
  }
  return returned;
}

type Change = { readonly grant: Grant; readonly now: OfGrant; readonly due: OfGrant };

/** Settles one payment. Answers what went back to grants that had repaid a debt of its claims. */
function settlePayment(recording: Recording, reference: string): readonly Slice[] {
  const payment = claimedPayment(recording.state, reference);
  return payment === null ? [] : settle(recording, payment, reference);
}

function settle(recording: Recording, claimed: Claimed, reference: string): readonly Slice[] {
  for (const { id, transferred } of claimed.grants)
    if (transferred > 0) passClaimsOn(recording, id, claimed.due(id).given);
  const changes = changesOf(claimed, recording.at);
  if (changes.length === 0) return [];
  // Plan changes and ends take only what claims leave: of grants of which claims take what they did, all stays as it is.
  giveBackTerms(
    recording,
    changes.map(({ grant }) => grant),
  );
  for (const hold of claimed.holds) recording.record(holdReleased(hold, 'released'));
  for (const { grant, now, due } of changes) {
    for (const { cause, amount } of now.taken.slice(sameUpTo(now.taken, due.taken)).toReversed())
      undoTaken(recording, { grantId: grant.id, amount, cause });
  }
  const returned = changes.flatMap(({ grant, now, due }) => giveUpSpent(recording, grant.id, now.spent, due.spent));
  for (const { grant, now, due } of changes) {
    for (const { cause, amount } of due.taken.slice(sameUpTo(now.taken, due.taken))) {
      giveUpUnspent(recording, grant.id, amount);
      recordTaken(recording, grant.id, amount, cause);
    }
  }
  for (const { grant, now, due } of changes) askForSpent(recording, grant.id, now.spent, due.spent);
  for (const grant of claimed.grants) reserve(recording, reference, grant.id, claimed.due(grant.id).held);
  for (const id of subscriptionsOf(claimed.grants)) settleTerms(recording, id);
  return returned;
}

function changesOf({ grants, now, due }: Claimed, at: string): readonly Change[] {
  return grants
    .map((grant): Change => ({ grant, now: now(grant.id), due: due(grant.id) }))
    .filter(
      ({ grant, now: before, due: after }) =>
        before.held !== reservable(grant, after.held, at) ||
        sameUpTo(before.taken, after.taken) < Math.max(before.taken.length, after.taken.length) ||
        [...before.spent, ...after.spent].some(
          ({ cause }) => ofCause(before.spent, cause) !== ofCause(after.spent, cause),
        ),
    );
}

const ofCause = (list: readonly Asked[], cause: Asked['cause']): Amount =>
  list.find((each) => sameCause(each.cause, cause))?.amount ?? 0;

const giveUpSpent = (
  recording: Recording,
  grantId: string,
  now: readonly Asked[],
  due: readonly Asked[],
): readonly Slice[] =>
  now.flatMap(({ cause, amount }) =>
    undoSpent(recording, { grantId, amount: Math.max(0, amount - ofCause(due, cause)), cause }),
  );

function askForSpent(recording: Recording, grantId: string, now: readonly Asked[], due: readonly Asked[]): void {
  for (const { cause, amount } of due)
    recordSpent(recording, grantId, Math.max(0, amount - ofCause(now, cause)), cause);
}

/** Has what comes after claims give up as much as these need and is not there otherwise: of a period that is over. */
function giveUpUnspent(recording: Recording, grantId: string, needed: Amount): void {
  const { free, expired, revocations } = grantOf(recording.state, grantId);
  let missing = needed - free - expired;
  for (const { cause, amount } of revocations.filter(isAfterClaims).toReversed()) {
    if (missing <= 0) return;
    undoTaken(recording, { grantId, amount: Math.min(missing, amount), cause });
    missing -= amount;
  }
}

const subscriptionsOf = (grants: readonly Grant[]): Set<string> =>
  new Set(grants.flatMap(({ term }) => term?.subscriptionId ?? []));

/** Nothing is reserved of what cannot be spent: it does not run away. */
const reservable = (grant: Grant, reserved: Amount, at: string): Amount =>
  grant.scheduled || isOver(grant, at) ? 0 : reserved;

function reserve(recording: Recording, reference: string, grantId: string, reserved: Amount): void {
  const grant = grantOf(recording.state, grantId);
  const amount = reservable(grant, reserved, recording.at);
  if (amount === 0) return;
  recording.record({
    type: 'CreditsHeld',
    holdId: recording.newId('hold'),
    amount,
    allocations: [{ grantId, source: grant.source, amount }],
    // With its grant: what expires is not reserved any more.
    expiresAt: grant.expiresAt,
    owner: { payment: reference },
    burnOrder: null,
    description: 'refund under way or payment disputed',
    metadata: {},
  });
}
