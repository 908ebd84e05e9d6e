import { START, type EventStore, type Position } from '#event-store/port/event-store.js';
import type { StreamName } from '#kernel/stream-name.js';

/** The position of the newest event of a stream, whose revision is `revision`: what a command is answered with that changed nothing. */
export async function newestPosition(store: EventStore, stream: StreamName, revision: number): Promise<Position> {
  const [newest] = revision < 0 ? [] : await store.readStream(stream, revision, 1);
  return newest?.position ?? START;
}
