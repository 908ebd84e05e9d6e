import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson, type Json } from './json.js';

describe('canonical JSON', () => {
  it('has the keys of every object in the order of their code units', () => {
    expect(canonicalJson({ b: [{ z: 1, a: null }], a: 'é"', B: true })).toBe(
      '{"B":true,"a":"é\\"","b":[{"a":null,"z":1}]}',
    );
    const names = Array.from({ length: 30 }, (_, i) => `key${String((i * 7) % 30)}`);
    const many = Object.fromEntries(names.map((name) => [name, 0]));
    expect(Object.keys(JSON.parse(canonicalJson(many)) as object)).toEqual(names.toSorted());
  });

  it('is the same text for equal values, and reads back as the value', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([key, inner]) => [key, shuffled(inner)]),
      );
    };
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value as Json);
        expect(canonicalJson(shuffled(value) as Json)).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
