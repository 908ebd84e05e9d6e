import { readdirSync, readFileSync } from 'node:fs';
import { encodeEvent, eventId, ZERO_HASH } from '#event-store/port/encode-event.js';
import { positionOf, type RecordedEvent } from '#event-store/port/event-store.js';

type Stored = { readonly type: string; readonly schemaVersion: number; readonly data: { readonly at?: string } };
type Golden = Stored & { readonly stream: string; readonly after: readonly Stored[] };

const directory = new URL('../../fixtures/events/', import.meta.url);

type Life = { readonly stream: string; readonly stored: readonly Stored[] };
const lives: readonly Life[] = readdirSync(directory).map((file) => {
  const { stream, after, ...event } = JSON.parse(readFileSync(new URL(file, directory), 'utf8')) as Golden;
  return { stream, stored: [...after, event] };
});

/** The fixtures of `test/fixtures/events`, each as a log of its own stream: the event that it is of stands last. */
export const goldenLogs: readonly (readonly RecordedEvent[])[] = lives.map(recorded);

/** Categories whose events each say all that a read model shows, whatever stands before them. */
const inAnyOrder = /^(subscription|stripeEvent)-/;

/**
 * Logs whose last event is of the type: its fixture, that without the event before, which may have said the same of a payment, and the
 * event after those of other fixtures where it may stand there.
 */
export function logsEndingWith(type: string): readonly (readonly RecordedEvent[])[] {
  const own = lives.filter(({ stored }) => stored.at(-1)?.type === type);
  const more = own.flatMap(({ stream, stored }) => {
    const others = lives.filter((life) => life.stream === stream && inAnyOrder.test(stream));
    const befores = stream.startsWith('payment-') ? [stored.slice(0, -2)] : others.map((life) => life.stored);
    return befores.map((before) => ({ stream, stored: [...before, ...stored.slice(-1)] }));
  });
  return [...own, ...more].map(recorded);
}

function recorded({ stream, stored }: Life): readonly RecordedEvent[] {
  const events: RecordedEvent[] = [];
  for (const [revision, { type, schemaVersion, data }] of stored.entries()) {
    const encoded = encodeEvent(stream, revision, events.at(-1)?.hash ?? ZERO_HASH, {
      id: eventId(stream, 'golden', 'event', revision),
      type,
      schemaVersion,
      data,
      metadata: {
        commandKey: null,
        commandHash: null,
        causationId: null,
        correlationId: 'golden',
        actor: 'key:test',
        recordedAt: data.at ?? '2026-01-01T00:00:00.000Z',
      },
    });
    events.push({ ...encoded, stream, revision, position: positionOf(revision + 1) });
  }
  return events;
}
