import { describe, expect, test } from '@jest/globals';
import { plusMs, type Instant } from '#kernel/instant.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import { period } from '../../../../test/support/ledger/term-commands.js';
import type { AccountCommand } from '../commands.js';

const start: Instant = '2026-01-01T00:00:00.000Z';
const end: Instant = '2027-01-01T00:00:00.000Z';
const HOUR_MS = 3_600_000;

/** A change of seats of a yearly plan: more and less by turns, with clawback, so that many changes take of the same grants. */
const seats = (index: number, since: Instant): AccountCommand => ({
  type: 'ChangePeriod',
  subscriptionId: 'sub_1',
  changeId: `in_change_${String(index)}`,
  periods: [
    {
      ...{ end, interval: 'year', cost: null, lines: [], grants: true, takesBack: true },
      parts: [{ since, credits: index % 2 === 0 ? 100 : -90 }],
    },
  ],
  paymentReference: `in_change_${String(index)}`,
  metadata: {},
});

/** A yearly plan whose seats are changed `count` times in the first months, `hours` apart. */
function changed(count: number, hours: number): { readonly account: LedgerAccount; readonly at: Instant } {
  const account = new LedgerAccount(start);
  account.run(period(start, end, { interval: 'year', paymentReference: 'in_year' }));
  let at = start;
  for (let index = 0; index < count; index += 1) {
    at = plusMs(at, hours * HOUR_MS);
    account.run(seats(index, at), at);
  }
  return { account, at };
}

const refund = (paymentReference: string, amount: number, since: Instant): AccountCommand => ({
  type: 'SettlePayment',
  ...{ paymentReference, version: 1, paid: 49_000 },
  claims: [{ cause: { kind: 'refund', id: 're_1' }, state: 'taken', amount, since }],
});

test('one smaller plan more records what it takes, and not again what those before took', () => {
  const account = new LedgerAccount(start);
  account.run(period(start, end, { interval: 'year', paymentReference: 'in_year' }));
  let before = 0;
  for (let index = 1; index < 40; index += 2) {
    const at = plusMs(start, index * HOUR_MS);
    before = account.log.length;
    account.run(seats(index, at), at);
  }
  expect(account.log.slice(before).map(({ type }) => type)).toEqual(['PeriodChanged', 'CreditsRevoked']);
});

describe('a small refund of a plan that was changed often', () => {
  test('records what it takes, and not again what stays as it was', () => {
    const { account, at } = changed(40, 36);
    const before = account.log.length;
    account.run(refund('in_year', 1000, at), at);
    const recorded = account.log.slice(before);
    // The claim, what it takes of the last month, and what the changes took of that month: given back and taken again.
    expect(recorded.length).toBeLessThan(15);
  });
});

test('a closed account is granted nothing by a change of plan', () => {
  const account = new LedgerAccount(start);
  account.run(period(start, end, { interval: 'year' }));
  account.run({ type: 'CloseAccount', reason: 'gone' });
  expect(account.run(seats(0, start))).toBe('account_closed');
});
