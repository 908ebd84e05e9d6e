import { describe, expect, it } from '@jest/globals';
import { cursorIn, cursorText, type ListName } from './cursor-text.js';

const grants: ListName = { list: 'grants', customerId: 'acme', unit: 'credits' };
const forged = (key: unknown): string => {
  const [mark] = JSON.parse(Buffer.from(cursorText([], grants), 'base64url').toString()) as [string];
  return Buffer.from(JSON.stringify([mark, key])).toString('base64url');
};

describe('a cursor', () => {
  it('comes back as it was given', () => {
    const key = ['0000000000000000042', '9223372036854775807', 'in_1'];
    expect(cursorIn(cursorText(key, grants), grants, ['text', 'bigint', 'text'])).toEqual(key);
  });

  it('holds for its own list and filters only', () => {
    const text = cursorText(['gr_1'], grants);
    expect(cursorIn(text, { ...grants, status: undefined }, ['text'])).toEqual(['gr_1']);
    const others: readonly ListName[] = [
      { ...grants, list: 'holds' },
      { ...grants, customerId: 'other' },
      { ...grants, unit: 'points' },
      { ...grants, status: 'active' },
    ];
    expect(others.map((other) => cursorIn(text, other, ['text']))).toEqual(others.map(() => null));
  });

  it.each([
    '',
    'x',
    '!!',
    Buffer.from('{"a":1}').toString('base64url'),
    Buffer.from('["gr_1"]').toString('base64url'),
    cursorText(['a', 'b'], grants),
    cursorText([], grants),
  ])('that is none says so: %j', (text) => {
    expect(cursorIn(text, grants, ['text'])).toBeNull();
  });

  it.each([{ $gt: '' }, 7, null, 'a\0b'])('never holds for a text what no column of text can be: %j', (part) => {
    expect(cursorIn(forged(part), grants, ['text'])).toBeNull();
    expect(cursorIn(forged('a'), grants, ['text'])).toEqual(['a']);
  });

  it.each(['abc', '', '-1', '1.5', '9223372036854775808', '1'.repeat(20), 7])(
    'never holds for a number what is not one of ours: %j',
    (part) => {
      expect(cursorIn(forged(part), grants, ['bigint'])).toBeNull();
      expect(cursorIn(forged('7'), grants, ['bigint'])).toEqual(['7']);
    },
  );
});
