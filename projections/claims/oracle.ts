import { accountOf } from '#kernel/stream-name.js';
import type { AccountEventOf } from '#ledger/account/events.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import { document } from '#database/values.js';
import type { Projected } from '../ledger-projection.js';

/**
 * Adds up what was reversed of each claim. Keeps rows as text: there may be very many, and an object with its strings takes several
 * times the memory.
 */
class ClaimsOracle implements OracleFold<LedgerEvent> {
  readonly #rows = new Map<string, string>();
  readonly #reversed = new Map<string, number>();

  add(projected: Projected): readonly ExpectedRow[] {
    const { type, stream } = projected.recorded;
    if (type === 'CreditsConsumed' || type === 'HoldCaptured') {
      const consumption = projected.event as Consumption;
      const row = rowOf(projected, consumption);
      if (row !== null) this.#rows.set(`${stream} ${consumption.consumptionId}`, JSON.stringify(row));
    } else if (type === 'ConsumptionReversed') {
      const { consumptionId, amount } = projected.event as AccountEventOf<'ConsumptionReversed'>;
      const key = `${stream} ${consumptionId}`;
      if (this.#rows.has(key)) this.#reversed.set(key, (this.#reversed.get(key) ?? 0) + amount);
    }
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const [key, text] of this.#rows) {
      const row = JSON.parse(text) as ExpectedRow['row'];
      yield { table: 'claims', row: { ...row, reversed: this.#reversed.get(key) ?? 0 } };
    }
  }
}

type Consumption = AccountEventOf<'CreditsConsumed'> | AccountEventOf<'HoldCaptured'>;

/** Null for a consumption that did not say what was bought with it. */
function rowOf({ recorded: { stream, revision, position } }: Projected, event: Consumption): ExpectedRow['row'] | null {
  const { resource, amount, at } = event;
  if (resource == null) return null;
  const account = accountOf(stream);
  const direct = event.type === 'CreditsConsumed' ? event : null;
  const usage = direct === null ? null : direct.usage;
  return {
    ...{ stream, revision, position, at, amount },
    debt: direct === null ? 0 : direct.debt,
    description: direct === null ? null : direct.description,
    customer_id: account?.customerId ?? null,
    unit: account?.unit ?? null,
    consumption_id: event.consumptionId,
    resource_type: resource.type,
    resource_id: resource.id,
    credit_event: usage === null ? null : usage.creditEvent,
    quantity: usage === null ? null : usage.quantity,
    allocations: document(event.allocations),
    metadata: document(direct === null ? {} : direct.metadata),
  };
}

/** What was bought, from the consumptions, and what of it was given back. */
export const claimsOracle: Oracle<LedgerEvent> = { keyOf: ({ stream }) => stream, fold: () => new ClaimsOracle() };
