import type { Amount } from '#kernel/amount.js';
import type { Charge, Charged } from './facts.js';

/** The first `amount` of charges, and what is left of them. */
export function takeFirst(
  charges: readonly Charge[],
  amount: Amount,
): { readonly taken: readonly Charge[]; readonly rest: readonly Charge[] } {
  const [taken, rest]: [Charge[], Charge[]] = [[], []];
  let missing = amount;
  for (const { amount: whole, budgets } of charges) {
    const part = Math.min(missing, whole);
    missing -= part;
    if (part > 0) taken.push({ amount: part, budgets });
    if (part < whole) rest.push({ amount: whole - part, budgets });
  }
  return { taken, rest };
}

/** What of charges is given back where `before` was given back already: the newest first. */
export function giveBack(charges: readonly Charge[], before: Amount, amount: Amount): readonly Charge[] {
  const { rest } = takeFirst(charges.toReversed(), before);
  return takeFirst(rest, amount).taken;
}

/** The charges of a hold with `added`; `uncounted` is what it reserved before any budget counted it. */
export function joinCharges(
  held: readonly Charge[] | undefined,
  added: readonly Charge[] | undefined,
  uncounted: Amount,
  amount: Amount,
): readonly Charge[] | undefined {
  if (held === undefined && added === undefined) return undefined;
  const before = held ?? [{ amount: uncounted, budgets: [] }];
  const more = added ?? [{ amount, budgets: [] }];
  const [last, first] = [before.at(-1), more[0]];
  if (last === undefined || first === undefined || more.length > 1 || !areSame(last, first))
    return [...before, ...more];
  return before.with(-1, { amount: last.amount + first.amount, budgets: first.budgets });
}

/** So that a hold that is raised often stays small. */
const areSame = (a: Charge, b: Charge): boolean =>
  a.budgets.length === b.budgets.length &&
  a.budgets.every(({ scope, since, windowEnd, over }, index) => {
    const other = b.budgets[index];
    return other?.scope === scope && other.since === since && other.windowEnd === windowEnd && other.over === over;
  });

/** As the member of an event: left out where there is none. */
export const chargesMember = (charges: readonly Charge[] | undefined): Charged =>
  charges === undefined || charges.length === 0 ? {} : { charges };
