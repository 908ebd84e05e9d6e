import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { AccountState } from '#ledger/account-state.js';
import { accountAt } from '#ledger/account-at.js';
import { instantOf, msOf } from '#kernel/instant.js';
import { resolve, steps } from '../test/property/ledger-commands.js';
import { booksAt, runModel } from '../test/property/ledger-model.js';
import { emptyBooks } from '../test/property/model-books.js';
import { Subject } from '../test/property/ledger-subject.js';
import { balanceAt, type Lot, type OpenHold } from './balance-at.js';

const lotsOf = (state: AccountState): Lot[] => [...state.grants.values()].filter(({ free, held }) => free + held > 0);
const holdsOf = (state: AccountState): OpenHold[] => [...state.holds.values()];
const sum = (parts: object): number => Object.values(parts).reduce((total: number, part: number) => total + part, 0);

/** Instants worth asking about: those when something happens, a millisecond around them, and far ahead. */
const instantsOf = (state: AccountState, from: string): string[] => {
  const due = [...state.grants.values()].flatMap(({ effectiveAt, expiresAt }) => [effectiveAt, expiresAt]);
  const all = [
    ...due,
    ...[...state.holds.values()].map(({ expiresAt }) => expiresAt),
    from,
    instantOf(msOf(from) + 1e11),
  ];
  return [...new Set(all)]
    .filter((at) => at !== null)
    .flatMap((at) => [-1, 0, 1].map((ms) => instantOf(msOf(at) + ms)));
};

describe('the balance at an instant', () => {
  it("is the ledger's own, whatever was recorded by then", () => {
    fc.assert(
      fc.property(steps(40), (taken) => {
        const subject = new Subject();
        let books = emptyBooks();
        let at = '2026-01-01T00:00:00.000Z';
        for (const step of taken) {
          at = instantOf(msOf(at) + step.wait);
          const command = resolve(step.draft, booksAt(books, at), at);
          books = runModel(books, command, at).books;
          subject.run(command, at);
        }
        const { state } = subject;
        for (const now of instantsOf(state, at).filter((instant) => instant >= state.lastAt)) {
          const { available, held, debt, bySource, expiryBuckets } = balanceAt(
            lotsOf(state),
            holdsOf(state),
            state.balance.debt,
            now,
          );
          expect({ available, held, debt }).toEqual(accountAt(state, now).balance);
          expect(sum(bySource)).toBe(available + held);
          expect(sum(expiryBuckets)).toBe(available + held);
        }
      }),
      { numRuns: 300 },
    );
  });

  const lot = (id: string, free: number, expiresAt: string | null, more: Partial<Lot> = {}): Lot => ({
    id,
    source: 'purchase',
    free,
    held: 0,
    scheduled: false,
    effectiveAt: '2026-01-01T00:00:00.000Z',
    expiresAt,
    ...more,
  });
  const now = '2026-11-01T00:00:00.000Z';

  it('loses a grant at the very millisecond of its expiry', () => {
    const lots = [lot('a', 10, '2026-11-01T00:00:00.001Z')];
    expect(balanceAt(lots, [], 0, now).available).toBe(10);
    expect(balanceAt(lots, [], 0, '2026-11-01T00:00:00.001Z')).toMatchObject({
      available: 0,
      bySource: {},
      nextExpiry: null,
    });
  });

  it('is parted by source and by time left', () => {
    const lots = [
      lot('a', 1, '2026-11-08T00:00:00.000Z', { source: 'trial' }),
      lot('b', 2, '2026-11-08T00:00:00.001Z'),
      lot('c', 4, '2026-12-01T00:00:00.001Z'),
      lot('d', 8, '2027-06-01T00:00:00.000Z'),
      lot('e', 16, null, { held: 32 }),
      lot('f', 64, null, { scheduled: true, effectiveAt: '2026-11-01T00:00:00.001Z' }),
    ];
    expect(balanceAt(lots, [], 5, now)).toEqual({
      available: 31,
      held: 32,
      debt: 5,
      bySource: { trial: 1, purchase: 62 },
      expiryBuckets: { within7Days: 1, within30Days: 2, within90Days: 4, later: 8, never: 48 },
      nextExpiry: { at: '2026-11-08T00:00:00.000Z', amount: 1 },
    });
  });

  it('gets a scheduled grant at its instant, less the debt that it repays', () => {
    const lots = [lot('a', 10, null, { scheduled: true, effectiveAt: now })];
    expect(balanceAt(lots, [], 4, now)).toMatchObject({ available: 6, debt: 0 });
  });

  it('gets back what a hold pinned when it times out, unless its grant has expired', () => {
    const lots = [lot('a', 1, null, { held: 5 }), lot('b', 0, '2026-10-01T00:00:00.000Z', { held: 7 })];
    const holds = [
      {
        id: 'h',
        expiresAt: now,
        allocations: [
          { grantId: 'a', amount: 5 },
          { grantId: 'b', amount: 7 },
        ],
      },
    ];
    expect(balanceAt(lots, holds, 0, '2026-10-31T23:59:59.999Z')).toMatchObject({
      available: 1,
      held: 12,
      expiryBuckets: { within7Days: 7 },
    });
    expect(balanceAt(lots, holds, 0, now)).toMatchObject({ available: 6, held: 0 });
  });
});
