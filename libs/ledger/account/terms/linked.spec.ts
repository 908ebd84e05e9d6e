import { describe, expect, test } from '@jest/globals';
import type { Instant } from '#kernel/instant.js';
import { consume } from '../../../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import { permutations } from '../../../../test/support/permutations.js';
import { days, ended, free, minutes, period } from '../../../../test/support/ledger/term-commands.js';
import type { AccountCommand } from '../commands.js';

const start = '2026-10-01T00:00:00.000Z';
const end = '2026-11-01T00:00:00.000Z';

type Given = { readonly credits?: number; readonly until?: Instant };

/** A month of a subscription with `credits` from `since` on. */
const paid = (subscriptionId: string, since: Instant, { credits = 500, until = days(since, 31) }: Given = {}) =>
  period(since, until, { subscriptionId, itemId: `si_${subscriptionId}`, creditsPerMonth: credits });

/** The money for the rest of a month of `credits` goes back as the subscription ends. */
const cancelled = (subscriptionId: string, at: Instant, until: Instant, credits = 500): readonly AccountCommand[] => [
  {
    type: 'ChangePeriod',
    subscriptionId,
    changeId: `in_${subscriptionId}`,
    periods: [
      {
        ...{ end: until, interval: 'month', parts: [{ since: at, credits: -credits }], cost: null, lines: [] },
        ...{ grants: true, takesBack: false },
      },
    ],
    paymentReference: null,
    metadata: {},
  },
  ended(at, subscriptionId),
];

/** The same change of a yearly plan. */
const ofYears = (command: AccountCommand): AccountCommand =>
  command.type === 'ChangePeriod'
    ? { ...command, periods: command.periods.map((each) => ({ ...each, interval: 'year' })) }
    : command;

const availableAfter = (commands: readonly AccountCommand[], at: Instant, used = 0): number => {
  const account = new LedgerAccount(start);
  account.run(paid('sub_1', start));
  if (used > 0) account.run(consume(used), minutes(start, 1));
  for (const command of commands) account.run(command, at);
  return account.available;
};

describe('what is kept of a subscription that has ended', () => {
  test('counts against what others give: five times within minutes there is one month', () => {
    const commands = [1, 2, 3, 4].flatMap((round) => [
      ...cancelled(`sub_${String(round)}`, minutes(start, 2 * round), days(minutes(start, 2 * round - 2), 31)),
      paid(`sub_${String(round + 1)}`, minutes(start, 2 * round)),
    ]);
    expect(availableAfter(commands, minutes(start, 10))).toBe(500);
    expect(availableAfter(commands, minutes(start, 10), 300)).toBe(200);
  });

  test('is what was paid back: of half a month half is met', () => {
    const half = days(start, 15.5);
    const again = [...cancelled('sub_1', half, end), paid('sub_2', half)];
    for (const order of permutations(again)) {
      expect(availableAfter(order, half)).toBe(750);
      // 500 used: nothing is left to be kept, but the money of half of it went back.
      expect(availableAfter(order, half, 500)).toBe(250);
    }
  });

  test('counts for the time before it would have expired, and not against what was given before', () => {
    const at = days(start, 10);
    expect(availableAfter([...cancelled('sub_1', at, end), paid('sub_2', days(start, 31))], days(start, 31))).toBe(500);
    const beside = [paid('sub_2', days(start, 5)), ...cancelled('sub_1', at, end)];
    for (const order of permutations(beside)) expect(availableAfter(order, at)).toBe(1000);
    // The other one's next month is given later. Its first one is reported late, and lasts until the month ends that it is given in.
    const next = [
      paid('sub_2', days(start, 5), { until: days(start, 20) }),
      ...cancelled('sub_1', at, end),
      paid('sub_2', days(start, 20)),
    ];
    for (const order of permutations(next)) expect(availableAfter(order, days(start, 20))).toBe(3 * 500 - 339);
  });

  test('does not count while the subscription goes on, nor against a free month', () => {
    const at = days(start, 10);
    const [less, over] = cancelled('sub_1', at, end);
    expect(availableAfter([less!, paid('sub_2', at)], at)).toBe(1000);
    expect(availableAfter([less!, over!, free(start, end, 100)], at)).toBe(600);
  });

  test('stays known while what it counts against can change, and no longer', () => {
    const account = new LedgerAccount(start);
    account.run(paid('sub_1', start));
    const at = days(start, 10);
    for (const command of cancelled('sub_1', at, end)) account.run(command, at);
    account.run({ ...paid('sub_2', at, { until: days(start, 375) }), interval: 'year' }, at);
    const gone = (): number => [...account.state.grants.values()].reduce((sum, { revoked }) => sum + revoked, 0);
    const met = gone();
    expect(met).toBeGreaterThan(300);
    for (const day of [440, 760, 860]) {
      account.run(paid('sub_3', days(start, day)), days(start, day));
      account.run(ended(days(start, day), 'sub_2'), days(start, day));
      expect(gone()).toBe(met);
    }
    expect(account.state.terms.get('sub_1')).toBeUndefined();
  });

  // 748 of the month under way are kept, and of each to come what is left of 800 after the 500 that are taken back. Another one's first
  // month overlaps two of these, its second the next.
  test.each([
    { reported: true, met: [1048, 300] },
    { reported: false, met: [1548, 800] },
  ])('stays met when what met it first ended long ago, its payment reported: $reported', ({ reported, met }) => {
    const account = new LedgerAccount(start);
    const [at, until] = [days(start, 2), days(start, 365)];
    if (reported) account.run({ ...paid('sub_1', start, { until }), interval: 'year' });
    for (const command of cancelled('sub_1', at, until, 800)) account.run(ofYears(command), at);
    for (const day of [15, 46]) account.run(paid('sub_2', days(start, day), { credits: 2000 }), days(start, day));
    account.run(ended(days(start, 77), 'sub_2'), days(start, 77));
    for (const day of [78, 420, 450, 470]) {
      account.run(paid('sub_3', days(start, day)), days(start, day));
      const given = [...account.state.grants.values()].filter(({ term }) => term?.subscriptionId === 'sub_2');
      expect(given.map(({ revoked }) => revoked)).toEqual(met);
    }
  });
});
