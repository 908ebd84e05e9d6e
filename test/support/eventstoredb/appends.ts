import { encodeEvent, eventId, ZERO_HASH } from '#event-store/port/encode-event.js';
import type { AppendRequest, AppendResult, EncodedEvent } from '#event-store/port/event-store.js';

/** An append of `count` events that go on after `previous`, or begin the stream. */
export function appendOf(stream: string, count = 1, previous: AppendRequest | null = null, key = 'key'): AppendRequest {
  const events: EncodedEvent[] = [];
  const expectedRevision = previous ? previous.expectedRevision + previous.events.length : -1;
  for (let index = 0; index < count; index += 1) {
    const revision = expectedRevision + 1 + index;
    const prevHash = events.at(-1)?.hash ?? previous?.events.at(-1)?.hash ?? ZERO_HASH;
    events.push(
      encodeEvent(stream, revision, prevHash, {
        id: eventId(stream, 'api', key, revision),
        type: 'Tested',
        schemaVersion: 1,
        data: { revision },
        metadata: {
          commandKey: key,
          commandHash: null,
          causationId: null,
          correlationId: 'c',
          actor: 'cli',
          recordedAt: '2026-01-01T00:00:00.000Z',
        },
      }),
    );
  }
  return { stream, expectedRevision, events };
}

/** How an append ended, in a word. */
export const outcomeOf = (append: Promise<AppendResult>): Promise<string> =>
  append.then(
    ({ kind }) => kind,
    (error: Error) => error.name,
  );
