import { describe, expect, it } from '@jest/globals';
import { decodeCursor, encodeCursor, isInvalidCursor, pageOf } from './cursor.js';

describe('a cursor', () => {
  it('comes back as it was given', () => {
    const key = ['0000000000000000042', '9223372036854775807', 'in_1'];
    expect(decodeCursor(encodeCursor(key), ['text', 'bigint', 'text'])).toEqual(key);
  });

  it.each(['', 'x', '!!', Buffer.from('{"a":1}').toString('base64url'), encodeCursor(['a', 'b']), encodeCursor([])])(
    'that is none says so: %j',
    (text) => {
      expect(isInvalidCursor(decodeCursor(text, ['text']))).toBe(true);
    },
  );

  const forged = (key: unknown): string => Buffer.from(JSON.stringify(key)).toString('base64url');

  it.each([{ $gt: '' }, 7, null, 'a\0b'])('never holds for a text what no column of text can be: %j', (part) => {
    expect(decodeCursor(forged([part]), ['text'])).toEqual({ invalidCursor: true });
  });

  it.each(['abc', '', '-1', '1.5', '9223372036854775808', '1'.repeat(20), 7])(
    'never holds for a number what is not one of ours: %j',
    (part) => {
      expect(decodeCursor(forged([part]), ['bigint'])).toEqual({ invalidCursor: true });
    },
  );
});

describe('a page', () => {
  const page = (rows: number[]) =>
    pageOf(
      rows,
      2,
      (row) => row * 10,
      (row) => [String(row)],
    );

  it('has a next one exactly when there was a row too many', () => {
    expect(page([1, 2, 3])).toEqual({ data: [10, 20], hasMore: true, nextCursor: encodeCursor(['2']) });
    expect(page([1, 2])).toEqual({ data: [10, 20], hasMore: false, nextCursor: null });
    expect(page([])).toEqual({ data: [], hasMore: false, nextCursor: null });
  });
});
