import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dripIn, dripKey, freeMonthIn, freeMonthKey, periodName } from './allowance-keys.js';
import {
  anniversary,
  costOfMonth,
  endOfMonth,
  endOfPeriod,
  monthsIn,
  monthsUntil,
  startOfMonth,
} from './paid-month.js';

const start = '2026-01-31T10:30:00.000Z';
const end = '2027-01-31T10:30:00.000Z';

test('an anniversary is the same day and time, or the last day of a shorter month', () => {
  expect([0, 1, 2, 3, 12].map((months) => anniversary(start, months))).toEqual([
    start,
    '2026-02-28T10:30:00.000Z',
    '2026-03-31T10:30:00.000Z',
    '2026-04-30T10:30:00.000Z',
    end,
  ]);
  expect(anniversary('2024-01-31T00:00:00.000Z', 1)).toBe('2024-02-29T00:00:00.000Z');
});

test('a year has twelve months, a period of a day has one', () => {
  expect(monthsIn(start, end)).toBe(12);
  expect(monthsIn(start, '2026-02-01T10:30:00.000Z')).toBe(1);
  expect(monthsIn(start, '2026-03-01T00:00:00.000Z')).toBe(2);
});

test.each([
  ['2028-02-29T08:00:00.000Z', '2029-02-28T08:00:00.000Z', '2028-03-28T08:00:00.000Z'],
  ['2029-02-28T08:00:00.000Z', '2030-02-28T08:00:00.000Z', '2029-03-28T08:00:00.000Z'],
  ['2031-02-28T08:00:00.000Z', '2032-02-29T08:00:00.000Z', '2031-03-29T08:00:00.000Z'],
  ['2026-01-31T08:00:00.000Z', '2027-01-31T08:00:00.000Z', '2026-02-28T08:00:00.000Z'],
])(
  'a year from %s to %s has twelve months, the same that a change within it finds from its end',
  (from, to, second) => {
    const starts = Array.from({ length: 12 }, (_, index) => startOfMonth(from, to, index));
    expect([monthsIn(from, to), starts[1], startOfMonth(from, to, 12)]).toEqual([12, second, to]);
    const found = monthsUntil(to, second);
    expect(found.map((month) => month.start)).toEqual(starts.slice(1));
    expect(found.map((month) => month.end)).toEqual([...starts.slice(2), to]);
    expect(starts.map((_, index) => endOfMonth(from, to, index, from))).toEqual([...starts.slice(1), to]);
  },
);

test('the shares of the cost add up to it', () => {
  fc.assert(
    fc.property(fc.nat({ max: 1_000_000 }), fc.integer({ min: 1, max: 36 }), (amount, months) => {
      const shares = Array.from(
        { length: months },
        (_, index) => costOfMonth({ amount, currency: 'usd' }, index, months)?.amount ?? 0,
      );
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(amount);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    }),
  );
  expect(costOfMonth(null, 0, 12)).toBeNull();
});

test('a month ends at its own anniversary, the last with the period; one recorded too late at the next anniversary', () => {
  expect(endOfMonth(start, end, 0, start)).toBe('2026-02-28T10:30:00.000Z');
  expect(endOfMonth(start, '2026-02-10T00:00:00.000Z', 0, start)).toBe('2026-02-10T00:00:00.000Z');
  expect(endOfMonth(start, end, 11, '2027-01-01T00:00:00.000Z')).toBe(end);
  expect(endOfMonth(start, end, 0, '2026-03-05T00:00:00.000Z')).toBe('2026-03-31T10:30:00.000Z');
  expect(endOfMonth(start, end, 0, '2026-02-28T10:30:00.000Z')).toBe('2026-03-31T10:30:00.000Z');
  // The rest of a month that had ended when it was paid for.
  expect(endOfMonth(start, '2026-02-10T00:00:00.000Z', 0, '2026-02-10T01:00:00.000Z')).toBe('2026-02-28T10:30:00.000Z');
});

test('what a period gives at once lasts as long as the period, also one anchored on the 31st', () => {
  const [november, december] = ['2026-11-30T10:30:00.000Z', '2026-12-31T10:30:00.000Z'];
  expect(endOfPeriod(november, december, november)).toBe(december);
  expect(endOfPeriod(start, '2026-02-28T10:30:00.000Z', start)).toBe('2026-02-28T10:30:00.000Z');
  expect(endOfPeriod(november, december, '2026-12-31T11:00:00.000Z')).toBe('2027-01-31T10:30:00.000Z');
});

test('keys tell what they were made of', () => {
  const period = periodName('si_1', start);
  expect(dripIn(dripKey(period, 3))).toEqual({ period, index: 3 });
  expect(freeMonthIn(freeMonthKey('free:er', '2026-11'))).toBe('2026-11');
  expect(dripIn('free:x:2026-11')).toBeNull();
  expect(freeMonthIn('drip:si_1:0:1')).toBeNull();
});
