import { describe, expect, it } from '@jest/globals';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import { ZERO_HASH } from '#event-store/port/encode-event.js';
import { positionOf, START, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import { instantOf } from '#kernel/instant.js';
import type { EventFilter } from './event-filter.js';
import { ReadLog, ReadLogHandler, StreamLog, StreamLogHandler } from './queries.js';

const everything: EventFilter = { stream: null, customerId: null, types: null, from: null, to: null };
const minute = 60_000;
const began = Date.parse('2026-11-01T00:00:00.000Z');
const at = (minutes: number): ReturnType<typeof instantOf> => instantOf(began + minutes * minute);

class CountingStore extends InMemoryEventStore {
  reads = 0;

  override readAll(after: Position, limit: number): Promise<readonly RecordedEvent[]> {
    this.reads += 1;
    return super.readAll(after, limit);
  }
}

/** One event a minute, each recorded by a clock that is up to two minutes wrong. */
async function logOf(count: number): Promise<CountingStore> {
  const store = new CountingStore();
  const events = Array.from({ length: count }, (_, n) => {
    const metadata = JSON.stringify({ recordedAt: at(n + ((n * 7) % 5) - 2) });
    const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
    const hash = n.toString(16).padStart(64, '0');
    return { id, type: 'Happened', schemaVersion: 1, data: '{}', metadata, prevHash: ZERO_HASH, hash };
  });
  await store.append({ stream: 'some-stream', expectedRevision: -1, events });
  store.reads = 0;
  return store;
}

describe('reading the log', () => {
  it.each([-10, 0, 17, 9_000, 19_950, 30_000])('from minute %s finds all, in few reads', async (minutes) => {
    const store = await logOf(20_000);
    const filter = { ...everything, from: at(minutes) };
    const all = (await store.readAll(START, 20_000)).filter(
      ({ metadata }) => (JSON.parse(metadata) as { recordedAt: string }).recordedAt >= at(minutes),
    );
    store.reads = 0;
    const page = await new ReadLogHandler(store).execute(new ReadLog(START, 50, filter));
    expect(page.lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(
      all.slice(0, 50).map(({ id }) => id),
    );
    expect(store.reads).toBeLessThan(20);
    const chunks: string[] = [];
    for await (const chunk of await new StreamLogHandler(store).execute(new StreamLog(START, Infinity, filter)))
      chunks.push(chunk);
    expect(chunks.join('').split('\n').length - 1).toBe(all.length);
    const behind = all.at(-10);
    if (behind === undefined) return;
    const rest = await new ReadLogHandler(store).execute(new ReadLog(behind.position, 50, filter));
    expect([rest.lines.length, rest.hasMore, rest.nextAfter]).toEqual([9, false, positionOf(20_000)]);
  });

  it('to an instant reads large pages; without a filter only what is asked for', async () => {
    const store = await logOf(5_000);
    const page = await new ReadLogHandler(store).execute(new ReadLog(START, 50, { ...everything, to: at(20) }));
    expect(page.lines.length).toBe(20);
    expect(store.reads).toBeLessThan(8);
    store.reads = 0;
    expect((await new ReadLogHandler(store).execute(new ReadLog(START, 50, everything))).lines).toHaveLength(50);
    expect(store.reads).toBe(1);
  });
});
