import type { RecordedEvent } from '#event-store/port/event-store.js';
import { ledgerCodec, type LedgerEvent } from '#ledger/events.js';
import { ProjectedEvent } from '#projecting/projection.js';
import type { LedgerProjection } from '../../../projections/ledger-projection.js';
import { commandKeysProjection } from '../../../projections/command-keys/command-keys.js';
import { grantUsesProjection } from '../../../projections/grant-uses/grant-uses.js';
import { historyProjection } from '../../../projections/history/history.js';
import { parkedEventsProjection } from '../../../projections/parked-events/parked-events.js';
import { projections } from '../../../projections/registry.js';

/**
 * Read models that say how things stand. The others say how it came about: the movements of an account, the uses of its grants and the keys of its
 * commands differ with the order in which things were heard of, and must.
 */
const howItCame = [historyProjection, grantUsesProjection, commandKeysProjection, parkedEventsProjection];
const comparable = projections.filter((projection) => !howItCame.includes(projection));

/** Names and places that an order of writing gives. */
const ofTheOrder = new Set(['revision', 'position', 'usage_since', 'grant_id', 'hold_id', 'grantId', 'first_position']);

/** Every row of these read models for a log, in an order of their own, without what depends on the order of writing. */
export function readModelRows(log: readonly RecordedEvent[]): readonly string[] {
  const events = log.map((event) => new ProjectedEvent<LedgerEvent>(event, ledgerCodec.decode));
  return comparable.flatMap((projection) => rowsOf(projection, events)).sort();
}

function rowsOf(projection: LedgerProjection, events: readonly ProjectedEvent<LedgerEvent>[]): readonly string[] {
  const fold = projection.oracle.fold();
  const rows = events
    .filter(({ category }) => projection.categories.includes(category))
    .flatMap((event) => [...fold.add(event)]);
  // What was reserved for a while, or granted of a trial until an end that was moved, and is not any more depends on what was heard of meanwhile.
  return [...rows, ...fold.rest()]
    .filter(({ table, row }) => table !== 'holds' || row['status'] === 'open')
    .filter(({ table, row }) => table !== 'grants' || row['source'] !== 'trial' || row['revoked'] !== row['amount'])
    .map(({ table, row }) => `${table} ${withoutOrder(row)}`);
}

const withoutOrder = (row: object): string =>
  JSON.stringify(row, (key, value: unknown) =>
    ofTheOrder.has(key) ? undefined : typeof value === 'string' ? value.replaceAll(/"grantId":"[^"]*"/g, '') : value,
  );
