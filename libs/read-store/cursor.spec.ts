import { describe, expect, it } from '@jest/globals';
import { decodeCursor, encodeCursor, isInvalidCursor, pageOf } from './cursor.js';

describe('a cursor', () => {
  it('comes back as it was given', () => {
    expect(decodeCursor(encodeCursor(['0000000000000000042', 7]), 2)).toEqual(['0000000000000000042', 7]);
  });

  it.each(['', 'x', '!!', Buffer.from('{"a":1}').toString('base64url'), encodeCursor(['a', 'b']), encodeCursor([])])(
    'that is none says so: %j',
    (text) => {
      expect(isInvalidCursor(decodeCursor(text, 1))).toBe(true);
    },
  );

  it('never holds anything but text and numbers', () => {
    const smuggled = Buffer.from(JSON.stringify([{ $gt: '' }])).toString('base64url');
    expect(decodeCursor(smuggled, 1)).toEqual({ invalidCursor: true });
  });
});

describe('a page', () => {
  const page = (rows: number[]) =>
    pageOf(
      rows,
      2,
      (row) => row * 10,
      (row) => [row],
    );

  it('has a next one exactly when there was a row too many', () => {
    expect(page([1, 2, 3])).toEqual({ data: [10, 20], hasMore: true, nextCursor: encodeCursor([2]) });
    expect(page([1, 2])).toEqual({ data: [10, 20], hasMore: false, nextCursor: null });
    expect(page([])).toEqual({ data: [], hasMore: false, nextCursor: null });
  });
});
