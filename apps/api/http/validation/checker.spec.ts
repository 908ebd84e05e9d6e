import { describe, expect, it } from '@jest/globals';
import { validateSync } from 'class-validator';
import fc from 'fast-check';
import { BalanceQuery } from '../../accounts/reads/queries.dto.js';
import {
  AdjustmentBody,
  CaptureBody,
  ConsumptionBody,
  GrantBody,
  HoldBody,
  MoneyBody,
  ResourceBody,
  SettingsBody,
} from '../../accounts/commands/bodies.dto.js';
import { EventsQuery } from '../../log/queries.dto.js';
import type { Dto } from './dto.js';
import { Checker, checkerOf } from './checker.js';

const classes: readonly Dto[] = [GrantBody, ConsumptionBody, HoldBody, CaptureBody, AdjustmentBody, SettingsBody];

/** The body as class-validator wants it: an instance, with instances inside. */
function instance(dto: Dto, body: object): object {
  const made = Object.assign(new dto(), body) as Record<string, unknown>;
  for (const [name, nested] of [
    ['costBasis', MoneyBody],
    ['resource', ResourceBody],
  ] as const) {
    const value = made[name];
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      made[name] = Object.assign(new nested(), value);
  }
  return made;
}

const topOf = (fields: readonly string[]): string[] => [...new Set(fields.map((field) => field.split('.')[0]!))].sort();

const awkward = fc.oneof(
  fc.constantFrom<unknown>(
    0,
    -0,
    1,
    -1,
    1.5,
    2 ** 53,
    2 ** 53 - 1,
    Infinity,
    NaN,
    null,
    true,
    false,
    '',
    '5',
    'usd',
    'credits',
    'purchase',
    'debt',
    [],
    {},
    [1],
    'a\0b',
    '\ud800',
  ),
  fc.constantFrom<unknown>(
    '2026-11-21T08:00:00Z',
    '2026-02-30T08:00:00Z',
    '2026-11-21',
    'expiring-first',
    { amount: 1, currency: 'usd' },
    { amount: 1.5, currency: 'USD', x: 1 },
  ),
  fc.constantFrom<unknown>(
    { type: 'lead', id: '7' },
    { type: 'lead' },
    { type: '', id: 7 },
    { a: 'b' },
    { a: {} },
    { a: 1, b: true, c: null },
  ),
  fc.integer({ min: 0, max: 200 }),
  fc.string({ maxLength: 600 }),
);
const names = [
  'amount',
  'source',
  'expiresAt',
  'effectiveAt',
  'priority',
  'costBasis',
  'paymentReference',
  'description',
  'metadata',
  'unit',
  'creditEvent',
];
const moreNames = [
  'quantity',
  'resource',
  'expiresInSeconds',
  'final',
  'reason',
  'burnOrder',
  'overdraftLimit',
  'debtPolicy',
  'lowBalanceThreshold',
  'unknown',
];
const body = fc.dictionary(fc.constantFrom(...names, ...moreNames), awkward, { maxKeys: 12, noNullPrototype: true });

describe('the checker', () => {
  it('finds what class-validator finds', () => {
    fc.assert(
      fc.property(fc.constantFrom(...classes), body, (dto, given) => {
        const theirs = validateSync(instance(dto, given), { whitelist: true, forbidNonWhitelisted: true });
        expect(
          topOf(
            checkerOf(dto)
              .errors(given)
              .map((error) => error.field),
          ),
        ).toEqual(topOf(theirs.map((error) => error.property)));
      }),
      { numRuns: 3000 },
    );
  });

  it('takes a whole good body', () => {
    expect(
      checkerOf(GrantBody).errors({
        amount: 1,
        source: 'purchase',
        costBasis: { amount: 0, currency: 'eur' },
        expiresAt: null,
        metadata: { a: 1 },
      }),
    ).toEqual([]);
  });

  it.each([[null], [[]], ['x'], [7], [true]])('refuses %p for a body', (value) => {
    expect(checkerOf(GrantBody).errors(value)).toEqual([{ field: '', message: 'must be a JSON object' }]);
  });

  it('names the path of a nested field and never repeats a value', () => {
    const errors = checkerOf(GrantBody).errors({
      amount: 1,
      source: 'secret-value',
      costBasis: { amount: -1, currency: 'usd', 'a<b>': 1 },
    });
    expect(errors.map((error) => error.field)).toEqual(['source', 'costBasis.(unprintable)', 'costBasis.amount']);
    expect(JSON.stringify(errors)).not.toContain('secret-value');
  });

  it('treats __proto__ as any other unknown field', () => {
    const given = JSON.parse('{"amount":1,"source":"purchase","__proto__":{"priority":1}}') as unknown;
    expect(checkerOf(GrantBody).errors(given)).toEqual([{ field: '__proto__', message: 'is not a known field' }]);
  });

  it('bounds how much it answers', () => {
    const given = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${String(i)}`, 1]));
    expect(checkerOf(HoldBody).errors(given).length).toBeLessThan(30);
  });

  it('checks one body against several classes', () => {
    const both = new Checker(MoneyBody, ResourceBody);
    expect(both.errors({ amount: 1, currency: 'usd', type: 't', id: 'i' })).toEqual([]);
    expect(both.errors({ amount: 1, currency: 'usd', type: 't' }).map((error) => error.field)).toEqual(['id']);
  });
});

it('takes as a position only what the log can hold', () => {
  for (const [dto, name] of [
    [EventsQuery, 'after'],
    [BalanceQuery, 'position'],
    [BalanceQuery, 'minPosition'],
  ] as const) {
    const fieldsAtFault = (value: string): readonly string[] =>
      checkerOf(dto)
        .errors({ [name]: value })
        .map(({ field }) => field);
    for (const good of ['0', '0000000000000000042', '9223372036854775807']) expect(fieldsAtFault(good)).toEqual([]);
    for (const bad of ['9223372036854775808', '9999999999999999999', '', '-1', '1.5', '00000000000000000042', '0x1'])
      expect([bad, fieldsAtFault(bad)]).toEqual([bad, [name]]);
  }
});
