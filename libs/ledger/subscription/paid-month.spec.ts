import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  anniversary,
  asOneMonth,
  creditsFrom,
  endInForce,
  isWholeMonths,
  monthsOf,
  monthsUntil,
  sharesOfCost,
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

test('a year has twelve months; another period has those that are counted back from its end, the first the rest of one', () => {
  expect(monthsOf(start, end)).toHaveLength(12);
  expect(monthsOf(start, '2026-02-01T10:30:00.000Z')).toEqual([
    { start, end: '2026-02-01T10:30:00.000Z', measuredFrom: '2026-01-01T10:30:00.000Z' },
  ]);
  const rest = monthsOf('2026-01-20T00:00:00.000Z', '2026-03-01T00:00:00.000Z');
  expect(rest.map(({ start: from, measuredFrom }) => [from, measuredFrom])).toEqual([
    ['2026-01-20T00:00:00.000Z', '2026-01-01T00:00:00.000Z'],
    ['2026-02-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'],
  ]);
});

test.each([
  ['2028-02-29T08:00:00.000Z', '2029-02-28T08:00:00.000Z', '2028-03-28T08:00:00.000Z'],
  ['2029-02-28T08:00:00.000Z', '2030-02-28T08:00:00.000Z', '2029-03-28T08:00:00.000Z'],
  ['2031-02-28T08:00:00.000Z', '2032-02-29T08:00:00.000Z', '2031-03-29T08:00:00.000Z'],
  ['2026-01-31T08:00:00.000Z', '2027-01-31T08:00:00.000Z', '2026-02-28T08:00:00.000Z'],
])(
  'a year from %s to %s has twelve whole months, the same that a change within it finds from its end',
  (from, to, second) => {
    const months = monthsOf(from, to);
    expect(months.map((month) => month.measuredFrom)).toEqual(months.map((month) => month.start));
    expect([months.length, months[0]?.start, months[1]?.start, months.at(-1)?.end]).toEqual([12, from, second, to]);
    expect(months.slice(1).map((month) => month.start)).toEqual(months.slice(0, -1).map((month) => month.end));
    const found = monthsUntil(to, second);
    expect(found).toEqual(months.slice(1).map((month) => ({ start: month.start, end: month.end })));
  },
);

test('a month at once is measured as long as it is, and as a part of one only where it is shorter', () => {
  const [january, february] = ['2026-01-31T10:30:00.000Z', '2026-02-28T10:30:00.000Z'];
  expect(asOneMonth(january, february).measuredFrom).toBe(january);
  expect(asOneMonth('2026-02-20T10:30:00.000Z', february).measuredFrom).toBe('2026-01-28T10:30:00.000Z');
  expect(asOneMonth('2026-01-01T10:30:00.000Z', february).measuredFrom).toBe('2026-01-01T10:30:00.000Z');
  expect([isWholeMonths(january, february), isWholeMonths(february, '2026-03-20T10:30:00.000Z')]).toEqual([
    true,
    false,
  ]);
  const half = creditsFrom(7000, '2026-02-14T10:30:00.000Z', { measuredFrom: january, end: february });
  expect([half, creditsFrom(7000, start, { measuredFrom: february, end })]).toEqual([3500, 7000]);
});

test('the shares of the cost add up to it', () => {
  fc.assert(
    fc.property(fc.nat({ max: 1_000_000 }), fc.array(fc.nat({ max: 5000 }), { minLength: 1 }), (amount, parts) => {
      const shares = sharesOfCost({ amount, currency: 'usd' }, parts);
      const sum = shares.reduce((all, share) => all + (share?.amount ?? 0), 0);
      expect(sum).toBe(parts.some((part) => part > 0) ? amount : 0);
    }),
  );
  const even = sharesOfCost(
    { amount: 100_001, currency: 'usd' },
    Array.from({ length: 12 }, () => 500),
  );
  expect(new Set(even.map((share) => share?.amount))).toEqual(new Set([8333, 8334]));
  expect(sharesOfCost(null, [500])).toEqual([null]);
});

test('what is recorded too late ends with the month that it is recorded in, counted from the end of its period', () => {
  const february = '2026-02-28T10:30:00.000Z';
  expect(endInForce(february, end, start)).toBe(february);
  expect(endInForce(february, end, february)).toBe('2026-03-31T10:30:00.000Z');
  expect(endInForce(february, end, '2026-03-05T00:00:00.000Z')).toBe('2026-03-31T10:30:00.000Z');
  expect(endInForce(end, end, '2027-01-31T11:00:00.000Z')).toBe('2027-02-28T10:30:00.000Z');
  const [first, tenth] = ['2026-03-01T00:00:00.000Z', '2026-02-10T00:00:00.000Z'];
  expect(endInForce(tenth, tenth, first)).toBe('2026-03-10T00:00:00.000Z');
});
