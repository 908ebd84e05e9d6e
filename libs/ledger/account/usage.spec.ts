import { describe, expect, test } from '@jest/globals';
import { msOf, plusMs, type Instant } from '#kernel/instant.js';
import { consume, grant } from '../../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../../test/support/ledger/ledger-account.js';
import { permutations } from '../../../test/support/permutations.js';
import { days, ended, free, minutes, period, trial, trialMoved } from '../../../test/support/ledger/term-commands.js';
import { accountAt } from './at.js';
import type { AccountCommand } from './commands.js';
import { usageAt, type PeriodUsage } from './usage.js';

const october = '2026-10-14T10:00:00.000Z';
const november = '2026-11-14T10:00:00.000Z';
const december = '2026-12-14T10:00:00.000Z';
const change = (changeId: string, since: Instant, end: Instant, credits: number): AccountCommand => ({
  type: 'ChangePeriod',
  subscriptionId: 'sub_1',
  changeId,
  periods: [
    { end, interval: 'month', parts: [{ since, credits }], cost: null, grants: true, takesBack: true, lines: [] },
  ],
  paymentReference: null,
  metadata: {},
});

const shown = (account: LedgerAccount, at: Instant): PeriodUsage => usageAt(accountAt(account.state, at).usage, at);
const figures = (account: LedgerAccount, at: Instant): string => {
  const { consumed, limit, periodStart } = shown(account, at);
  return `${String(consumed)} of ${String(limit)} since ${periodStart}`;
};

describe('the usage of a subscription', () => {
  test('begins again with each paid period', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november));
    account.run(consume(4000), days(october, 3));
    account.run(period(november, december), november);
    account.run(consume(4000), days(november, 3));
    expect(shown(account, days(november, 3))).toEqual({
      periodStart: november,
      periodEnd: december,
      consumed: 4000,
      limit: 5000,
    });
  });

  test('has exact bounds: the last instant belongs to the period before, the first to the new one', () => {
    const account = new LedgerAccount(october);
    account.run(grant(100));
    account.run(period(october, november));
    account.run(consume(10), plusMs(november, -1));
    account.run(period(november, december), november);
    account.run(consume(7), november);
    expect(figures(account, november)).toBe(`7 of 5000 since ${november}`);
  });

  test('is whole, however many subscriptions begin their months at other times', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november));
    account.run(grant(5000));
    for (let index = 0; index < 120; index += 1) {
      const at = minutes(october, 60 * (index + 1));
      const subscriptionId = `sub_small_${String(index)}`;
      account.run(period(at, days(at, 30), { subscriptionId, creditsPerMonth: 1 }), at);
      account.run(consume(10), minutes(at, 1));
    }
    expect(figures(account, days(october, 6))).toBe(`1200 of 5000 since ${october}`);
  });

  test('counts what was consumed while the payment of the new period was not yet reported', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november));
    account.run(grant(5000));
    account.run(consume(4000), days(october, 3));
    account.run(consume(30), minutes(november, 20));
    expect(figures(account, minutes(november, 30))).toBe(`4000 of 5000 since ${october}`);
    account.run(period(november, december), minutes(november, 60));
    account.run(consume(5), minutes(november, 61));
    expect(figures(account, minutes(november, 61))).toBe(`35 of 5000 since ${november}`);
  });

  test('counts a first period from its start, however late it is reported', () => {
    const account = new LedgerAccount(days(october, -1));
    account.run(grant(1000));
    for (let minute = -5; minute < 30; minute += 1) account.run(consume(10), minutes(october, minute));
    account.run(period(october, november), minutes(october, 60));
    expect(figures(account, minutes(october, 60))).toBe(`300 of 5000 since ${october}`);
  });

  test('is by the month of a paid year, with nothing recorded in between', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, '2027-10-14T10:00:00.000Z', { interval: 'year' }));
    account.run(consume(4000), days(october, 3));
    expect(figures(account, plusMs(november, -1))).toBe(`4000 of 5000 since ${october}`);
    expect(figures(account, november)).toBe(`0 of 5000 since ${november}`);
    account.run(consume(1), days(november, 1));
    expect(figures(account, days(november, 1))).toBe(`1 of 5000 since ${november}`);
  });

  test('is less what was given back of it, whenever that is', () => {
    const account = new LedgerAccount(october);
    const consumed = (amount: number, at: Instant): string => {
      account.run(consume(amount), at);
      const last = account.log.at(-1);
      return last?.type === 'CreditsConsumed' ? last.consumptionId : '';
    };
    const giveBack = (consumptionId: string, amount: number, at: Instant) =>
      expect(account.run({ type: 'ReverseConsumption', consumptionId, amount, reason: null }, at)).toContain(
        'Reversed',
      );
    account.run(period(october, november));
    const first = consumed(4000, days(october, 3));
    account.run(period(november, december), november);
    const second = consumed(100, days(november, 1));
    giveBack(first, 4000, days(november, 2));
    giveBack(second, 40, days(november, 2));
    expect(figures(account, days(november, 2))).toBe(`60 of 5000 since ${november}`);
  });

  test('has the credits of all items and seats as its limit, with changes within the month, without what went on', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november, { rolloverCap: 1000 }));
    account.run(period(october, november, { itemId: 'si_2', creditsPerMonth: 1500 }));
    expect(shown(account, october).limit).toBe(6500);
    const half = plusMs(october, (msOf(november) - msOf(october)) / 2);
    account.run(change('more', half, november, 7000), half);
    expect(shown(account, half).limit).toBe(10_000);
    account.run(change('less', half, november, -4000), half);
    expect(shown(account, half).limit).toBe(8000);
    account.run(period(november, december, { rolloverCap: 1000 }), november);
    expect(shown(account, november).limit).toBe(5000);
  });

  test('keeps its limit when money goes back: the plan gave it all the same', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november));
    account.run({
      type: 'SettlePayment',
      paymentReference: `in_${october}`,
      version: 1,
      paid: 4900,
      claims: [{ cause: { kind: 'refund', id: 're_1' }, state: 'taken', amount: 2450, since: october }],
    });
    expect([account.available, shown(account, october).limit]).toEqual([2500, 5000]);
  });

  test('is that of the trial, then of the paid month', () => {
    const account = new LedgerAccount(october);
    const trialEnd = days(october, 7);
    account.run(trial(200, october, trialEnd));
    account.run(consume(150), days(october, 1));
    expect(figures(account, days(october, 1))).toBe(`150 of 200 since ${october}`);
    account.run(trialMoved(october, days(october, 9)), days(october, 2));
    expect(figures(account, days(october, 8))).toBe(`150 of 200 since ${october}`);
    account.run(trialMoved(october, trialEnd), trialEnd);
    account.run(period(trialEnd, november), trialEnd);
    expect(figures(account, trialEnd)).toBe(`0 of 5000 since ${trialEnd}`);
  });

  test('is that of the subscription that gives the most, where there are several', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november));
    account.run(period(days(october, 5), days(november, 5), { subscriptionId: 'sub_2', creditsPerMonth: 500 }));
    expect(figures(account, days(october, 6))).toBe(`0 of 5000 since ${october}`);
  });

  test('is that of the period that a new interval begins', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november));
    account.run(consume(100), days(october, 1));
    const yearly = days(october, 10);
    account.run(period(yearly, '2027-10-24T10:00:00.000Z', { interval: 'year', creditsPerMonth: 5000 }), yearly);
    expect(figures(account, yearly)).toBe(`0 of 5000 since ${yearly}`);
  });

  test('is not limited by what a new period’s grant leaves to credits that were kept', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november));
    const yearly = plusMs(october, (msOf(november) - msOf(october)) / 2);
    const left = change('in_2', yearly, november, -5000);
    if (left.type === 'ChangePeriod')
      account.run({ ...left, periods: left.periods.map((each) => ({ ...each, takesBack: false })) }, yearly);
    account.run(period(yearly, plusMs(yearly, 365 * 86_400_000), { interval: 'year', creditsPerMonth: 5000 }), yearly);
    expect(account.state.balance.available).toBe(5000 + 2500);
    account.run(consume(5000), yearly);
    expect(figures(account, yearly)).toBe(`5000 of 5000 since ${yearly}`);
  });
});

describe('without a paid period', () => {
  test('the month just past is shown until the next is paid, a month at most', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november));
    account.run(grant(5000));
    account.run(consume(4000), days(october, 3));
    account.run(consume(100), days(november, 2));
    expect(figures(account, days(november, 3))).toBe(`4000 of 5000 since ${october}`);
    expect(figures(account, days(november, 31))).toBe('0 of null since 2026-12-01T00:00:00.000Z');
  });

  test('the rest of an ended subscription’s month counts, then the calendar month', () => {
    const account = new LedgerAccount(october);
    account.run(period(october, november));
    account.run(grant(100));
    account.run(ended(days(october, 5)), days(october, 5));
    account.run(consume(50), '2026-11-03T00:00:00.000Z');
    expect(figures(account, '2026-11-03T00:00:00.000Z')).toBe(`50 of 5000 since ${october}`);
    account.run(consume(7), november);
    expect(figures(account, november)).toBe('57 of null since 2026-11-01T00:00:00.000Z');
  });

  test('the free plan’s month counts, before the rest of a subscription that has ended, after one that has not', () => {
    const account = new LedgerAccount(october);
    const [start, end] = ['2026-10-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z'];
    account.run(free(start, end, 100));
    account.run(consume(60));
    expect(figures(account, october)).toBe(`60 of 100 since ${start}`);
    account.run(period(october, november));
    expect(figures(account, october)).toBe(`60 of 5000 since ${october}`);
    account.run(ended(days(october, 5)), days(october, 5));
    expect(figures(account, days(october, 5))).toBe(`60 of 100 since ${start}`);
  });

  test('a free month that a subscription withdrew before it began does not count', () => {
    const account = new LedgerAccount(october);
    const [start, end] = ['2026-11-01T00:00:00.000Z', '2026-12-01T00:00:00.000Z'];
    account.run(free(start, end, 100));
    account.run(free(start, end, null));
    expect(figures(account, start)).toBe(`0 of null since ${start}`);
    account.run(free(start, end, 100));
    expect(figures(account, start)).toBe(`0 of 100 since ${start}`);
  });

  test('an account without a plan counts by the calendar month, UTC', () => {
    const account = new LedgerAccount('2026-10-31T23:59:59.999Z');
    account.run(grant(100));
    account.run(consume(10));
    account.run(consume(3), '2026-11-01T00:00:00.000Z');
    expect(figures(account, '2026-11-30T00:00:00.000Z')).toBe('3 of null since 2026-11-01T00:00:00.000Z');
  });
});

test('the order and the time at which facts are reported make no difference to the end', () => {
  const facts: readonly AccountCommand[] = [
    period(october, november),
    period(november, december),
    change('more', days(november, 5), december, 7000),
    period(november, december, { subscriptionId: 'sub_2', creditsPerMonth: 100 }),
    ended(days(november, 6), 'sub_2'),
  ];
  const ends = new Set<string>();
  for (const order of permutations(facts)) {
    const account = new LedgerAccount(days(october, -1));
    account.run(grant(10_000));
    account.run(consume(1), october);
    account.run(consume(20), days(november, 7));
    for (const [index, fact] of order.entries()) {
      account.run(fact, minutes(days(november, 7), index));
      account.run(consume(300), minutes(days(november, 7), index));
    }
    ends.add(JSON.stringify(shown(account, days(november, 8))));
  }
  expect([...ends].map((text) => JSON.parse(text) as PeriodUsage)).toMatchObject([
    { periodStart: november, consumed: 1520 },
  ]);
});
