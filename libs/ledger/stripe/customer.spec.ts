import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DecidedStream } from '../../../test/support/ledger/decided-stream.js';
import { permutations } from '../../../test/support/permutations.js';
import { newsOf, stripeCustomerDecider, type StripeCustomerState } from './customer.js';
import { MAX_STATEMENTS, ownerAt, ownershipOf, type OwnerStatement, type StatementSource } from './customer-owner.js';

const second = (at: number): string => new Date(1_790_000_000_000 + at * 1000).toISOString();

const says = (customerId: string, at: number, more: Partial<OwnerStatement> = {}): OwnerStatement => ({
  customerId,
  source: 'customer',
  at: second(at),
  stripeEventId: `evt_${customerId}_${String(at)}`,
  ...more,
});

const after = (statements: readonly OwnerStatement[]): StripeCustomerState =>
  new DecidedStream(stripeCustomerDecider, '2026-11-30T00:00:00.000Z').given(
    ...statements.map((statement) => ({ type: 'NameStripeCustomer', stripeCustomerId: 'cus_1', statement }) as const),
  ).state;

const ownerOf = (statements: readonly OwnerStatement[]) => {
  const { owners, overruled } = ownershipOf(after(statements).statements);
  return { owner: owners.at(-1)?.customerId ?? null, overruled: overruled.map(({ stripeEventId }) => stripeEventId) };
};

const cases: [string, readonly OwnerStatement[], { owner: string; overruled: readonly string[] }][] = [
  ['a correction at Stripe', [says('a', 0), says('b', 5)], { owner: 'b', overruled: [] }],
  [
    'a correction at Stripe to whom a session named before, and not to whom another named',
    [says('a', 0), says('b', 2, { source: 'session' }), says('c', 3, { source: 'session' }), says('b', 5)],
    { owner: 'b', overruled: ['evt_c_3'] },
  ],
  [
    'a correction of which only the later half is known',
    [says('a', 2, { source: 'session' }), says('b', 5, { before: 'a' })],
    { owner: 'b', overruled: [] },
  ],
  [
    'a correction that was taken back',
    [says('a', 0), says('b', 5, { before: 'a' }), says('a', 9, { before: 'b' })],
    { owner: 'a', overruled: [] },
  ],
  [
    'a change within the second of the creation',
    [says('a', 0), says('b', 0, { before: 'a' }), says('c', 0, { before: 'b' })],
    { owner: 'c', overruled: [] },
  ],
  [
    'a session against the Stripe customer itself, which was named later',
    [says('a', 0, { source: 'session' }), says('b', 5)],
    { owner: 'b', overruled: ['evt_a_0'] },
  ],
  [
    'two sessions: the first stays',
    [says('a', 3, { source: 'session' }), says('b', 5, { source: 'session' }), says('c', 1, { source: 'object' })],
    { owner: 'a', overruled: ['evt_b_5', 'evt_c_1'] },
  ],
  [
    'one Stripe customer for the subscriptions of several',
    [says('b', 2, { source: 'object' }), says('a', 1, { source: 'object' }), says('a', 4, { source: 'object' })],
    { owner: 'a', overruled: ['evt_b_2'] },
  ],
  [
    'two statements of one second of which nothing says which came last',
    [says('a', 0), says('b', 0)],
    { owner: 'b', overruled: ['evt_a_0'] },
  ],
];

describe.each(cases)('%s', (_name, statements, expected) => {
  test('has one owner in every order', () => {
    for (const order of permutations(statements)) expect(ownerOf(order)).toEqual(expected);
  });
});

test('the same statements in any order, some of them twice and under other ids, mean the same', () => {
  const statement = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    at: fc.integer({ min: 0, max: 4 }),
    source: fc.constantFrom<StatementSource>('customer', 'session', 'object'),
    twin: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(statement, { minLength: 1, maxLength: 8 }), fc.integer(), (list, seed) => {
      const all = list.flatMap(({ name, at, source, twin }) => {
        const one = says(name, at, { source });
        return twin ? [one, one, { ...one, stripeEventId: `${String(one.stripeEventId)}_again` }] : [one];
      });
      const [order] = fc.sample(fc.shuffledSubarray(all, { minLength: all.length }), { numRuns: 1, seed });
      expect(ownershipOf(after(order ?? []).statements)).toEqual(ownershipOf(after(all).statements));
    }),
    { numRuns: 500 },
  );
});

test('what happened before a correction belongs to whom it named then', () => {
  const onlyCorrection = [says('b', 5, { before: 'a' })];
  for (const statements of [onlyCorrection, [says('a', 0), ...onlyCorrection]]) {
    const { owners } = ownershipOf(after(statements).statements);
    expect([1, 4, 5, 9].map((at) => ownerAt(owners, second(at)))).toEqual(['a', 'a', 'b', 'b']);
  }
  const named = ownershipOf(after([says('b', 5, { before: null })]).statements);
  expect(ownerAt(named.owners, second(1))).toBe('b');
});

test('what repeats what is known is not kept', () => {
  const updates = [1, 2, 3, 4].map((at) => says('a', at, { before: 'a' }));
  const list = [says('a', 0), ...updates, says('a', 3, { source: 'object' }), says('a', 5, { source: 'object' })];
  expect(after([...list, ...list]).statements.length).toBe(2);
});

test('corrections without end are followed, in any order, and only the newest are kept', () => {
  const list = Array.from({ length: MAX_STATEMENTS * 5 }, (_, at) => says(`c${String(at)}`, at));
  for (const order of [list, list.toReversed()]) {
    const { statements } = after(order);
    expect(statements).toHaveLength(MAX_STATEMENTS);
    expect(ownershipOf(statements)).toEqual(ownershipOf(list.slice(-MAX_STATEMENTS)));
    expect(after([...order, ...order]).version).toBe(after(order).version);
  }
});

test('everybody who was named hears how it stands, also of what was deleted before it was named', () => {
  const state = { ...after([says('a', 0), says('b', 5)]), deleted: true };
  const news = newsOf('cus_1', state).map((each) => [each.customerId, 'relation' in each ? each.relation : null]);
  expect(news).toEqual([
    ['a', 'of_another'],
    ['b', 'deleted'],
  ]);
});
