import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { instantOf, msOf, type Instant } from '#kernel/instant.js';
import { accountAt } from '#ledger/account/at.js';
import { DETAILED_SUMS, encodeUsage, KEPT_SUMS, usageAt } from '#ledger/account/usage.js';
import { UsageOracle } from '../../projections/balances/usage-oracle.js';
import { consume, grant } from '../support/ledger/account-commands.js';
import { LedgerAccount } from '../support/ledger/ledger-account.js';
import { days, ended, free, period } from '../support/ledger/term-commands.js';

describe('usage, whatever happens,', () => {
  const START = msOf('2026-10-14T10:00:00.000Z');
  const step = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ do: fc.constant('consume' as const), seconds: fc.integer({ min: 0, max: 90_000 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('reverse' as const), which: fc.nat(200) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('period' as const),
        lateDays: fc.integer({ min: -3, max: 3 }),
        subscription: fc.constantFrom('sub_1', 'sub_2'),
        yearly: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('end' as const), subscription: fc.constantFrom('sub_1', 'sub_2') }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('free' as const), amount: fc.constantFrom(null, 100, 200) }) },
  );
  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

  /** Plays steps; calls `after` with the time after each. */
  function play(steps: readonly Step[], after: (account: LedgerAccount, now: Instant) => void): LedgerAccount {
    let now = START;
    const account = new LedgerAccount(instantOf(now));
    account.run(grant(1_000_000));
    for (const one of steps) {
      const at = instantOf(now);
      if (one.do === 'consume') {
        now += one.seconds * 1000;
        account.run(consume((one.seconds % 7) + 1), instantOf(now));
      } else if (one.do === 'reverse') {
        const all = account.log.flatMap((event) => (event.type === 'CreditsConsumed' ? [event.consumptionId] : []));
        const consumptionId = all[one.which % Math.max(1, all.length)];
        if (consumptionId !== undefined)
          account.run({ type: 'ReverseConsumption', consumptionId, amount: 1, reason: null });
      } else if (one.do === 'period') {
        const start = days(at, -one.lateDays);
        const end = days(start, one.yearly ? 365 : 30);
        const { subscription: subscriptionId } = one;
        account.run(period(start, end, { subscriptionId, interval: one.yearly ? 'year' : 'month' }));
      } else if (one.do === 'end') account.run(ended(at, one.subscription));
      else
        account.run(
          free(`${at.slice(0, 7)}-01T00:00:00.000Z`, days(`${at.slice(0, 7)}-01T00:00:00.000Z`, 28), one.amount),
        );
      after(account, instantOf(now));
    }
    return account;
  }

  test('what is shown is what the log says of the period, while no more is to be told apart than is kept', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: DETAILED_SUMS }), (steps) => {
        play(steps, (account, now) => {
          const { periodStart, periodEnd, consumed } = usageAt(accountAt(account.state, now).usage, now);
          const byRevision = new Map<number, number>();
          for (const [revision, event] of account.log.entries()) {
            if (event.type === 'CreditsConsumed' && periodStart <= event.at && event.at < periodEnd)
              byRevision.set(revision, event.amount);
            if (event.type === 'ConsumptionReversed' && byRevision.has(event.consumptionRevision))
              byRevision.set(
                event.consumptionRevision,
                (byRevision.get(event.consumptionRevision) ?? 0) - event.amount,
              );
          }
          expect(consumed).toBe([...byRevision.values()].reduce((sum, amount) => sum + amount, 0));
        });
      }),
      { numRuns: 80 },
    );
  });

  test('of many subscriptions, each with other months, what is kept equals what the whole log says', () => {
    const account = new LedgerAccount(instantOf(START));
    const oracle = new UsageOracle();
    account.run(grant(1_000_000));
    for (let index = 0; index < 400; index += 1) {
      const at = instantOf(START + index * 9 * 3_600_000);
      const subscriptionId = `sub_${String(index)}`;
      if (index < 300) account.run(period(at, days(at, 30), { subscriptionId, creditsPerMonth: 1 }), at);
      account.run(consume(1), at);
      if (index === 120) expect(account.state.usage.sums.length).toBeGreaterThan(KEPT_SUMS);
    }
    for (const [revision, event] of account.log.entries()) oracle.add(event, revision);
    expect(account.state.usage.sums.length).toBeLessThan(300);
    expect(encodeUsage(account.state.usage)).toEqual(oracle.expected());
  });

  test('what is kept is bounded, and equals what the whole log says, counted in another way', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 80, maxLength: 160 }), (steps) => {
        const account = play(steps, ({ state }) => expect(state.usage.sums.length).toBeLessThanOrEqual(KEPT_SUMS));
        const oracle = new UsageOracle();
        for (const [revision, event] of account.log.entries()) oracle.add(event, revision);
        expect(encodeUsage(account.state.usage)).toEqual(oracle.expected());
      }),
      { numRuns: 8 },
    );
  });
});
