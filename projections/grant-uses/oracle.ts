import { accountOf } from '#kernel/stream-name.js';
import type { AccountEvent, AccountEventOf, Slice } from '#ledger/account/events.js';
import type { LedgerEvent } from '#ledger/events.js';
import { document } from '#database/values.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import { noteGrants, type GrantFacts } from '../balances/grants-oracle.js';
import type { Projected } from '../ledger-projection.js';

type Folded = {
  readonly facts: Map<string, GrantFacts>;
  /** How many uses of each grant there were. */
  readonly counts: Map<string, number>;
};
type Part = Pick<Slice, 'grantId' | 'amount' | 'cost'>;

/** Takes each use from what was used of a grant before an event and after it. */
class GrantUsesOracle implements OracleFold<LedgerEvent> {
  readonly #accounts = new Map<string, Folded>();

  add(projected: Projected): readonly ExpectedRow[] {
    const { stream, revision } = projected.recorded;
    const event = projected.event as AccountEvent;
    const { facts, counts } = this.#account(stream);
    const parts = partsOf(event);
    const before = new Map(parts.map(({ grantId }) => [grantId, usedOf(facts.get(grantId))]));
    noteGrants(facts, event, revision);
    const rows: ExpectedRow[] = event.type === 'ConsumptionReversed' ? [reversalRow(projected, event)] : [];
    if (event.type === 'HoldRaised') {
      const { customer_id } = placeOf(projected);
      rows.push({ table: 'hold_raises', row: { stream, hold_id: event.holdId, revision, customer_id } });
    }
    for (const [id, then] of before) {
      const now = facts.get(id);
      if (then === null || now === undefined) continue;
      const { costBasis } = now.granted;
      const money = parts.reduce((sum, { grantId, cost }) => sum + (grantId === id ? (cost?.amount ?? 0) : 0), 0);
      for (const [type, amount] of changesOf(event, then, now.used)) {
        const n = (counts.get(id) ?? 0) + 1;
        counts.set(id, n);
        rows.push({
          table: 'grant_uses',
          row: {
            ...placeOf(projected),
            ...{ grant_id: id, type, n, amount },
            cost_amount: costBasis === null ? null : amount < 0 ? 0 - money : money,
            cost_currency: costBasis?.currency ?? null,
            consumption_id: 'consumptionId' in event ? event.consumptionId : null,
            hold_id: event.type === 'HoldCaptured' ? event.holdId : null,
          },
        });
      }
    }
    return rows;
  }

  #account(stream: string): Folded {
    const known = this.#accounts.get(stream) ?? { facts: new Map(), counts: new Map() };
    this.#accounts.set(stream, known);
    return known;
  }

  rest(): readonly ExpectedRow[] {
    return [];
  }
}

/** What an event says of grants, whichever way. */
function partsOf(event: AccountEvent): readonly Part[] {
  if ('restored' in event) return event.restored;
  if (event.type === 'TransferSent') return event.lots;
  if ('allocations' in event) return event.allocations.map((slice) => ({ cost: null, ...slice }));
  return 'grantId' in event && 'cost' in event && 'amount' in event ? [event] : [];
}

const counters = ['consumed', 'expired', 'revoked', 'repaid', 'transferred'] as const;
const names = {
  consumed: (event: AccountEvent, by: number): string =>
    by < 0 ? 'reversed' : event.type === 'HoldCaptured' ? 'captured' : 'consumed',
  expired: (): string => 'expired',
  revoked: (_: AccountEvent, by: number): string => (by < 0 ? 'reinstated' : 'revoked'),
  repaid: (_: AccountEvent, by: number): string => (by < 0 ? 'debt_forgiven' : 'debt_repaid'),
  transferred: (_: AccountEvent, by: number): string => (by < 0 ? 'transfer_returned' : 'transferred'),
};

type Used = GrantFacts['used'];

/** What was used of a grant up to now; null where it is not there yet. */
const usedOf = (facts: GrantFacts | undefined): Used | null => (facts === undefined ? null : { ...facts.used });

function changesOf(event: AccountEvent, before: Used, after: Used): readonly (readonly [string, number])[] {
  return counters.flatMap((counter) => {
    const by = after[counter] - before[counter];
    return by === 0 ? [] : [[names[counter](event, by), by] as const];
  });
}

const placeOf = ({ recorded: { stream, revision, id, position }, event }: Projected) => ({
  stream,
  revision,
  customer_id: accountOf(stream)?.customerId ?? null,
  at: (event as AccountEvent).at,
  event_id: id,
  position,
});

const reversalRow = (projected: Projected, event: AccountEventOf<'ConsumptionReversed'>): ExpectedRow => ({
  table: 'reversals',
  row: {
    ...placeOf(projected),
    consumption_revision: event.consumptionRevision,
    reversal_id: event.reversalId,
    amount: event.amount,
    debt_reversed: event.debtReversed,
    restored: document(event.restored),
    reason: event.reason,
  },
});

/** A row for each change of a grant's counters, at once. */
export const grantUsesOracle: Oracle<LedgerEvent> = {
  keyOf: ({ stream }) => stream,
  streaming: true,
  fold: () => new GrantUsesOracle(),
};
