import { describe, expect, test } from '@jest/globals';
import { parseDecimal } from './decimal.js';
import { contactOfSource, planLot } from './lot-plan.js';
import type { SourceLot } from './source.js';

const now = '2026-12-01T00:00:00.000Z';
const lot = (more: Partial<SourceLot> = {}, left = '100'): SourceLot => ({
  kind: 'lot',
  at: 'line 2',
  externalId: 'l-1',
  customer: { id: 'acme', name: null, email: null },
  unit: 'credits',
  left: parseDecimal(left)!,
  source: 'purchase',
  priority: 50,
  effectiveAt: '2026-01-01T00:00:00.000Z',
  expiresAt: null,
  costBasis: { amount: 999, currency: 'usd' },
  adjustments: [],
  endedBecause: null,
  ...more,
});
const plan = (more: Partial<SourceLot> = {}, left?: string) => planLot(lot(more, left), now, 'csv');

describe('the plan for a lot', () => {
  test('grants it with all that it has, under its own id', () => {
    expect(plan({ expiresAt: '2027-01-01T00:00:00.000Z', priority: 3 })).toEqual({
      kind: 'grant',
      adjustments: [],
      command: {
        type: 'GrantCredits',
        amount: 100,
        source: 'purchase',
        priority: 3,
        effectiveAt: '2026-01-01T00:00:00.000Z',
        expiresAt: '2027-01-01T00:00:00.000Z',
        costBasis: { amount: 999, currency: 'usd' },
        paymentReference: null,
        description: null,
        metadata: { import: 'csv', externalId: 'l-1' },
      },
    });
  });

  test('cuts fractions and says so', () => {
    expect(plan({ adjustments: ['other'] }, '100.75')).toMatchObject({
      kind: 'grant',
      command: { amount: 100 },
      adjustments: ['100.75 credits are cut to 100', 'other'],
    });
    expect(plan({}, '0.75')).toMatchObject({ kind: 'fraction', reason: expect.stringContaining('0.75') });
  });

  test('grants nothing of what has nothing left in the source', () => {
    expect(plan({}, '0.00')).toMatchObject({ kind: 'empty', reason: 'nothing is left of it' });
    expect(plan({ expiresAt: now })).toMatchObject({ kind: 'empty', reason: `it expired at ${now}` });
    expect(plan({ expiresAt: now, effectiveAt: now })).toMatchObject({ kind: 'empty' });
    expect(plan({ endedBecause: 'it was voided' })).toEqual({ kind: 'empty', reason: 'it was voided' });
  });

  test.each<[string, Partial<SourceLot>, string | undefined]>([
    ['cannot be a customer id', { customer: { id: 'a b', name: null, email: null } }, undefined],
    ['cannot be a unit', { unit: 'Credits' }, undefined],
    ['cannot be a key', { externalId: 'é' }, undefined],
    ['cannot be a key', { externalId: 'x'.repeat(201) }, undefined],
    ['a debt is not a lot', {}, '-3'],
    ['more than 9007199254740991', {}, '9007199254740992'],
    [
      'not after it becomes effective',
      { expiresAt: '2027-01-01T00:00:00.000Z', effectiveAt: '2027-01-01T00:00:00.000Z' },
      undefined,
    ],
    ['not a currency', { costBasis: { amount: 1, currency: 'xxx' } }, undefined],
  ])('refuses what %s', (reason, more, left) => {
    expect(plan(more, left)).toEqual({ kind: 'refused', reason: expect.stringContaining(reason) });
  });

  test('takes ids up to what a key can hold', () => {
    expect(plan({ externalId: 'x'.repeat(200) }).kind).toBe('grant');
    expect(plan({}, '9007199254740991')).toMatchObject({ command: { amount: Number.MAX_SAFE_INTEGER } });
  });
});

test('a contact keeps what Scrip takes', () => {
  const given = { id: 'acme', name: 'n'.repeat(201), email: 'nobody' };
  const { customer, adjustments } = contactOfSource(given);
  expect(customer).toEqual({ id: 'acme', name: 'n'.repeat(200), email: null });
  expect(adjustments).toHaveLength(2);
  expect(contactOfSource({ id: 'acme', name: 'Ada', email: 'ada@acme.test' }).adjustments).toEqual([]);
});
