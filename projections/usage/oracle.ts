import type { LedgerEvent } from '#ledger/events.js';
import type { UsageState } from '#ledger/usage/state.js';
import { encodeCounts } from '#ledger/usage/snapshot.js';
import { usageDecider, type UsageEvent } from '#ledger/usage/usage.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import { document } from '#database/values.js';
import type { Projected } from '../ledger-projection.js';

type Folded = { state: UsageState; readonly hours: Map<string, bigint> };

/** Folds streams with the ledger's `evolve`, which the projection does not use, and adds up the hours by the times of the uses. */
class UsageOracle implements OracleFold<LedgerEvent> {
  readonly #streams = new Map<string, Folded>();

  add({ recorded: { stream, revision }, event: anything }: Projected): Iterable<ExpectedRow> {
    const event = anything as UsageEvent;
    const folded = this.#streams.get(stream) ?? { state: usageDecider.initial(stream), hours: new Map() };
    this.#streams.set(stream, folded);
    folded.state = usageDecider.evolve(folded.state, event, revision);
    if (event.type !== 'UsageRecorded') {
      const { type, ...data } = event;
      const row = { customer_id: customerIn(stream), revision, type, event: document(data) };
      return [{ table: 'usage_plans', row }];
    }
    const hour = new Date(Math.floor(Date.parse(event.usedAt) / 3_600_000) * 3_600_000).toISOString();
    const key = `${hour} ${event.feature}`;
    folded.hours.set(key, (folded.hours.get(key) ?? 0n) + BigInt(event.quantity));
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const [stream, { state, hours }] of this.#streams) {
      const customer_id = customerIn(stream);
      for (const [feature, counts] of state.features.entries())
        yield { table: 'usage_counts', row: { customer_id, feature, counts: encodeCounts(counts) } };
      for (const [key, quantity] of hours) {
        const [hour = '', feature = ''] = key.split(' ');
        yield { table: 'usage_hours', row: { customer_id, feature, hour, quantity: String(quantity) } };
      }
    }
  }
}

const customerIn = (stream: string): string => stream.slice('usage-'.length);

export const usageOracle: Oracle<LedgerEvent> = { keyOf: ({ stream }) => stream, fold: () => new UsageOracle() };
