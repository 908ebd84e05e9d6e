import type { EventStore, Position, RecordedEvent } from '#event-store/port/event-store.js';
import { joined } from './batches.js';

/** What follows the log from a checkpoint of its own. */
export type LogConsumer = {
  /** Where it is to go on. */
  checkpoint(): Promise<Position>;
  /**
   * Acts upon the events that come next after `checkpoint`, and after batches that were not saved since; answers the checkpoint
   * as it is then. Whatever it throws ends the attempt: the next one begins at the checkpoint, so it must bear every event twice.
   */
  process(checkpoint: Position, batch: readonly RecordedEvent[]): Promise<Position>;
};

/** Hands the log to a consumer in batches of at most `batchMax` events, until `signal` aborts; the batch under way is finished first. */
export async function followLog(
  store: EventStore,
  consumer: LogConsumer,
  batchMax: number,
  signal: AbortSignal,
): Promise<void> {
  let checkpoint = await consumer.checkpoint();
  // The subscription must end with this attempt, also when no further event ever comes.
  const ending = new AbortController();
  const events = store.subscribe(checkpoint, AbortSignal.any([signal, ending.signal]));
  try {
    for await (const batch of joined(events, batchMax)) {
      checkpoint = await consumer.process(checkpoint, batch);
      if (signal.aborted) return;
    }
  } finally {
    ending.abort();
  }
}
