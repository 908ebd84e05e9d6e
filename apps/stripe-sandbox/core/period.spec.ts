import { describe, expect, it } from '@jest/globals';
import { boundary, periodAt } from './period.js';

const at = (text: string): number => Date.parse(`${text}T10:00:00Z`) / 1000;
const month = { interval: 'month', interval_count: 1 } as const;

describe('periods', () => {
  it('clamps to short months and comes back', () => {
    expect([0, 1, 2, 3].map((n) => boundary(at('2027-12-31'), month, n))).toEqual(
      ['2027-12-31', '2028-01-31', '2028-02-29', '2028-03-31'].map(at),
    );
  });

  it('keeps the 29th of February for years', () => {
    const year = { interval: 'year', interval_count: 1 } as const;
    expect([1, 4].map((n) => boundary(at('2028-02-29'), year, n))).toEqual(['2029-02-28', '2032-02-29'].map(at));
  });

  it('finds the period of a time, its boundaries included at the start', () => {
    const anchor = at('2026-01-31');
    expect(periodAt(anchor, month, at('2026-02-28'))).toEqual({ start: at('2026-02-28'), end: at('2026-03-31') });
    expect(periodAt(anchor, month, at('2026-02-28') - 1)).toEqual({ start: anchor, end: at('2026-02-28') });
    expect(periodAt(anchor, { interval: 'week', interval_count: 2 }, anchor + 15 * 86_400).start).toBe(
      anchor + 14 * 86_400,
    );
  });
});
