import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compareDecimals, decimalOf, decimalText, minus, parseDecimal, plus, times, wholePart } from './decimal.js';

const of = (text: string) => parseDecimal(text)!;

describe('exact decimals', () => {
  test.each(['', ' ', '1e3', '.5', '5.', '1,5', '+1', 'NaN', '0x1', '1'.repeat(31)])('%j is none', (text) => {
    expect(parseDecimal(text)).toBeNull();
  });

  test('are read and written back in their shortest form', () => {
    expect(['12.50', '-0.5', '007', '0.0', '3'].map((text) => decimalText(of(text)))).toEqual([
      '12.5',
      '-0.5',
      '7',
      '0',
      '3',
    ]);
  });

  test('do not lose what a float loses', () => {
    expect(decimalText(plus(of('0.1'), of('0.2')))).toBe('0.3');
    expect(decimalText(times(of('1.15'), of('100')))).toBe('115');
    expect(decimalText(times(of('9007199254740991'), of('1.1')))).toBe('9907919180215090.1');
  });

  test('sums come back by differences, and the whole part is that of the division', () => {
    const decimal = fc.record({ digits: fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), scale: fc.nat(12) });
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        expect(compareDecimals(minus(plus(a, b), b), a)).toBe(0);
        expect(compareDecimals(of(decimalText(a)), a)).toBe(0);
      }),
    );
    expect(wholePart(of('12.75'))).toEqual({ whole: 12n, hasFraction: true });
    expect(wholePart(of('12.00'))).toEqual({ whole: 12n, hasFraction: false });
    expect(wholePart(decimalOf(5))).toEqual({ whole: 5n, hasFraction: false });
  });
});
