import { describe, expect, it } from '@jest/globals';
import { Checker } from './checker.js';
import { OpenMembers } from './open-members.js';
import { Text } from './rules.js';

@OpenMembers('label.', 'must be short', (value) => value.length <= 3)
class Labelled {
  @Text(1, 5, { description: 'A name.', optional: 'absent' })
  name?: string;
}

class Plain {
  @Text(1, 5, { description: 'A name.', optional: 'absent' })
  name?: string;
}

describe('open members', () => {
  const messageOf = (query: object): string | undefined => new Checker(Labelled).errors(query)[0]?.message;

  it('have any name behind the prefix, and a value that is checked', () => {
    expect(messageOf({ name: 'a', 'label.x y': 'abc', 'label.a.b': '' })).toBeUndefined();
    expect(messageOf({ 'label.x': 'abcd' })).toBe('must be short');
    expect(messageOf({ 'label.x': ['a', 'b'] })).toBe('must be short');
    expect(messageOf({ 'label.x': '\ud800' })).toBe('must be short');
  });

  it('are no others', () => {
    const unknown = 'is not a known field';
    for (const name of ['label', 'label.', 'other.x', 'label.\ud800', 'label.\0', `label.${'x'.repeat(101)}`])
      expect([name, messageOf({ [name]: 'a' })]).toEqual([name, unknown]);
    expect(new Checker(Plain).errors({ 'label.x': 'a' })).toEqual([{ field: 'label.x', message: unknown }]);
  });

  it('are at most ten', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`label.${n}`, 'a']));
    expect(messageOf(many(10))).toBeUndefined();
    expect(messageOf(many(11))).toBe('must not be one of more than 10');
  });
});
