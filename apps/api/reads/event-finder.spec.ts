import { describe, expect, it } from '@jest/globals';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import { ZERO_HASH } from '#event-store/port/encode-event.js';
import type { EventPlace, Position } from '#event-store/port/event-store.js';
import { KeyIndex } from '#event-store/port/key-index.js';
import { ManualClock } from '../../../test/support/worlds/manual-clock.js';
import { EventFinder } from './event-finder.js';

const id = '00000000-0000-4000-8000-000000000001';
const unknown = '00000000-0000-4000-8000-000000000002';

/** An index that has read the log after it was asked so many times. */
class LaggingIndex extends KeyIndex {
  constructor(
    private readonly head: Position,
    private asked: number,
  ) {
    super();
  }

  override locate(
    eventIds: readonly string[],
  ): Promise<{ places: ReadonlyMap<string, EventPlace>; through: Position }> {
    this.asked -= 1;
    if (this.asked >= 0) return Promise.resolve({ places: new Map(), through: '0'.repeat(19) });
    const known = eventIds.filter((each) => each === id);
    return Promise.resolve({
      places: new Map(known.map((each) => [each, { stream: 'some-stream', revision: 0 }])),
      through: this.head,
    });
  }
}

async function finderBesideIndex(asked: number): Promise<EventFinder> {
  const store = new InMemoryEventStore();
  const bytes = { schemaVersion: 1, data: '{}', metadata: '{}', prevHash: ZERO_HASH, hash: 'a'.repeat(64) };
  const events = [{ id, type: 'Happened', ...bytes }];
  await store.append({ stream: 'some-stream', expectedRevision: -1, events });
  return new EventFinder(store, new LaggingIndex(await store.head(), asked), new ManualClock());
}

describe('an event by its id, beside a store that knows no ids', () => {
  it('is found as soon as the index has it; an unknown one is known to be missing', async () => {
    const finder = await finderBesideIndex(5);
    expect((await finder.find(id))?.revision).toBe(0);
    expect(await finder.find(unknown)).toBeNull();
  });

  it('is not said to be missing while the index is behind', async () => {
    const finder = await finderBesideIndex(1_000_000);
    await expect(finder.find(id)).rejects.toMatchObject({ code: 'projection_behind' });
  });
});
