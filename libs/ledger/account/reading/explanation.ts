import type { Amount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { conservationOf } from '../account.js';
import { compareForBurn } from '../grants/burn-order.js';
import { standing } from '../debt.js';
import type { AccountEvent, Balance, BurnOrder, Source } from '../events.js';
import type { AccountState, Grant } from '../state.js';
import { usesOf } from './uses.js';

/** How often credits of a grant were used or came back, and when first and last. */
export type UseCount = { readonly uses: number; readonly firstUse: Instant | null; readonly lastUse: Instant | null };
export const NO_USES: UseCount = { uses: 0, firstUse: null, lastUse: null };

/** Where the credits of one grant are: granted = scheduled + available + held + consumed + expired + revoked + repaidDebt + transferred. */
export type ExplainedGrant = UseCount & {
  readonly grantId: string;
  readonly source: Source;
  readonly granted: Amount;
  readonly scheduled: Amount;
  readonly available: Amount;
  readonly held: Amount;
  readonly consumed: Amount;
  readonly expired: Amount;
  readonly revoked: Amount;
  readonly repaidDebt: Amount;
  readonly transferred: Amount;
};

/** A debt of which something stands: what it is for, what is still owed and what grants paid of it. */
export type ExplainedDebt = {
  readonly debtId: string;
  readonly cause: { readonly kind: string; readonly id: string; readonly grantId: string | null };
  readonly outstanding: Amount;
  readonly repaid: Amount;
};

type GrantSums = Omit<ExplainedGrant, keyof UseCount | 'grantId' | 'source'>;
export type Explanation = Balance & {
  readonly grants: readonly ExplainedGrant[];
  readonly debts: readonly ExplainedDebt[];
  /** Of all grants; `debt` is what is outstanding of all debts. Its `available`, `held` and `debt` are the balance. */
  readonly sums: GrantSums & { readonly debt: Amount };
};

/** Why a balance is what it is. Time must have passed in `state`; `usesOfGrant` counts the uses that it has seen. */
export function explanationOf(state: AccountState, usesOfGrant: (grantId: string) => UseCount): Explanation {
  const { violations, repaid: repaidDebt, ...sums } = conservationOf(state);
  const debts = [...state.debts.values()].filter((debt) => standing(debt) > 0);
  return {
    ...state.balance,
    grants: [...state.grants.values()].map((grant) => ({
      grantId: grant.id,
      source: grant.source,
      granted: grant.amount,
      scheduled: grant.scheduled ? grant.free : 0,
      available: grant.scheduled ? 0 : grant.free,
      held: grant.held,
      consumed: grant.consumed,
      expired: grant.expired,
      revoked: grant.revoked,
      repaidDebt: grant.repaid,
      transferred: grant.transferred,
      ...usesOfGrant(grant.id),
    })),
    debts: debts.map((debt) => ({
      debtId: debt.id,
      cause: debt.cause,
      outstanding: debt.outstanding,
      repaid: standing(debt) - debt.outstanding,
    })),
    sums: { ...sums, repaidDebt, debt: debts.reduce((sum, { outstanding }) => sum + outstanding, 0) },
  };
}

/** The uses of grants with those of more events, oldest first. */
export class UseCounts {
  readonly #counts: Map<string, UseCount>;

  constructor(known: Iterable<readonly [grantId: string, count: UseCount]> = []) {
    this.#counts = new Map(known);
  }

  add(event: AccountEvent): void {
    for (const { grantId } of usesOf(event)) {
      const { uses, firstUse } = this.of(grantId);
      this.#counts.set(grantId, { uses: uses + 1, firstUse: firstUse ?? event.at, lastUse: event.at });
    }
  }

  of(grantId: string): UseCount {
    return this.#counts.get(grantId) ?? NO_USES;
  }
}

/** Why a slice came from its grant: its place in burn order among all grants that could have paid then, from 1, and what the order looked at. */
export type RankedSlice = Pick<Grant, 'source' | 'priority' | 'effectiveAt' | 'expiresAt'> & {
  readonly grantId: string;
  readonly rank: number;
  readonly among: number;
};

/** The ranks of grants that were chosen by `order` from an account as it was before. Grants that could not pay then are left out. */
export function ranksIn(before: AccountState, order: BurnOrder, chosen: readonly string[]): readonly RankedSlice[] {
  const candidates = before.spendable.toSorted(compareForBurn(order.name));
  return chosen.flatMap((grantId) => {
    const index = candidates.findIndex(({ id }) => id === grantId);
    const grant = candidates[index];
    if (grant === undefined) return [];
    const { source, priority, effectiveAt, expiresAt } = grant;
    return [{ grantId, rank: index + 1, among: candidates.length, source, priority, effectiveAt, expiresAt }];
  });
}
