import { proportion, type Amount, type Money } from '#kernel/amount.js';
import type { Slice } from '../events.js';
import type { Grant } from '../state.js';

/**
 * The share of the grant's cost basis that `amount` of its unspent credits takes along: round-half-up(R·x/r) of the R minor
 * units and r credits that are left; the last credit takes the rest. Null for a grant that cost nothing.
 */
export function costOf(grant: Grant, amount: Amount): Money | null {
  if (grant.costBasis === null) return null;
  const left = grant.free + grant.held;
  return { amount: left === 0 ? 0 : proportion(grant.costLeft, amount, left), currency: grant.costBasis.currency };
}

/** The recorded cost of `part` of a slice of which `before` was restored earlier; all parts together restore the whole cost. */
export function partOfCost(slice: Slice, before: Amount, part: Amount): Slice['cost'] {
  if (slice.cost === null) return null;
  const upTo = (restored: Amount): number =>
    slice.cost === null ? 0 : proportion(slice.cost.amount, restored, slice.amount);
  return { amount: upTo(before + part) - upTo(before), currency: slice.cost.currency };
}
