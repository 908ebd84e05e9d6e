import type { RecordedEvent } from '#event-store/port/event-store.js';
import { decodeEvent, isUndecodable, type LedgerEvent } from '#ledger/events.js';

/** The log holds an event that this version cannot read; going on would skip it. */
export class ConsumerHalted extends Error {
  override readonly name = 'ConsumerHalted';
}

/** An event of the log. Throws ConsumerHalted when it cannot be read. */
export function decoded(recorded: RecordedEvent): LedgerEvent {
  const event = decodeEvent(recorded);
  if (isUndecodable(event)) throw new ConsumerHalted(`position ${recorded.position}: ${event.undecodable}`);
  return event;
}
