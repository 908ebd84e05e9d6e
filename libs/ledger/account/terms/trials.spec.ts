import { describe, expect, test } from '@jest/globals';
import type { Instant } from '#kernel/instant.js';
import { consume, hold } from '../../../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import { permutations } from '../../../../test/support/permutations.js';
import { days, ended, period, trial, trialMoved } from '../../../../test/support/ledger/term-commands.js';
import { accountAt } from '../at.js';

const start = '2026-10-01T00:00:00.000Z';
const day = (count: number): Instant => days(start, count);

/** An account with 50 credits to try for 14 days, 20 of them used. */
function trying(): LedgerAccount {
  const account = new LedgerAccount(start);
  account.run(trial(50, start, day(14)));
  account.run(consume(20), day(1));
  return account;
}
const availableAt = (account: LedgerAccount, at: Instant): number => accountAt(account.state, at).balance.available;

describe('the credits of a trial', () => {
  test('last until the trial ends, however often its end is moved', () => {
    const account = trying();
    account.run(trialMoved(start, day(21)), day(10));
    expect([day(13), day(20), day(21)].map((at) => availableAt(account, at))).toEqual([30, 30, 0]);
    account.run(trialMoved(start, day(28)), day(11));
    account.run(trialMoved(start, day(21)), day(12));
    account.run(consume(5), day(15));
    expect([day(20), day(21)].map((at) => availableAt(account, at))).toEqual([25, 0]);
  });

  test('come back until the later end, where that is reported after they expired, and not after it', () => {
    const account = trying();
    expect(availableAt(account, day(15))).toBe(0);
    account.run(trialMoved(start, day(21)), day(18));
    expect([day(18), day(21)].map((at) => availableAt(account, at))).toEqual([30, 0]);
    const late = trying();
    late.run(trialMoved(start, day(21)), day(22));
    expect(late.available).toBe(0);
  });

  test('end sooner with the trial; what was used until that was reported stays used', () => {
    const account = trying();
    account.run(trialMoved(start, day(7)), day(3));
    expect([day(6), day(7), day(10)].map((at) => availableAt(account, at))).toEqual([30, 0, 0]);
    const late = trying();
    late.run(trialMoved(start, day(5)), day(6));
    expect(late.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
    late.run(trialMoved(start, day(21)), day(7));
    expect(late.available).toBe(30);
  });

  test('end with the subscription, whichever is reported first', () => {
    const account = trying();
    account.run(ended(day(5)), day(5));
    account.run(trialMoved(start, day(21)), day(6));
    expect(account.available).toBe(0);
    const other = new LedgerAccount(day(6));
    other.run(ended(day(5)));
    other.run(trial(50, start, day(14)));
    expect(other.available).toBe(0);
  });

  test('end when it is paid for sooner', () => {
    const account = trying();
    account.run(trialMoved(start, day(5)), day(5));
    account.run(period(day(5), day(35)), day(5));
    expect(account.available).toBe(5000);
  });

  test('are given once, and not by a later trial of the same subscription', () => {
    const account = trying();
    account.run(trial(50, start, day(14)), day(2));
    account.run(trialMoved(day(40), day(60)), day(40));
    account.run(trial(50, day(40), day(60)), day(40));
    expect(account.available).toBe(0);
  });

  test('are forgotten long after the trial, and a late report of it changes nothing', () => {
    const account = trying();
    account.run(period(day(420), day(450), { subscriptionId: 'sub_2' }), day(420));
    expect(account.state.terms.get('sub_1')).toBeUndefined();
    account.run(trial(50, start, day(14)), day(421));
    expect(account.state.terms.get('sub_1')).toBeUndefined();
  });

  test('that are held stay held, and go on as credits of the trial when they are released', () => {
    const account = trying();
    account.run(hold(10, 17 * 86_400), day(2));
    account.run(trialMoved(start, day(21)), day(3));
    expect(account.state.balance).toMatchObject({ available: 20, held: 10 });
    expect(availableAt(account, day(20))).toBe(30);
    account.run(trialMoved(start, day(10)), day(4));
    expect(accountAt(account.state, day(20)).balance).toEqual({ available: 0, held: 0, debt: 0 });
  });

  test('are what the newest report says, whatever order they come in, and read the same later', () => {
    const reports = [
      trial(50, start, day(14)),
      trialMoved(start, day(7), 1),
      trialMoved(start, day(30), 2),
      trialMoved(start, day(21), 3),
    ];
    for (const order of permutations(reports.slice(1))) {
      const account = new LedgerAccount(start);
      account.run(reports[0]!);
      account.run(consume(20), day(1));
      for (const report of order) account.run(report, day(2));
      expect([day(3), day(20), day(21), day(29)].map((at) => availableAt(account, at))).toEqual([30, 30, 0, 0]);
    }
  });
});
