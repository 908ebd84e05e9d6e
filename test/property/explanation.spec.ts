import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { accountAt, timePassed } from '#ledger/account/at.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { explanationOf, ranksIn, UseCounts } from '#ledger/account/reading/explanation.js';
import { usesOf, type GrantUse } from '#ledger/account/reading/uses.js';
import { stepsWithClaims } from './ledger/commands.js';
import { dawn, later, live, runs } from './ledger/lives.js';
import { foldAll } from './ledger/subject.js';

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** An explanation of what events left, and what time has done since. */
function explained(log: readonly AccountEvent[], at: string) {
  const passed = timePassed(foldAll(log), at, log.length - 1);
  const counts = new UseCounts();
  const events = [...log, ...passed.events];
  for (const event of events) counts.add(event);
  return { events, explanation: explanationOf(passed.state, (grantId) => counts.of(grantId)) };
}

/** Adds up by another way: the uses alone, of each grant. */
function expectSums({ events, explanation }: ReturnType<typeof explained>): void {
  const { available, held, debt, grants, debts, sums } = explanation;
  expect([sums.available, sums.held, sums.debt]).toEqual([available, held, debt]);
  expect(sum(debts.map(({ outstanding }) => outstanding))).toBe(debt);
  const uses = events.flatMap((event) => usesOf(event).map((use) => ({ ...use, at: event.at })));
  for (const grant of grants) {
    const own = uses.filter(({ grantId }) => grantId === grant.grantId);
    const of = (...types: readonly GrantUse['type'][]): number =>
      sum(own.filter(({ type }) => types.includes(type)).map(({ amount }) => amount));
    expect({
      consumed: of('consumed', 'captured', 'reversed'),
      expired: of('expired'),
      revoked: of('revoked', 'reinstated'),
      repaidDebt: of('debt_repaid', 'debt_forgiven'),
      transferred: of('transferred', 'transfer_returned'),
      uses: own.length,
      firstUse: own[0]?.at ?? null,
      lastUse: own.at(-1)?.at ?? null,
    }).toEqual({
      consumed: grant.consumed,
      expired: grant.expired,
      revoked: grant.revoked,
      repaidDebt: grant.repaidDebt,
      transferred: grant.transferred,
      uses: grant.uses,
      firstUse: grant.firstUse,
      lastUse: grant.lastUse,
    });
    const left = grant.scheduled + grant.available + grant.held;
    expect(sum(own.map(({ amount }) => amount)) + left).toBe(grant.granted);
  }
  for (const name of ['granted', 'scheduled', 'consumed', 'expired', 'revoked', 'repaidDebt', 'transferred'] as const)
    expect(sums[name]).toBe(sum(grants.map((grant) => grant[name])));
}

describe('an explanation', () => {
  it('sums up to the balance, at every position and at any instant', () => {
    fc.assert(
      fc.property(
        stepsWithClaims(20),
        fc.array(fc.integer({ min: 0, max: 90 * 86_400_000 }), { minLength: 1, maxLength: 4 }),
        (taken, instants) => {
          const { log } = live(taken, () => undefined);
          for (let events = 1; events <= log.length; events += 1) {
            const until = log.slice(0, events);
            const shown = explained(until, until.at(-1)!.at);
            expectSums(shown);
            const { balance } = accountAt(foldAll(until), until.at(-1)!.at);
            expect(shown.explanation).toMatchObject(balance);
          }
          for (const ms of instants) {
            const at = later(dawn, ms);
            const shown = explained(
              log.filter((event) => event.at <= at),
              at,
            );
            expectSums(shown);
            expect(shown.explanation).toMatchObject(
              accountAt(foldAll(log.filter((event) => event.at <= at)), at).balance,
            );
          }
        },
      ),
      runs(60),
    );
  });

  it('ranks the grants of a consumption before all that it left alone', () => {
    fc.assert(
      fc.property(stepsWithClaims(25), (taken) => {
        const { log } = live(taken, () => undefined);
        for (const [revision, event] of log.entries()) {
          if (event.type !== 'CreditsConsumed') continue;
          const before = foldAll(log.slice(0, revision));
          const why = ranksIn(
            before,
            event.burnOrder,
            event.allocations.map(({ grantId }) => grantId),
          );
          expect(why.map(({ rank }) => rank)).toEqual(event.allocations.map((_, index) => index + 1));
          expect(why.every(({ among }) => among === before.spendable.length)).toBe(true);
          // All but the last are used up.
          for (const slice of event.allocations.slice(0, -1))
            expect(before.grants.get(slice.grantId)?.free).toBe(slice.amount);
        }
      }),
      runs(60),
    );
  });

  it('of nothing is nothing', () => {
    expect(explanationOf(foldAll([]), () => ({ uses: 0, firstUse: null, lastUse: null }))).toMatchObject({
      available: 0,
      grants: [],
      debts: [],
      sums: { granted: 0, available: 0, held: 0, debt: 0 },
    });
  });
});
