import { assert } from '#kernel/assert.js';
import type { Instant } from '#kernel/instant.js';
import { chargesMember } from '../budgets/charges.js';
import type { AccountFact, Received } from '../events.js';
import { compareForBurn } from './burn-order.js';
import { buckets, type Move } from './moves.js';
import type { AccountState, Debt, Due, Grant, Hold } from '../state.js';
import { insertSorted, removeSorted } from '../../sorted.js';

/** By time; at one instant by `order`, then by id, so that no two are equal. */
export const compareDue = (a: Due, b: Due): number => {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1;
  if (a.order !== b.order) return a.order - b.order;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
};
/** By age. */
export const compareDebts = (a: Debt, b: Debt): number => a.revision - b.revision;

/** What time will do with a grant next; null when nothing. */
export const dueOf = (grant: Grant): Due | null => {
  if (grant.free === 0) return null;
  if (grant.scheduled) return { at: grant.effectiveAt, order: 0, kind: 'activate', id: grant.id };
  return grant.expiresAt === null ? null : { at: grant.expiresAt, order: 2, kind: 'expire', id: grant.id };
};
/** When time closes a hold; null when it never does. */
export const timeoutOf = (hold: Hold): Due | null =>
  hold.expiresAt === null ? null : { at: hold.expiresAt, order: 1, kind: 'timeout', id: hold.id };

/** Whether a grant has expired by `at`. */
export const isOver = ({ expiresAt }: Grant, at: Instant): boolean => expiresAt !== null && expiresAt <= at;

/** The end of a hold, giving back all that it still holds. */
export const holdReleased = (hold: Hold, reason: 'released' | 'captured' | 'expired'): AccountFact => ({
  type: 'HoldReleased',
  holdId: hold.id,
  amount: hold.remaining,
  allocations: hold.allocations,
  ...chargesMember(hold.charges),
  reason,
  heldAmount: hold.amount,
  expiresAt: hold.expiresAt,
});

/** The grant that must exist: an event named it. */
export function grantOf(state: AccountState, id: string): Grant {
  const grant = state.grants.get(id);
  assert(grant !== undefined, `an event names grant ${id}, which the account does not have`);
  return grant;
}

/** The name of a lot that another customer gave, as claims on what bought it follow it. */
export const nameOfLot = ({ transferId, grantId }: Pick<Received, 'transferId' | 'grantId'>): string =>
  `${transferId} ${grantId}`;

/** Under which name claims on what bought a grant are known: its payment, or of what another customer gave the lot. */
export const claimedUnder = ({ received, paymentReference }: Grant): string | null =>
  received === null ? paymentReference : nameOfLot(received);

/** Whether a grant is among those that burn-down chooses from; one whose expiry is due is taken out before. */
export const isSpendable = (grant: Grant): boolean => !grant.scheduled && grant.free > 0;

/** Puts a grant in its places; `before` is the record that it replaces. */
export function putGrant(state: AccountState, before: Grant | null, after: Grant): void {
  state.grants.set(after.id, after);
  const compare = compareForBurn(state.settings.burnOrder);
  if (before !== null && isSpendable(before)) {
    // The order looks at nothing that changes while a grant lives, so the new record takes the old one's place.
    state.spendable = isSpendable(after)
      ? replaced(state.spendable, before, after, compare)
      : removeSorted(state.spendable, before, compare);
  } else if (isSpendable(after)) {
    state.spendable = insertSorted(state.spendable, after, compare);
  }
  const [due, next] = [before === null ? null : dueOf(before), dueOf(after)];
  if (due?.kind === next?.kind) return;
  if (due !== null) state.timeline = removeSorted(state.timeline, due, compareDue);
  if (next !== null) state.timeline = insertSorted(state.timeline, next, compareDue);
}

function replaced(
  list: readonly Grant[],
  before: Grant,
  after: Grant,
  compare: (a: Grant, b: Grant) => number,
): readonly Grant[] {
  if (list[0]?.id === before.id) return list.length === 1 ? [after] : list.with(0, after);
  return insertSorted(removeSorted(list, before, compare), after, compare);
}

/** Replaces a grant's record by one of which other things are noted. */
export const changeGrant = (
  state: AccountState,
  grant: Grant,
  change: Partial<Pick<Grant, 'revocations' | 'clawedBack'>>,
): void => {
  putGrant(state, grant, { ...grant, ...change });
};

/** Carries out a move. Its cost stays with the grant while the credits are unspent, and is kept beside that of expired ones. */
export function moveCredits(state: AccountState, { grantId, from, to, amount, cost }: Move): void {
  const grant = grantOf(state, grantId);
  const after: { -readonly [Member in keyof Grant]: Grant[Member] } = { ...grant };
  const [source, target] = [buckets[from], buckets[to]];
  assert(
    source.counter !== 'free' || grant.scheduled === (from === 'scheduled'),
    `credits of grant ${grantId} are not ${from}`,
  );
  if (source.counter !== null) after[source.counter] -= amount;
  if (target.counter !== null) after[target.counter] += amount;
  if (source.cost !== null) after[source.cost] -= cost;
  if (target.cost !== null) after[target.cost] += cost;
  if (to === 'scheduled' || to === 'available') after.scheduled = to === 'scheduled';
  assert(
    amount >= 0 &&
      (source.counter === null || after[source.counter] >= 0) &&
      after.costLeft >= 0 &&
      after.costExpired >= 0,
    `grant ${grantId} would hold less than nothing`,
  );
  putGrant(state, grant, after);
}

/** Whether two revocations have the same cause. */
export const sameCause = (a: { kind: string; id: string }, b: { kind: string; id: string }): boolean =>
  a.kind === b.kind && a.id === b.id;

/** Notes what of a grant was asked back after it was spent or reserved; negative where that was undone. */
export function noteClawback(state: AccountState, grantId: string, amount: number): void {
  const grant = grantOf(state, grantId);
  changeGrant(state, grant, { clawedBack: grant.clawedBack + amount });
}
