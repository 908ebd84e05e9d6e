import { assert, assertNever } from '#kernel/assert.js';
import type { Amount } from '#kernel/amount.js';
import type { BurnOrder, BurnOrderName, HeldSlice, Slice } from '../events.js';
import { costOf } from './cost.js';
import type { AccountState, Grant } from '../state.js';

/** The version of the rules below, recorded with every choice they make. */
export const burnOrderOf = (name: BurnOrderName): BurnOrder => ({ name, version: 1 });

const soonestExpiry = (a: Grant, b: Grant): number => {
  if (a.expiresAt === b.expiresAt) return 0;
  if (a.expiresAt === null) return 1;
  return b.expiresAt === null || a.expiresAt < b.expiresAt ? -1 : 1;
};
const first = (a: boolean, b: boolean): number => Number(b) - Number(a);
const isFree = (grant: Grant): boolean => grant.costBasis === null || grant.costBasis.amount === 0;
const earliestEffective = (a: Grant, b: Grant): number =>
  a.effectiveAt === b.effectiveAt ? 0 : a.effectiveAt < b.effectiveAt ? -1 : 1;

const purchasedFirst = (a: Grant, b: Grant): number =>
  first(a.source === 'purchase', b.source === 'purchase') ||
  a.priority - b.priority ||
  soonestExpiry(a, b) ||
  earliestEffective(a, b) ||
  a.revision - b.revision;

const expiringFirst = (a: Grant, b: Grant): number =>
  a.priority - b.priority ||
  soonestExpiry(a, b) ||
  first(isFree(a), isFree(b)) ||
  earliestEffective(a, b) ||
  a.revision - b.revision;

/** A total order of grants: the revision of a grant in its stream is unique. Looks only at what never changes in a grant. */
export function compareForBurn(name: BurnOrderName): (a: Grant, b: Grant) => number {
  switch (name) {
    case 'purchased-first':
      return purchasedFirst;
    case 'expiring-first':
      return expiringFirst;
    default:
      return assertNever(name);
  }
}

/** Slices of `amount` spendable credits to reserve, taken grant by grant in burn order. There must be enough. */
export const slicesToHold = (state: AccountState, amount: Amount): HeldSlice[] =>
  choose(state, amount).map(({ grant, taken }) => ({ grantId: grant.id, source: grant.source, amount: taken }));

/** The same to use up: each with the cost that it takes along. */
export const slicesToSpend = (state: AccountState, amount: Amount): Slice[] =>
  choose(state, amount).map(({ grant, taken }) => ({
    grantId: grant.id,
    source: grant.source,
    amount: taken,
    cost: costOf(grant, taken),
  }));

function choose(state: AccountState, amount: Amount): { grant: Grant; taken: Amount }[] {
  const chosen: { grant: Grant; taken: Amount }[] = [];
  let missing = amount;
  for (const grant of state.spendable) {
    if (missing === 0) break;
    const taken = Math.min(missing, grant.free);
    chosen.push({ grant, taken });
    missing -= taken;
  }
  assert(missing === 0, 'slices were asked for beyond what is available');
  return chosen;
}
