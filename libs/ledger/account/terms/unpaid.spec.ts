import { describe, expect, test } from '@jest/globals';
import type { AccountCommand } from '../commands.js';
import type { AgreedPlan } from '../events.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import { permutations } from '../../../../test/support/permutations.js';
import {
  changeOfPlan,
  changeOfSeats,
  day,
  expectEnds,
  november,
  periodOf,
  plan,
  type Bought,
} from '../../../../test/support/ledger/plan-commands.js';

const [addOn, starter, pro, plus, mega] = [
  plan('add-on', 500),
  plan('starter', 1000),
  plan('pro', 5000),
  plan('plus', 12_000),
  plan('mega', 20_000),
];
const year: Bought = { from: day(1, 4), to: day(1, 4, 2027), interval: 'year' };

/** By the change on the `date` of November, when half of the month or less is left. */
const to = (id: string, from: AgreedPlan, next: AgreedPlan | null, date: number): AccountCommand =>
  changeOfPlan(id, [from, next], day(date, 11), november);
const halfOf = (credits: number): number => credits / 2;
const at = day(17, 11);

/** Ends alike in every order, each fact also reported twice. */
const expectEnd = (facts: readonly AccountCommand[], available: number): void => {
  expectEnds(facts, day(16, 11), { [at]: available });
  const twice = (order: readonly AccountCommand[]) => [...order, ...order.filter(({ type }) => type !== 'GrantPeriod')];
  for (const order of permutations(facts)) {
    const account = new LedgerAccount(day(16, 11));
    for (const fact of twice(order)) account.run(fact);
    expect(account.available).toBe(available);
  }
};

describe('what was charged and never paid is not taken when it is given back', () => {
  const month = periodOf(pro, november);
  const upgrade = to('in_2', pro, plus, 16);
  const back = to('in_3', plus, pro, 16);

  test('a change to more and back leaves what was paid for; paid after all, both count', () => {
    const laterBack = to('in_3', plus, pro, 21);
    expectEnd([month, back], 5000);
    expectEnd([month, laterBack], 5000);
    expectEnd([month, upgrade, laterBack], 5000 + halfOf(7000) - Math.round((7000 * 10) / 30));
    expectEnd([month, upgrade, back], 5000);
  });

  test('a change to a smaller plan takes what is less than what was paid for', () => {
    expectEnd([month, to('in_3', plus, starter, 16)], 5000 - halfOf(4000));
    expectEnd([month, upgrade, to('in_3', plus, starter, 16)], 5000 - halfOf(4000));
    expectEnd([month, to('in_3', plus, null, 16)], 5000 - halfOf(5000));
  });

  test('a paid change to more gives what was paid for, and back again takes no more', () => {
    expectEnd([month, to('in_3', plus, mega, 16)], 5000 + halfOf(8000));
    expectEnd([month, to('in_3', plus, mega, 16), to('in_4', mega, pro, 16)], 5000);
    expectEnd(
      [month, to('in_3', plus, mega, 11), to('in_4', mega, pro, 16)],
      5000 + Math.round((8000 * 20) / 30) - 4000,
    );
  });

  test('of seats', () => {
    const seats = (from: number, next: number, date = 16, id = `in_${String(date)}`): AccountCommand =>
      changeOfSeats(
        id,
        [
          { ...pro, quantity: -from },
          { ...pro, quantity: next },
        ],
        day(date, 11),
        november,
      );
    expectEnd([month, seats(5, 1)], 5000);
    expectEnd([month, seats(5, 2)], 5000);
    expectEnd([month, seats(5, 2, 11), seats(2, 1)], 5000);
    expectEnd([periodOf(pro, november, { quantity: 3 }), seats(5, 2)], 15_000 - halfOf(5000));
    expectEnd(
      [periodOf(pro, november, { quantity: 3 }), seats(3, 5, 11), seats(5, 3)],
      15_000 + Math.round((10_000 * 20) / 30) - 5000,
    );
  });

  test('though the same plan was paid for before in the period', () => {
    const facts = [to('in_2', pro, plus, 6), to('in_3', plus, pro, 11), to('in_4', plus, pro, 16)];
    expectEnd([month, ...facts], 5000 + Math.round((7000 * 25) / 30) - Math.round((7000 * 20) / 30));
  });

  test('of one item of several; what another item gives is not touched', () => {
    const both = [month, periodOf(addOn, november, { itemId: 'si_2' })];
    expectEnd([...both, back], 5500);
    expectEnd([...both, to('in_3', plus, starter, 16)], 5500 - halfOf(4000));
    expectEnd([...both, to('in_3', plus, addOn, 16)], 5500);
    expectEnd(
      [...both, to('in_3', plus, starter, 11), to('in_4', addOn, null, 16)],
      5500 - Math.round((4000 * 20) / 30) - halfOf(500),
    );
  });

  test('of a year, in each month', () => {
    const facts = [periodOf(pro, year), changeOfPlan('in_3', [plus, pro], day(16, 4), year)];
    expectEnds(facts, day(16, 4), { [day(17, 4)]: 5000, [day(2, 5)]: 5000, [day(2, 12)]: 5000 });
  });

  test('of what a subscription began with in the middle of a month', () => {
    const begin = changeOfSeats('in_1', [{ ...pro, quantity: 1 }], day(11, 11), november);
    expectEnd([begin, back], Math.round((5000 * 20) / 30));
  });

  test('in the second in which the period began', () => {
    expectEnd([month, changeOfPlan('in_3', [plus, pro], day(1, 11), november)], 5000);
  });
});

describe('what is given back counts as paid', () => {
  test('where changes of one second may have bought it, whatever their order', () => {
    const facts = [
      periodOf(pro, november),
      to('in_b', pro, plus, 16),
      to('in_a', plus, starter, 16),
      to('in_c', starter, pro, 16),
    ];
    expectEnd(facts, 5000);
  });

  test('where only what gives more was bought, as nobody knows what it came in place of', () => {
    expectEnd([periodOf(plus, november), to('in_3', pro, starter, 16)], 12_000 - halfOf(4000));
  });
});

test('the money of a change is divided once, though its period shows later that it gives more in further months', () => {
  const parts = [
    {
      since: day(1, 5),
      credits: 7000,
      plans: [
        { ...pro, quantity: -1 },
        { ...plus, quantity: 1 },
      ],
    },
    {
      since: day(1, 6),
      credits: -10_000,
      plans: [
        { ...plus, quantity: -1 },
        { ...starter, quantity: 2 },
      ],
    },
  ];
  const cost = { amount: 9000, currency: 'usd' };
  const change: AccountCommand = {
    ...{ type: 'ChangePeriod', subscriptionId: 'sub_1', changeId: 'in_2', paymentReference: 'in_2', metadata: {} },
    periods: [{ end: year.to, interval: 'year', parts, cost, lines: [], grants: true, takesBack: true }],
  };
  for (const order of permutations([change, periodOf(starter, year)])) {
    const account = new LedgerAccount(day(1, 5));
    for (const fact of order) account.run(fact);
    const bought = [...account.state.grants.values()].filter(({ paymentReference }) => paymentReference === 'in_2');
    expect(bought.map(({ amount }) => amount)).toEqual([7000, ...Array<number>(10).fill(1000)]);
    expect(bought.reduce((sum, { costBasis }) => sum + (costBasis?.amount ?? 0), 0)).toBe(9000);
  }
});
