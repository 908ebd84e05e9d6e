import { describe, expect, it } from '@jest/globals';
import { previousAttributes, same } from './diff.js';

describe('previous attributes', () => {
  it('are the old values of what changed: arrays whole, objects by member, new members as null', () => {
    const before = { status: 'past_due', metadata: { a: '1', b: '2' }, list: [1, 2], kept: { x: 1 }, cancel_at: null };
    const after = { status: 'active', metadata: { a: '1', c: '3' }, list: [1, 3], kept: { x: 1 }, cancel_at: 5 };
    expect(previousAttributes(before, after)).toEqual({
      status: 'past_due',
      metadata: { b: '2', c: null },
      list: [1, 2],
      cancel_at: null,
    });
  });

  it('are nothing when nothing changed', () => {
    expect(previousAttributes({ a: [{ b: 1 }] }, { a: [{ b: 1 }] })).toEqual({});
    expect(same({ a: undefined }, {})).toBe(true);
    expect(same([1], { 0: 1 })).toBe(false);
  });
});
