import { grantOf } from '../grants/lots.js';
import type { AccountState, SubscriptionTerms } from '../state.js';
import { planFacts, type PlanFacts, type TermFacts } from './changes.js';

/**
 * Records are replaced, never changed, and what they say of a grant stays as it is: so what is worked out of one is right as long as
 * it is there. Commands and reads ask for it many times over.
 */
const known = new WeakMap<SubscriptionTerms, PlanFacts>();

/** What the records of a subscription's grants and changes say. */
export function factsOf(state: AccountState, terms: SubscriptionTerms): PlanFacts {
  const before = known.get(terms);
  if (before !== undefined) return before;
  const grants = terms.grants.flatMap((id): readonly TermFacts[] => {
    const { term, amount, paymentReference } = grantOf(state, id);
    return term === null ? [] : [{ id, term, amount, paymentReference }];
  });
  const facts = planFacts(grants, terms.changes);
  known.set(terms, facts);
  return facts;
}
