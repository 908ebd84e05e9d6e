import { describe, expect, test } from '@jest/globals';
import { plusMs } from '#kernel/instant.js';
import { NO_USAGE, type Usage } from '../usage.js';
import { calendarWindow, isTimeZone, periodWindow } from './windows.js';

const HOUR = 3_600_000;
const lasting = ({ start, end }: { start: string; end: string }): number =>
  (Date.parse(end) - Date.parse(start)) / HOUR;

describe('days', () => {
  test.each([
    // Clocks forward and back, by an hour and by half of one, on both halves of the earth.
    ['Europe/Berlin', '2026-03-29T12:00:00.000Z', '2026-03-28T23:00:00.000Z', 23],
    ['Europe/Berlin', '2026-10-25T12:00:00.000Z', '2026-10-24T22:00:00.000Z', 25],
    ['America/New_York', '2026-03-08T12:00:00.000Z', '2026-03-08T05:00:00.000Z', 23],
    ['America/New_York', '2026-11-01T12:00:00.000Z', '2026-11-01T04:00:00.000Z', 25],
    ['Australia/Lord_Howe', '2026-10-04T12:00:00.000Z', '2026-10-03T13:30:00.000Z', 23.5],
    ['Australia/Lord_Howe', '2026-04-05T12:00:00.000Z', '2026-04-04T13:00:00.000Z', 24.5],
    // At midnight: the day begins at 01:00, or has its first hour twice.
    ['Africa/Cairo', '2026-04-24T12:00:00.000Z', '2026-04-23T22:00:00.000Z', 23],
    ['America/Havana', '2026-11-01T12:00:00.000Z', '2026-11-01T04:00:00.000Z', 25],
    ['Asia/Kolkata', '2026-06-10T18:29:59.999Z', '2026-06-09T18:30:00.000Z', 24],
    ['Pacific/Kiritimati', '2026-06-10T10:00:00.000Z', '2026-06-10T10:00:00.000Z', 24],
    // A date that was left out.
    ['Pacific/Apia', '2011-12-30T09:59:59.000Z', '2011-12-29T10:00:00.000Z', 24],
    ['Pacific/Apia', '2011-12-30T10:00:00.000Z', '2011-12-30T10:00:00.000Z', 24],
  ])('%s at %s', (timeZone, at, start, hours) => {
    const window = calendarWindow('day', timeZone, at);
    expect(window.start).toBe(start);
    expect(lasting(window)).toBe(hours);
  });

  test.each(['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'])(
    'in %s follow each other without a gap for two years',
    (timeZone) => {
      let at = '2026-01-01T12:00:00.000Z';
      for (const kind of ['day', 'week', 'month'] as const) {
        let window = calendarWindow(kind, timeZone, at);
        for (let count = 0; count < 730 && window.end < '2028-01-01'; count += 1) {
          expect(calendarWindow(kind, timeZone, plusMs(window.end, -1))).toEqual(window);
          const next = calendarWindow(kind, timeZone, window.end);
          expect(next.start).toBe(window.end);
          window = next;
        }
        at = '2026-01-01T12:00:00.000Z';
      }
    },
  );
});

test('a week begins on Monday, a month on its first, where the clocks are', () => {
  expect(calendarWindow('week', 'America/New_York', '2026-03-08T12:00:00.000Z')).toEqual({
    start: '2026-03-02T05:00:00.000Z',
    end: '2026-03-09T04:00:00.000Z',
  });
  expect(calendarWindow('month', 'Europe/Berlin', '2026-03-31T21:59:59.999Z')).toEqual({
    start: '2026-02-28T23:00:00.000Z',
    end: '2026-03-31T22:00:00.000Z',
  });
  expect(calendarWindow('month', 'Asia/Tokyo', '2026-12-31T15:00:00.000Z').end).toBe('2027-01-31T15:00:00.000Z');
});

test('names of time zones', () => {
  expect(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5'].map(isTimeZone)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(['', 'Mars/Olympus', '+02:00', 'Europe/Berlin ', '../etc'].map(isTimeZone)).toEqual(Array(5).fill(false));
});

test('a period is the one of the plan, then the one that follows it, else the calendar month of the place', () => {
  const start = '2026-01-31T10:00:00.000Z';
  const end = '2026-02-28T10:00:00.000Z';
  const usage: Usage = { ...NO_USAGE, periods: [{ subscriptionId: 'sub_1', kind: 'paid', credits: 5, start, end }] };
  expect(periodWindow(usage, 'UTC', start)).toEqual({ start, end });
  expect(periodWindow(usage, 'UTC', end)).toEqual({ start: end, end: '2026-03-31T10:00:00.000Z' });
  const berlin = { start: '2026-01-31T23:00:00.000Z', end: '2026-02-28T23:00:00.000Z' };
  expect(periodWindow(NO_USAGE, 'Europe/Berlin', start)).toEqual({
    start: '2025-12-31T23:00:00.000Z',
    end: berlin.start,
  });
  const ended: Usage = { ...usage, ends: [['sub_1', end]] };
  expect(periodWindow(ended, 'Europe/Berlin', end)).toEqual(berlin);
});
