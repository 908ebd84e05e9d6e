import { randomUUID } from 'node:crypto';
import { encodeEvent, eventId, ZERO_HASH } from '#event-store/port/encode-event.js';
import type {
  AppendRequest,
  EncodedEvent,
  EventStore,
  Position,
  RecordedEvent,
} from '#event-store/port/event-store.js';

/** A stream that no other test writes. */
export const newStream = (category = 'account'): string => `${category}-${randomUUID()}`;

/** Encoded events of one stream, chained, with ids that differ on every call unless `key` is given. */
export function sampleEvents(
  stream: string,
  first: number,
  count: number,
  { key = randomUUID(), data = {}, prevHash = ZERO_HASH }: { key?: string; data?: object; prevHash?: string } = {},
): EncodedEvent[] {
  const events: EncodedEvent[] = [];
  for (let index = 0; index < count; index += 1) {
    const event = encodeEvent(stream, first + index, events.at(-1)?.hash ?? prevHash, {
      id: eventId(stream, 'test', key, index),
      type: 'CreditsConsumed',
      schemaVersion: 1,
      data: { amount: index, ...data },
      metadata: {
        commandKey: key,
        commandHash: null,
        causationId: null,
        correlationId: 'test',
        actor: 'test',
        recordedAt: '2026-11-21T08:00:00.000Z',
      },
    });
    events.push(event);
  }
  return events;
}

/** An append of new events that expects the stream to stand before `first`. */
export const sampleAppend = (
  stream: string,
  first = 0,
  count = 1,
  options: Parameters<typeof sampleEvents>[3] = {},
): AppendRequest => ({
  stream,
  expectedRevision: first - 1,
  events: sampleEvents(stream, first, count, options),
});

/** Appends `count` new events one append at a time, from revision 0, and gives back their positions. */
export async function fill(store: EventStore, stream: string, count: number): Promise<Position[]> {
  const positions: Position[] = [];
  for (let revision = 0; revision < count; revision += 1) {
    const result = await store.append(sampleAppend(stream, revision));
    if (result.kind !== 'appended') throw new Error(`append ended as ${result.kind}`);
    positions.push(result.position);
  }
  return positions;
}

/** Everything after `after`, page by page. */
export async function readToEnd(store: EventStore, after: Position, limit = 500): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (;;) {
    const page = await store.readAll(events.at(-1)?.position ?? after, limit);
    if (page.length === 0) return events;
    events.push(...page);
  }
}

/** What a subscription gives until `enough`; the subscription is left then. */
export async function collect(
  store: EventStore,
  after: Position,
  enough: (events: readonly RecordedEvent[]) => boolean,
  onBatch: (batch: readonly RecordedEvent[]) => Promise<void> | void = () => undefined,
): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  const stop = new AbortController();
  for await (const batch of store.subscribe(after, stop.signal)) {
    if (batch.length === 0) throw new Error('a subscription gave an empty batch');
    events.push(...batch);
    await onBatch(batch);
    if (enough(events)) stop.abort();
  }
  return events;
}

/** `count` events, for `collect`. */
export const atLeast =
  (count: number) =>
  (events: readonly RecordedEvent[]): boolean =>
    events.length >= count;
