import type { Amount, Money } from '#kernel/amount.js';

import { moneyOf, type AccountEvent } from '../events.js';

/** What became of credits of a grant. Those of one line of `countersOf` sum up to one counter of the grant. */
export const useTypes = [
  'consumed',
  'captured',
  'reversed',
  'expired',
  'revoked',
  'reinstated',
  'debt_repaid',
  'debt_forgiven',
  'transferred',
  'transfer_returned',
] as const;
export type UseType = (typeof useTypes)[number];

/**
 * A part of a grant that an event used up, in whichever way; negative where it came back. All uses of a grant and what is left of it (free
 * or held) sum up to the grant.
 */
export type GrantUse = {
  readonly grantId: string;
  readonly type: UseType;
  readonly amount: number;
  /** The money that went along; negative where it came back. */
  readonly cost: Money | null;
  readonly consumptionId: string | null;
  readonly holdId: string | null;
};

type Part = { readonly grantId: string; readonly amount: Amount; readonly cost: Money | null };
type Marks = { readonly consumptionId?: string; readonly holdId?: string };

/** What an event uses of grants: of each grant and type at most one, by type. */
export function usesOf(event: AccountEvent): readonly GrantUse[] {
  switch (event.type) {
    case 'CreditsConsumed':
      return uses('consumed', 1, event.allocations, { consumptionId: event.consumptionId });
    case 'HoldCaptured':
      return uses('captured', 1, event.allocations, event);
    case 'ConsumptionReversed':
      return uses('reversed', -1, event.restored, { consumptionId: event.consumptionId });
    case 'CreditsExpired':
      return uses('expired', 1, [event]);
    case 'CreditsRevoked': {
      const back = event.expired > 0 ? uses('expired', -1, event.allocations) : [];
      return [...back, ...uses('revoked', 1, event.allocations)];
    }
    case 'CreditsReinstated':
      return [...(event.expired ? uses('expired', 1, [event]) : []), ...uses('reinstated', -1, [event])];
    case 'DebtRepaid':
      return uses('debt_repaid', 1, [event]);
    case 'DebtForgiven':
      return uses('debt_forgiven', -1, event.restored);
    case 'TransferSent':
      return uses('transferred', 1, event.lots);
    case 'TransferReturned':
      return uses('transfer_returned', -1, event.restored);
    default:
      return [];
  }
}

function uses(type: UseType, sign: 1 | -1, parts: readonly Part[], marks: Marks = {}): readonly GrantUse[] {
  const { consumptionId = null, holdId = null } = marks;
  const byGrant = new Map<string, GrantUse>();
  const signed = (value: number): number => (sign < 0 ? 0 - value : value);
  for (const part of parts) {
    if (part.amount === 0) continue;
    const { grantId } = part;
    const known = byGrant.get(grantId);
    const amount = (known?.amount ?? 0) + signed(part.amount);
    const money = (known?.cost?.amount ?? 0) + signed(moneyOf(part));
    const cost = part.cost === null ? null : { ...part.cost, amount: money };
    byGrant.set(grantId, { grantId, type, amount, cost, consumptionId, holdId });
  }
  return [...byGrant.values()];
}
