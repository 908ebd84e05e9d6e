import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { instantOf, msOf, type Instant } from '#kernel/instant.js';
import { consume, grant, hold } from '../../../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import { permutations } from '../../../../test/support/permutations.js';
import type { AccountCommand } from '../commands.js';
import type { ChangedPeriod } from '../events.js';
import { anniversary } from '../../subscription/paid-month.js';

const subscriptionId = 'sub_1';
const usd = (amount: number) => ({ amount, currency: 'usd' });
const october = '2026-10-01T00:00:00.000Z';
const november = '2026-11-01T00:00:00.000Z';
const december = '2026-12-01T00:00:00.000Z';
const day = (date: number, month = 10): Instant => instantOf(Date.UTC(2026, month - 1, date));

type Period = Extract<AccountCommand, { type: 'GrantPeriod' }>;
const period = (creditsPerMonth: number, more: Partial<Period> = {}): Period => ({
  type: 'GrantPeriod',
  subscriptionId,
  itemId: 'si_1',
  periodStart: october,
  periodEnd: november,
  interval: 'month',
  creditsPerMonth,
  prorated: false,
  cost: usd(4900),
  rolloverCap: 0,
  paymentReference: 'in_1',
  lines: [],
  metadata: {},
  ...more,
});
const year = (creditsPerMonth: number, more: Partial<Period> = {}): Period =>
  period(creditsPerMonth, { periodEnd: '2027-10-01T00:00:00.000Z', interval: 'year', cost: usd(49_000), ...more });

const change = (
  changeId: string,
  since: Instant,
  credits: number,
  more: Partial<ChangedPeriod> = {},
): Extract<AccountCommand, { type: 'ChangePeriod' }> => ({
  type: 'ChangePeriod',
  subscriptionId,
  changeId,
  periods: [
    {
      ...{ end: november, interval: 'month', parts: [{ since, credits }], cost: credits > 0 ? usd(5000) : null },
      ...{ grants: true, takesBack: false, lines: [], ...more },
    },
  ],
  paymentReference: changeId,
  metadata: {},
});
const inYear = (changeId: string, since: Instant, credits: number, more: Partial<ChangedPeriod> = {}) =>
  change(changeId, since, credits, { end: '2027-10-01T00:00:00.000Z', interval: 'year', ...more });
const end = (endedAt: Instant): AccountCommand => ({ type: 'EndSubscription', subscriptionId, endedAt });

describe('months ahead', () => {
  test('all months of a paid year are there at once, each from its own start, with its share of the cost', () => {
    const start = '2026-01-31T10:00:00.000Z';
    const account = new LedgerAccount(start);
    account.run(year(5000, { periodStart: start, periodEnd: '2027-01-31T10:00:00.000Z' }));
    expect([account.available, account.scheduled]).toEqual([5000, 55_000]);
    const grants = [...account.state.grants.values()];
    expect(grants.slice(0, 3).map(({ effectiveAt }) => effectiveAt)).toEqual([
      start,
      '2026-02-28T10:00:00.000Z',
      '2026-03-31T10:00:00.000Z',
    ]);
    expect(grants.reduce((sum, { costBasis }) => sum + (costBasis?.amount ?? 0), 0)).toBe(49_000);
  });

  test('the next month can be spent at the very instant at which the one before ends, with nothing recorded between', () => {
    const account = new LedgerAccount(october);
    account.run(year(5000));
    account.run(consume(5000));
    expect(account.run(consume(1), '2026-10-31T23:59:59.999Z')).toBe('insufficient_credits');
    expect(account.run(consume(5000), november)).toBe('CreditsActivated CreditsConsumed');
  });

  test('a month that is over when it is reported is given whole until the end of the month that it is given in', () => {
    const account = new LedgerAccount('2026-12-10T00:00:00.000Z');
    account.run(year(5000));
    expect(account.available).toBe(15_000);
    account.run({ type: 'RecordDue' }, '2027-01-01T00:00:00.000Z');
    expect(account.available).toBe(5000);
  });

  test('a first month that is the rest of one gives its share; so does the first of a year', () => {
    const rest = { periodStart: day(21), prorated: true };
    const account = new LedgerAccount(day(21));
    account.run(period(3100, rest));
    expect(account.available).toBe(1100);
    const yearly = new LedgerAccount(day(21));
    yearly.run(year(3100, { ...rest, periodEnd: '2027-01-01T00:00:00.000Z' }));
    expect([yearly.available, yearly.scheduled]).toEqual([1100, 6200]);
    // A price of a week, paid whole, gives what its plan gives.
    const week = new LedgerAccount(day(21));
    week.run(period(3100, { ...rest, prorated: false }));
    expect(week.available).toBe(3100);
  });

  test('what is unspent goes on month by month up to the cap, also to one that is granted ahead', () => {
    const account = new LedgerAccount(october);
    account.run(year(500, { rolloverCap: 120 }));
    account.run(consume(50));
    account.run({ type: 'RecordDue' }, november);
    expect(account.available).toBe(620);
    account.run(consume(600), november);
    account.run({ type: 'RecordDue' }, december);
    expect(account.available).toBe(520);
  });

  test('nothing goes on into a month of which nothing is left', () => {
    const account = new LedgerAccount(october);
    account.run(year(500, { rolloverCap: 120 }));
    account.run(end(day(20)), day(20));
    account.run({ type: 'RecordDue' }, november);
    expect(account.available).toBe(0);
  });
});

test('what is unspent goes on into a month of which only a change is left', () => {
  const account = new LedgerAccount(october);
  account.run(year(500, { rolloverCap: 100 }));
  account.run(inYear('in_2', day(5), 1000), day(5));
  account.run(inYear('in_3', day(5), -500, { takesBack: true }), day(5));
  account.run(inYear('in_4', day(6), -500, { takesBack: true }), day(6));
  account.run({ type: 'RecordDue' }, november);
  expect(account.available).toBe(600);
});

describe('what makes a grant one of a subscription', () => {
  test('is its term: a caller’s grant with the same source and end is neither taken nor does it go on', () => {
    const account = new LedgerAccount(october);
    account.run(grant(100, { source: 'subscription', expiresAt: november }));
    account.run(change('in_2', day(2), -60, { takesBack: true }));
    expect(account.available).toBe(100);
    account.run(period(500, { periodStart: november, periodEnd: december, rolloverCap: 200 }), november);
    expect(account.available).toBe(500);
  });

  test('two subscriptions of one end do not touch each other', () => {
    const account = new LedgerAccount(october);
    account.run(period(500, { rolloverCap: 50 }));
    account.run(period(300, { subscriptionId: 'sub_2', itemId: 'si_2', paymentReference: 'in_3' }));
    account.run(change('in_2', october, -600, { takesBack: true }));
    expect(account.available).toBe(300);
    account.run(
      period(300, {
        subscriptionId: 'sub_2',
        itemId: 'si_2',
        periodStart: november,
        periodEnd: december,
        rolloverCap: 500,
      }),
      november,
    );
    expect(account.available).toBe(600);
  });
});

describe('the end of a subscription', () => {
  test('revokes what has not begun, whether it is reported before or after the payment; the month under way stays', () => {
    for (const commands of permutations([year(5000), end(day(20, 12))])) {
      const account = new LedgerAccount(day(20, 12));
      for (const command of commands) account.run(command);
      account.run({ type: 'RecordDue' }, '2027-03-05T00:00:00.000Z');
      expect([account.available, account.scheduled]).toEqual([0, 0]);
      expect(account.log.filter(({ type }) => type === 'CreditsExpired')).toHaveLength(3);
    }
  });

  test('of one second with the beginning leaves what was paid for; the earlier of two times counts', () => {
    const account = new LedgerAccount(october);
    account.run(year(5000));
    account.run(end(october));
    expect([account.available, account.scheduled]).toEqual([5000, 0]);
    expect(account.run(end(november))).toBe('');
  });

  test('never makes a debt of what was spent before it was reported', () => {
    const account = new LedgerAccount(october);
    account.run(year(5000));
    account.run(consume(4000), day(2, 12));
    account.run(end(day(15)));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
  });
});

describe('true lengths', () => {
  const january = '2026-01-31T00:00:00.000Z';
  const february = '2026-02-28T00:00:00.000Z';
  const pro = period(5000, { periodStart: january, periodEnd: february });
  const more = change('in_2', '2026-02-14T00:00:00.000Z', 7000, { end: february, cost: usd(2500) });

  test('half of a short month is half of its credits, whichever of payment and change is reported first', () => {
    for (const commands of permutations([pro, more])) {
      const account = new LedgerAccount('2026-02-14T00:00:00.000Z');
      for (const command of commands) account.run(command);
      expect(account.available).toBe(8500);
      const money = [...account.state.grants.values()].reduce((sum, { costLeft }) => sum + costLeft, 0);
      expect(money).toBe(7400);
    }
  });

  test('a period that was made longer than a month is measured as it is', () => {
    for (const commands of permutations([
      period(5000, { periodStart: october, periodEnd: day(30, 11) }),
      change('in_2', november, 6000, { end: day(30, 11) }),
    ])) {
      const account = new LedgerAccount(november);
      for (const command of commands) account.run(command);
      // 29 of 60 days.
      expect(account.available).toBe(7900);
    }
  });

  test('the rest of a first month before a fixed date is measured as a part of the whole month', () => {
    const account = new LedgerAccount(day(21));
    account.run(period(3100, { periodStart: day(21), prorated: true }));
    account.run(change('in_2', day(22), 3100), day(22));
    expect(account.available).toBe(1100 + 1000);
  });
});

const policies = [{ takesBack: false }, { takesBack: true }];

describe.each(policies)('a change of plan, policy %j,', (policy) => {
  test('to and fro within a minute gives no more than the largest plan', () => {
    const account = new LedgerAccount(october);
    account.run(period(5000));
    for (let index = 0; index < 6; index += 1) {
      const since = instantOf(msOf(october) + 10_000 * (index + 1));
      account.run(change(`in_${String(index + 2)}`, since, index % 2 === 0 ? 7000 : -7000, policy), since);
    }
    account.run(change('in_9', instantOf(msOf(october) + 90_000), 7000, policy));
    expect(account.available).toBe(12_000);
  });

  test('to and fro with all spent each time gives no more either, and makes no debt', () => {
    const account = new LedgerAccount(october);
    account.run(period(5000));
    let spent = 0;
    for (let index = 0; index < 8; index += 1) {
      const since = instantOf(msOf(october) + 1000 * (index + 1));
      account.run(change(`in_${String(index + 2)}`, since, index % 2 === 0 ? 7000 : -7000, policy), since);
      spent += account.available;
      account.run(consume(account.available));
    }
    expect(spent).toBeLessThanOrEqual(12_000);
    expect(account.state.balance.debt).toBe(0);
  });

  test('to a greater plan again later is met by what was kept', () => {
    const account = new LedgerAccount(october);
    account.run(period(3100, { creditsPerMonth: 3100 }));
    account.run(change('in_2', october, 6200, { ...policy, cost: usd(5000) }));
    account.run(change('in_3', day(11), -6200, policy), day(11));
    account.run(change('in_4', day(21), 6200, policy), day(21));
    expect(account.available).toBe(policy.takesBack ? 3100 + 2000 + 2200 : 9300);
  });

  test('from month to year and back, again and again, gives no more than one month', () => {
    const account = new LedgerAccount(october);
    account.run(period(5000));
    let [start, finish]: [Instant, Instant] = [october, november];
    for (let index = 1; index <= 6; index += 1) {
      const since = instantOf(msOf(october) + 1000 * index);
      const [interval, next] = index % 2 === 0 ? (['year', 'month'] as const) : (['month', 'year'] as const);
      account.run(change(`in_${String(index)}`, since, -5000, { ...policy, end: finish, interval }), since);
      [start, finish] = [since, anniversary(since, next === 'year' ? 12 : 1)];
      account.run(
        period(5000, {
          ...{ periodStart: start, periodEnd: finish, interval: next, paymentReference: `in_${String(index)}` },
        }),
      );
    }
    expect(account.available).toBeLessThanOrEqual(5001);
    expect(account.scheduled).toBe(0);
  });

  test('of the billing date, day after day, gives what the time costs', () => {
    const account = new LedgerAccount(october);
    account.run(period(3000, { periodEnd: day(31) }));
    for (let index = 1; index <= 20; index += 1) {
      const [since, old] = [day(1 + index), day(30 + index)];
      account.run(change(`in_${String(index)}`, since, -3000, { ...policy, end: old }), since);
      const next = { periodStart: since, periodEnd: day(31 + index), paymentReference: `in_${String(index)}` };
      account.run(period(3000, next));
    }
    // Fifty days of thirty, whose shares are rounded each.
    expect(account.available).toBeGreaterThan(4980);
    expect(account.available).toBeLessThan(5020);
  });

  test('of a yearly plan leaves the months to come as they are paid for, in whatever order all is reported', () => {
    const reported = [
      year(5000),
      inYear('in_2', day(11), 7000, { ...policy, cost: usd(48_000) }),
      inYear('in_3', day(5, 12), -7000, policy),
      inYear('in_4', day(20, 12), 7000, { ...policy, cost: usd(38_000) }),
      end('2027-03-10T00:00:00.000Z'),
    ];
    const booksOf = (order: readonly AccountCommand[]) => {
      const account = new LedgerAccount('2026-12-31T00:00:00.000Z');
      for (const command of order) account.run(command);
      return account.books;
    };
    const first = booksOf(reported);
    for (const order of permutations(reported.slice(1)))
      expect(booksOf([...order, ...reported.slice(0, 1)])).toEqual(first);
    const account = new LedgerAccount(october);
    const times = [october, day(11), day(5, 12), day(20, 12)];
    for (const [index, command] of reported.slice(0, 4).entries()) account.run(command, times[index]);
    account.run({ type: 'RecordDue' }, '2027-01-01T00:00:00.000Z');
    expect(account.available).toBe(12_000);
  });
});

test('an upgrade that its plan does not grant is not taken when it is undone', () => {
  const account = new LedgerAccount(october);
  account.run(period(5000));
  account.run(change('in_2', day(2), 7000, { grants: false }), day(2));
  expect(account.available).toBe(5000);
  account.run(change('in_3', day(3), -7000, { takesBack: true }), day(3));
  expect(account.available).toBe(5000);
});

test('less takes what was added last first, and leaves claims on a payment what is theirs', () => {
  const account = new LedgerAccount(october);
  account.run(period(5000));
  account.run(change('in_2', october, 7000));
  account.run(change('in_3', instantOf(msOf(october) + 1000), -7000, { takesBack: true }));
  expect([...account.state.grants.values()].map(({ revoked, costLeft }) => [revoked, costLeft])).toEqual([
    [0, 4900],
    [7000, 0],
  ]);
});

const since = fc.integer({ min: 1, max: 29 });
const facts = fc
  .record({
    changes: fc.array(fc.tuple(since, fc.integer({ min: -6000, max: 6000 }), fc.boolean(), fc.boolean()), {
      minLength: 1,
      maxLength: 5,
    }),
    yearly: fc.boolean(),
    refund: fc.option(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 1000 }))),
    ended: fc.option(since),
  })
  .map(({ changes, yearly, refund, ended }): AccountCommand[] => [
    yearly ? year(5000) : period(5000),
    ...changes.map(([date, credits, takesBack, grants], index) =>
      (yearly ? inYear : change)(`in_${String(index + 2)}`, day(date), credits, { takesBack, grants }),
    ),
    ...(refund === null
      ? []
      : [
          {
            ...{
              type: 'SettlePayment' as const,
              paymentReference: `in_${String(refund[0] + 1)}`,
              version: 1,
              paid: 1000,
            },
            claims: [{ cause: { kind: 'refund', id: 're_1' }, state: 'taken', amount: refund[1], since: day(30) }],
          } as const,
        ]),
    ...(ended === null ? [] : [end(day(ended))]),
  ]);

test('whatever was changed, refunded and ended, the books are the same in every order, with each fact twice', () => {
  const orders = facts.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
  );
  const booksOf = (order: readonly AccountCommand[]) => {
    const account = new LedgerAccount(day(30));
    for (const command of order) if (!isRepeated(account, command)) account.run(command);
    return account.books;
  };
  // What a command's key does in the log.
  const isRepeated = (account: LedgerAccount, command: AccountCommand): boolean =>
    command.type === 'GrantPeriod' && [...account.state.grants.values()].some(({ term }) => term?.kind === 'period');
  fc.assert(
    fc.property(orders, ([list, order]) => {
      expect(booksOf(order)).toEqual(booksOf(list));
    }),
    { numRuns: 60 },
  );
});

test('changes of one period never give more than its greatest plan, whatever is spent and held between', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 9000 }), fc.boolean()), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(steps, fc.boolean(), (list, takesBack) => {
      const plans = [1000, 5000, 12_000, 5000, 2500];
      const account = new LedgerAccount(october);
      account.run(period(5000));
      let [plan, greatest, spent] = [5000, 5000, 0];
      for (const [index, [next, use, holds]] of list.entries()) {
        const at = instantOf(msOf(october) + index + 1);
        const wanted = plans[next] ?? plan;
        if (wanted !== plan) account.run(change(`in_${String(index + 2)}`, at, wanted - plan, { takesBack }), at);
        plan = wanted;
        greatest = Math.max(greatest, plan);
        const amount = Math.min(use, account.available);
        if (amount > 0) account.run(holds ? hold(amount, 86_400) : consume(amount), at);
        if (!holds) spent += amount;
        expect(account.state.balance.debt).toBe(0);
        expect(spent + account.available + account.state.balance.held).toBeLessThanOrEqual(greatest);
      }
    }),
    { numRuns: 60 },
  );
});

test('less and ends leave the same whenever they are reported, also after the credits expired or a hold on them was released', () => {
  const less = fc.tuple(since, fc.integer({ min: 1, max: 6000 }), fc.boolean());
  const reports = fc.array(fc.tuple(less, fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: 120 })), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(reports, fc.boolean(), fc.integer({ min: 0, max: 5000 }), (list, yearly, used) => {
      const booksOf = (delay: (one: (typeof list)[number]) => number) => {
        const account = new LedgerAccount(october);
        account.run(yearly ? year(5000) : period(5000));
        if (used > 0) account.run(hold(used, 3600));
        const reported = list
          .map((one, index) => ({ one, index, date: 1 + one[0][0] + delay(one) }))
          .sort((a, b) => a.date - b.date);
        for (const { one, index, date } of reported) {
          const [[date0, credits, takesBack]] = one;
          const fact = index === 0 && yearly ? end(day(date0)) : null;
          const command = (yearly ? inYear : change)(`in_${String(index)}`, day(date0), -credits, { takesBack });
          account.run(fact ?? command, day(date));
        }
        account.run({ type: 'RecordDue' }, '2028-01-01T00:00:00.000Z');
        return account.books;
      };
      expect(booksOf(([, , late]) => late)).toEqual(booksOf(([, late]) => late));
    }),
    { numRuns: 60 },
  );
});

test('what ended long ago is forgotten, so that the account does not grow with it', () => {
  const account = new LedgerAccount(october);
  account.run(period(5000));
  account.run(change('in_2', day(2), 7000), day(2));
  account.run(end(day(3)), day(3));
  account.run(
    period(1, {
      subscriptionId: 'sub_2',
      periodStart: '2028-01-01T00:00:00.000Z',
      periodEnd: '2028-02-01T00:00:00.000Z',
    }),
    '2028-01-01T00:00:00.000Z',
  );
  expect([...account.state.terms.entries()].map(([id]) => id)).toEqual(['sub_2']);
});
