import { expect, test } from '@jest/globals';
import type { AppendRequest } from '../port/event-store.js';
import { KnownStreams } from './known-streams.js';

const append = (stream: string, expectedRevision = -1, hash = stream): AppendRequest => ({
  stream,
  expectedRevision,
  events: [{ id: '', type: '', schemaVersion: 1, data: '', metadata: '', prevHash: '', hash }],
});

test('knows nothing at first', () => {
  const known = new KnownStreams();
  expect(known.include(append('a'))).toBe(false);
  expect(known.endAfter(undefined)).toBeNull();
  expect(known.endAfter({ events: 3, lastHash: 'x' })).toBeNull();
});

test('knows where its own appends leave their streams, and how the log ends then', () => {
  const known = new KnownStreams();
  known.stored(7, [append('a'), append('b', 4)]);
  expect([append('a', 0), append('b', 5)].map((request) => known.include(request))).toEqual([true, true]);
  expect([append('a', -1), append('a', 1), append('c')].some((request) => known.include(request))).toBe(false);
  expect(known.endAfter(undefined)).toEqual({ position: 9, hash: 'b' });
  expect(known.endAfter({ events: 3, lastHash: 'x' })).toEqual({ position: 12, hash: 'x' });
});

test('keeps what it knows as long as its appends follow each other, also over one that stored nothing', () => {
  const known = new KnownStreams();
  known.stored(0, [append('a')]);
  known.stored(1, []);
  known.stored(1, [append('b')]);
  expect(known.include(append('a', 0))).toBe(true);
  expect(known.endAfter(undefined)).toEqual({ position: 2, hash: 'b' });
});

test('forgets what it knew when somebody else has written between, even if it stored nothing then', () => {
  const known = new KnownStreams();
  known.stored(0, [append('a')]);
  known.stored(5, [append('b')]);
  expect([append('a', 0), append('b', 0)].map((request) => known.include(request))).toEqual([false, true]);
  known.stored(8, []);
  expect(known.include(append('b', 0))).toBe(false);
});

test('forgets everything when it is told to', () => {
  const known = new KnownStreams();
  known.stored(0, [append('a')]);
  known.forget();
  expect(known.include(append('a', 0))).toBe(false);
  expect(known.endAfter(undefined)).toBeNull();
  known.stored(1, [append('b')]);
  expect(known.include(append('b', 0))).toBe(true);
});

test('forgets what it learnt first beyond a bound', () => {
  const known = new KnownStreams();
  const streams = Array.from({ length: 60_000 }, (_none, index) => append(`s${String(index)}`));
  known.stored(0, streams);
  const [first, last] = [streams[0]!, streams.at(-1)!].map(({ stream }) => append(stream, 0));
  expect([known.include(first!), known.include(last!)]).toEqual([false, true]);
});
