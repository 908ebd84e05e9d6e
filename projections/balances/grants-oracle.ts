import { assert } from '#kernel/assert.js';
import type { AccountEvent, AccountEventOf, Slice } from '#ledger/account/events.js';

/** What a grant's credits were used for, of which kind each has its sum; what none of them has is free. */
export type Use = 'held' | 'consumed' | 'expired' | 'revoked' | 'repaid' | 'transferred';
export type GrantFacts = {
  readonly granted: AccountEventOf<'CreditsGranted'>;
  readonly revision: number;
  readonly used: Record<Use, number>;
  /** The minor units that went with all of these. */
  costUsed: number;
  scheduled: boolean;
};

/**
 * Notes what an event used of grants, and what it gave back: what each kind of event says, apart from the table of movements by which the
 * ledger and the projections move credits.
 */
export function noteGrants(grants: Map<string, GrantFacts>, event: AccountEvent, revision: number): void {
  const use = (
    slices: readonly (Pick<Slice, 'grantId' | 'amount'> & Partial<Slice>)[],
    kind: Use,
    sign: 1 | -1,
  ): void => {
    for (const { grantId, amount, cost } of slices) {
      const facts = known(grants, grantId);
      facts.used[kind] += sign * amount;
      facts.costUsed += sign * (cost?.amount ?? 0);
    }
  };
  switch (event.type) {
    case 'CreditsGranted': {
      const used = { held: 0, consumed: 0, expired: 0, revoked: 0, repaid: 0, transferred: 0 };
      const scheduled = event.effectiveAt > event.at;
      grants.set(event.grantId, { granted: event, revision, used, costUsed: 0, scheduled });
      return;
    }
    case 'CreditsActivated':
      known(grants, event.grantId).scheduled = false;
      return;
    case 'CreditsConsumed':
      return use(event.allocations, 'consumed', 1);
    case 'CreditsHeld':
      return use(event.allocations, 'held', 1);
    case 'HoldRaised':
      return use(event.allocations, 'held', 1);
    case 'HoldCaptured':
      use(event.allocations, 'consumed', 1);
      return use(withoutCost(event.allocations), 'held', -1);
    case 'HoldReleased':
      return use(event.allocations, 'held', -1);
    case 'CreditsExpired':
      return use([event], 'expired', 1);
    case 'CreditsRevoked':
      if (event.expired > 0) use(event.allocations, 'expired', -1);
      return use(event.allocations, 'revoked', 1);
    case 'CreditsReinstated':
      if (event.expired) use([event], 'expired', 1);
      return use([event], 'revoked', -1);
    case 'ConsumptionReversed':
      return use(event.restored, 'consumed', -1);
    case 'DebtRepaid':
      return use([event], 'repaid', 1);
    case 'DebtForgiven':
      return use(event.restored, 'repaid', -1);
    case 'TransferSent':
      return use(event.lots, 'transferred', 1);
    case 'TransferReturned':
      return use(event.restored, 'transferred', -1);
    default:
  }
}

const withoutCost = (slices: readonly Slice[]): readonly Omit<Slice, 'cost'>[] =>
  slices.map(({ grantId, source, amount }) => ({ grantId, source, amount }));

/** What is known of what an event names; that it is nothing is a bug. */
export function known<Facts>(all: ReadonlyMap<string, Facts>, id: string): Facts {
  const facts = all.get(id);
  assert(facts !== undefined, `an event names ${id}, of which there was none before`);
  return facts;
}
