import { describe, expect, test } from '@jest/globals';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import { permutations } from '../../../../test/support/permutations.js';
import type { AccountCommand } from '../commands.js';

type Period = Extract<AccountCommand, { type: 'GrantPeriod' }>;

const period = (paymentReference: string, creditsPerMonth: number, start: string, end: string): Period => ({
  type: 'GrantPeriod',
  subscriptionId: 'sub_1',
  itemId: 'si_1',
  periodStart: `${start}T00:00:00.000Z`,
  periodEnd: `${end}T00:00:00.000Z`,
  interval: 'month',
  creditsPerMonth,
  prorated: false,
  cost: { amount: 4900, currency: 'usd' },
  rolloverCap: 0,
  paymentReference,
  lines: [],
  metadata: {},
});

const less = (interval: 'month' | 'year', end: string, since: string, credits: number): AccountCommand => ({
  type: 'ChangePeriod',
  subscriptionId: 'sub_1',
  changeId: 'in_less',
  periods: [
    {
      end: `${end}T00:00:00.000Z`,
      interval,
      parts: [{ since: `${since}T00:00:00.000Z`, credits: -credits }],
      ...{ cost: null, lines: [], grants: true, takesBack: false },
    },
  ],
  paymentReference: 'in_less',
  metadata: {},
});

const revokedOf = (account: LedgerAccount, reference: string): number =>
  [...account.state.grants.values()].find(({ paymentReference }) => paymentReference === reference)?.revoked ?? 0;

test('what a refund took is not kept, and counts against nothing that is given later', () => {
  const account = new LedgerAccount('2026-10-01T00:00:00.000Z');
  account.run(period('in_1', 1000, '2026-10-01', '2026-11-01'));
  account.run(less('month', '2026-11-01', '2026-10-05', 800), '2026-10-05T00:00:00.000Z');
  const since = '2026-10-06T00:00:00.000Z';
  const cause = { kind: 'refund', id: 're_1' } as const;
  const claims = [{ cause, state: 'taken', amount: 4900, since }] as const;
  account.run({ type: 'SettlePayment', paymentReference: 'in_1', version: 1, paid: 4900, claims }, since);
  account.run(period('in_2', 300, '2026-10-10', '2026-11-10'), '2026-10-10T00:00:00.000Z');
  expect(account.available).toBe(300);
});

test('what ended long ago stays known while it overlaps what counts still, so that nothing is taken twice', () => {
  const account = new LedgerAccount('2026-10-01T00:00:00.000Z');
  account.run({ ...period('in_year', 100, '2026-10-01', '2027-10-01'), interval: 'year' });
  // Of October's 100 credits 71 are kept; of them 50 and 21 are met by what is given then.
  account.run(less('year', '2027-10-01', '2026-10-10', 100), '2026-10-10T00:00:00.000Z');
  account.run(period('in_1', 50, '2026-10-10', '2026-10-20'), '2026-10-10T00:00:00.000Z');
  account.run(period('in_2', 300, '2026-10-15', '2026-11-15'), '2026-10-15T00:00:00.000Z');
  const before = [revokedOf(account, 'in_1'), revokedOf(account, 'in_2')];
  expect(before[0]).toBe(50);
  account.run(period('in_3', 10, '2027-12-01', '2028-01-01'), '2027-12-01T00:00:00.000Z');
  expect([revokedOf(account, 'in_1'), revokedOf(account, 'in_2')]).toEqual(before);
});

test('periods that overlap one another for years are forgotten all the same, and nothing is given back of them', () => {
  const day = (index: number): string => new Date(Date.UTC(2026, 0, 1 + index)).toISOString().slice(0, 10);
  const account = new LedgerAccount(`${day(0)}T00:00:00.000Z`);
  let most = 0;
  for (let index = 0; index < 80; index += 1) {
    const [start, end] = [day(index * 20), day(index * 20 + 31)];
    const at = `${start}T00:00:00.000Z`;
    account.run(period(`in_${String(index)}`, 100, start, end), at);
    const change = less('month', end, start, 60);
    account.run({ ...change, changeId: `in_less_${String(index)}` } as AccountCommand, at);
    most = Math.max(most, account.state.terms.get('sub_1')?.grants.length ?? 0);
  }
  expect(most).toBeLessThan(45);
  expect(account.log.filter(({ type }) => type === 'CreditsReinstated')).toEqual([]);
});

test('what a smaller plan took of a period that ended over 400 days ago stays as it is', () => {
  const account = new LedgerAccount('2026-10-01T00:00:00.000Z');
  account.run(period('in_1', 1000, '2026-10-01', '2026-11-01'));
  const [change] = (less('month', '2026-11-01', '2026-10-10', 564) as { periods: readonly object[] }).periods;
  const smaller = { ...less('month', '2026-11-01', '2026-10-10', 564), periods: [{ ...change, takesBack: true }] };
  account.run(smaller as AccountCommand, '2026-10-10T00:00:00.000Z');
  expect(revokedOf(account, 'in_1')).toBe(400);
  const since = '2027-12-10T00:00:00.000Z';
  const taken = { cause: { kind: 'refund', id: 're_1' }, state: 'taken', amount: 3430, since } as const;
  // 700 of the 600 that are left, and of the 400; then the refund fails.
  for (const [version, claims] of [[taken], []].entries())
    account.run({ type: 'SettlePayment', paymentReference: 'in_1', version: version + 1, paid: 4900, claims }, since);
  expect(revokedOf(account, 'in_1')).toBe(300);
});

test('kept credits count against the earlier month of every item first', () => {
  const account = new LedgerAccount('2026-10-01T00:00:00.000Z');
  account.run(period('in_1', 176, '2026-10-01', '2026-12-01'));
  account.run(less('month', '2026-12-01', '2026-10-10', 176), '2026-10-10T00:00:00.000Z');
  // 176 × 52/61 = 150 are kept; of October's 100 and 100 all that they meet, and nothing of November's.
  const year = { ...period('in_2', 100, '2026-10-10', '2027-10-10'), interval: 'year' } as const;
  for (const itemId of ['si_a', 'si_b']) account.run({ ...year, itemId }, '2026-10-10T00:00:00.000Z');
  expect(account.available).toBe(176 + 50);
});

test.each([700, 7000, 90, 9000])('less takes first what was granted last beside a change of %d to more', (credits) => {
  const change = (changeId: string, since: string, more: number, takesBack: boolean): AccountCommand => ({
    type: 'ChangePeriod',
    subscriptionId: 'sub_1',
    changeId,
    periods: [
      {
        end: '2026-02-28T00:00:00.000Z',
        interval: 'month',
        parts: [{ since: `${since}T00:00:00.000Z`, credits: more }],
        ...{ cost: null, lines: [], grants: true, takesBack },
      },
    ],
    paymentReference: changeId,
    metadata: {},
  });
  const account = new LedgerAccount('2026-02-21T00:00:00.000Z');
  account.run(change('in_more', '2026-02-14', credits, true));
  account.run(change('in_less', '2026-02-21', 10 - credits, true));
  // Of 31 days, as was guessed, 14 were left; of 28 days they are half.
  account.run(period('in_1', 5000, '2026-01-31', '2026-02-28'));
  const bought = [...account.state.grants.values()].filter(({ paymentReference }) => paymentReference === 'in_more');
  const [first, beside] = [Math.round((credits * 14) / 31), credits / 2 - Math.round((credits * 14) / 31)];
  expect(bought.map(({ amount }) => amount)).toEqual([first, beside]);
  const less = Math.round((credits - 10) / 4);
  expect(bought.map(({ revoked }) => revoked)).toEqual([Math.max(0, less - beside), Math.min(less, beside)]);
});

describe.each([
  // A month guessed too short gives too much at first, one guessed too long too little.
  { start: '2026-03-15', end: '2026-04-30', since: '2026-04-15', granted: 2283 },
  { start: '2026-01-31', end: '2026-02-28', since: '2026-02-14', granted: 3500 },
])(
  'a change within the period from $start to $end whose payment is reported late',
  ({ start, end, since, granted }) => {
    const paid = period('in_1', 5000, start, end);
    const change: AccountCommand = {
      type: 'ChangePeriod',
      subscriptionId: 'sub_1',
      changeId: 'in_more',
      periods: [
        {
          end: `${end}T00:00:00.000Z`,
          interval: 'month',
          parts: [{ since: `${since}T00:00:00.000Z`, credits: 7000 }],
          ...{ cost: { amount: 2000, currency: 'usd' }, lines: [], grants: true, takesBack: true },
        },
      ],
      paymentReference: 'in_more',
      metadata: {},
    };
    const refund = (amount: number): AccountCommand => ({
      type: 'SettlePayment',
      paymentReference: 'in_more',
      version: 1,
      paid: 2000,
      claims: [{ cause: { kind: 'refund', id: 're_1' }, state: 'taken', amount, since: `${since}T12:00:00.000Z` }],
    });

    test.each([1, 500, 1000, 1999, 2000])('gives back the share of what it truly gave: %d of 2000', (amount) => {
      for (const order of permutations([paid, change, refund(amount)])) {
        const account = new LedgerAccount(`${since}T13:00:00.000Z`);
        for (const command of order) account.run(command);
        expect(account.available).toBe(5000 + granted - Math.round((granted * amount) / 2000));
      }
    });
  },
);
