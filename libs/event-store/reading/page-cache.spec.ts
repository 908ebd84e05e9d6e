import { describe, expect, test } from '@jest/globals';
import { positionOf, type RecordedEvent } from '../port/event-store.js';
import { PageCache } from './page-cache.js';

const event = (position: number): RecordedEvent => ({
  id: String(position),
  type: 'T',
  schemaVersion: 1,
  data: 'x'.repeat(1_000),
  metadata: '',
  prevHash: '',
  hash: '',
  stream: 's',
  revision: 0,
  position: positionOf(position),
});

/** A log of `length` events whose reads are answered when the test says so. */
function controlledLog(maxBytes: number) {
  const log = { length: 0, reads: 0, answer: [] as (() => void)[] };
  const cache = new PageCache((after, limit) => {
    log.reads += 1;
    const events = Array.from({ length: Math.max(0, Math.min(limit, log.length - after)) }, (_none, index) =>
      event(after + index + 1),
    );
    return new Promise((resolve) => {
      log.answer.push(() => {
        resolve(events);
      });
    });
  }, maxBytes);
  const get = async (after: number, limit: number): Promise<number> => {
    const page = cache.get(after, limit, 'fresh');
    log.answer.splice(0).forEach((answer) => {
      answer();
    });
    return (await page).length;
  };
  return { log, cache, get };
}

describe('PageCache', () => {
  test('reads a full page once, for those who ask together and for those who ask later', async () => {
    const { log, cache, get } = controlledLog(1_000_000);
    log.length = 10;
    const together = Promise.all([cache.get(0, 10, 'shared'), cache.get(0, 10, 'fresh'), cache.get(0, 10, 'shared')]);
    log.answer.splice(0).forEach((answer) => {
      answer();
    });
    for (const page of await together) expect(page).toHaveLength(10);
    expect(await get(0, 10)).toBe(10);
    expect(log.reads).toBe(1);
  });

  test('does not answer a fresh read with a page at the end of the log whose reading began before', async () => {
    const { log, cache } = controlledLog(1_000_000);
    log.length = 3;
    const early = cache.get(0, 10, 'shared');
    log.length = 4;
    const shared = cache.get(0, 10, 'shared');
    const fresh = cache.get(0, 10, 'fresh');
    log.answer.shift()?.();
    expect(await early).toHaveLength(3);
    expect(await shared).toHaveLength(3);
    log.answer.shift()?.();
    expect(await fresh).toHaveLength(4);
  });

  test('keeps no page that reaches the end, for more may follow', async () => {
    const { log, get } = controlledLog(1_000_000);
    log.length = 3;
    expect(await get(0, 10)).toBe(3);
    log.length = 5;
    expect(await get(0, 10)).toBe(5);
  });

  test('gives up the page that was unused for longest when it holds too much', async () => {
    const { log, get } = controlledLog(40_000); // two pages of ten events of 1,600 bytes
    log.length = 100;
    await get(0, 10);
    await get(10, 10);
    await get(0, 10);
    await get(20, 10);
    expect(log.reads).toBe(3);
    await get(0, 10);
    expect(log.reads).toBe(3);
    await get(10, 10);
    expect(log.reads).toBe(4);
  });

  test('forgets a failed read', async () => {
    let fail = true;
    const cache = new PageCache(() => (fail ? Promise.reject(new Error('away')) : Promise.resolve([event(1)])), 1_000);
    await expect(cache.get(0, 1, 'shared')).rejects.toThrow('away');
    fail = false;
    expect(await cache.get(0, 1, 'shared')).toHaveLength(1);
  });
});
