import { describe, expect, it } from '@jest/globals';
import type { UsageEvent } from '#ledger/usage/usage.js';
import { UsageBooks } from './usage-books.js';

type Recorded = Extract<UsageEvent, { type: 'UsageRecorded' }>;

const day = {
  window: 'day',
  limit: 10,
  windowStart: '2026-10-02T00:00:00.000Z',
  windowEnd: '2026-10-03T00:00:00.000Z',
};
const month = {
  ...day,
  window: 'month',
  windowStart: '2026-10-01T00:00:00.000Z',
  windowEnd: '2026-11-01T00:00:00.000Z',
};
const period = {
  ...day,
  window: 'period',
  windowStart: '2026-10-01T10:00:00.000Z',
  windowEnd: '2026-11-01T10:00:00.000Z',
};

function used(quantity: number, total: number, more: object = {}): Recorded {
  return {
    ...{ type: 'UsageRecorded', at: '2026-10-02T12:00:00.000Z', customerId: 'acme', usageId: 'use_1', planId: 'basic' },
    ...{ feature: 'calls', quantity, usedAt: '2026-10-02T12:00:00.000Z', limitCheck: true },
    limits: [day, month, period].map((limit) => ({ ...limit, used: total })),
    ...{ description: null, metadata: {}, ...more },
  } as Recorded;
}
const limitsOf = (limit: object): object => ({ limits: [limit] });

describe('the books of what was used', () => {
  it('agree with a log in which all sums are right', () => {
    const books = new UsageBooks();
    expect(
      [used(2, 2), used(3, 5), used(5, 10), used(7, 17, { limitCheck: false })].map((e) => books.enter(e)),
    ).toEqual([null, null, null, null]);
    const earlier = { usedAt: '2026-10-01T09:00:00.000Z', ...limitsOf({ ...month, used: 18, limit: 50 }) };
    expect(books.enter(used(1, 0, earlier))).toBeNull();
    // Of the first day of the period it is not known to the day how much is in it.
    expect(books.enter(used(1, 0, limitsOf({ ...period, used: 18, limit: 50 })))).toBeNull();
    expect(books.enter(used(1, 0, limitsOf({ ...period, used: 20, limit: 50 })))).toBeNull();
    expect(books.enter(used(1, 0, limitsOf({ ...period, used: 30, limit: 50 })))).toContain('sum up to');
  });

  it.each<readonly [string, Recorded, string]>([
    ['one more', used(1, 4), 'sum up to 3'],
    ['one less', used(1, 2), 'sum up to 3'],
    ['more than was allowed', used(9, 11), 'a check does not allow'],
    [
      'another window',
      used(1, 3, limitsOf({ ...day, used: 3, windowEnd: '2026-10-02T12:00:00.000Z' })),
      'not in the window',
    ],
    ['half a day', used(1, 3, limitsOf({ ...day, used: 3, windowStart: '2026-10-02T01:00:00.000Z' })), 'no whole one'],
    [
      'part of a month',
      used(1, 3, limitsOf({ ...month, used: 3, windowEnd: '2026-10-20T00:00:00.000Z' })),
      'no whole one',
    ],
    ['the future', used(1, 3, { usedAt: '2026-10-02T12:00:00.001Z' }), 'before it was recorded'],
    ['long ago', used(1, 3, { usedAt: '2026-08-02T12:00:00.000Z' }), 'before it was recorded'],
    ['nothing', used(0, 2), 'not a positive number'],
    ['an earlier time', used(1, 3, { at: '2026-10-02T11:59:59.999Z' }), 'before that of the event'],
  ])('contradict %s', (_what, event, problem) => {
    const books = new UsageBooks();
    expect(books.enter(used(2, 2))).toBeNull();
    expect(books.enter(event)).toContain(problem);
  });
});
