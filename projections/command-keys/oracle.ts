import type { LedgerEvent } from '#ledger/events.js';
import type { Oracle } from '#projecting/projection.js';

/** A row for each event, at once. */
export const commandKeysOracle: Oracle<LedgerEvent> = {
  keyOf: ({ stream }) => stream,
  streaming: true,
  fold: () => ({
    add: ({ recorded: { id: event_id, stream, revision } }) => [
      { table: 'command_keys', row: { event_id, stream, revision } },
    ],
    rest: () => [],
  }),
};
