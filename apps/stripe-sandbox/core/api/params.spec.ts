import { describe, expect, it } from '@jest/globals';
import { ApiError } from './errors.js';
import { Params, fingerprint, parseForm } from './params.js';

const read = (text: string): Params => new Params(parseForm(text));

describe('parameters', () => {
  it('reads nesting and lists in the order of their indexes', () => {
    const params = read('items[1][price]=b&items[0][price]=a&items[0][quantity]=2&expand[]=x&expand[]=y&name=N%20N');
    expect(params.children('items')?.map((item) => [item.required('price'), item.integer('quantity')])).toEqual([
      ['a', 2],
      ['b', undefined],
    ]);
    expect(params.texts('expand')).toEqual(['x', 'y']);
    expect(params.text('name')).toBe('N N');
    expect(() => params.finish()).not.toThrow();
  });

  it('refuses what nobody read, also deep inside', () => {
    const params = read('recurring[interval]=month&recurring[color]=red');
    params.child('recurring')?.required('interval');
    expect(() => params.finish()).toThrow('Received unknown parameter: recurring[color]');
  });

  it.each(['1.5', 'abc', '1e3', '0x10', ' 1', '99999999999999999999'])('refuses %s as an integer', (text) => {
    expect(() => read(`amount=${encodeURIComponent(text)}`).integer('amount')).toThrow(ApiError);
  });

  it('tells an unset value from an absent one', () => {
    expect(read('description=').emptyable('description')).toBeNull();
    expect(read('').emptyable('description')).toBeUndefined();
    expect(() => read('name=').text('name')).toThrow(/cannot be unset/);
  });

  it('has one fingerprint for the same parameters in any order', () => {
    expect(fingerprint(parseForm('a=1&b[c]=2'))).toBe(fingerprint(parseForm('b[c]=2&a=1')));
    expect(fingerprint(parseForm('a=1'))).not.toBe(fingerprint(parseForm('a=2')));
  });
});
