import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { instantOf, type Instant } from '#kernel/instant.js';
import { consume, hold } from '../../../../test/support/ledger/account-commands.js';
import { LedgerAccount } from '../../../../test/support/ledger/ledger-account.js';
import type { AccountCommand } from '../commands.js';
import type { Claim } from '../../payment/claims.js';

const subscriptionId = 'sub_1';
const month = (index: number): Instant => instantOf(Date.UTC(2026, 9 + index, 1));
const day = (date: number, inMonth = 0): Instant => instantOf(Date.UTC(2026, 9 + inMonth, date));

/** The credits of one month, paid by an invoice of its own with 49.00. */
const paid = (index: number, creditsPerMonth: number, rolloverCap: number): AccountCommand => ({
  type: 'GrantPeriod',
  subscriptionId,
  itemId: 'si_1',
  periodStart: month(index),
  periodEnd: month(index + 1),
  interval: 'month',
  creditsPerMonth,
  prorated: false,
  cost: { amount: 4900, currency: 'usd' },
  rolloverCap,
  paymentReference: `in_${String(index)}`,
  lines: [],
  metadata: {},
});
const claim = (amount: number, state: Claim['state'] = 'taken', since = day(20)): Claim => ({
  cause: { kind: 'refund', id: 're_1' },
  state,
  amount,
  since,
});
const settle = (version: number, ...claims: readonly Claim[]): AccountCommand => ({
  type: 'SettlePayment',
  paymentReference: 'in_0',
  version,
  paid: 4900,
  claims,
});
const time: AccountCommand = { type: 'RecordDue' };

/** `pro` for two months, 2,000 of the first used; what expired of it went on. */
function intoSecondMonth(cap = 5000): LedgerAccount {
  const account = new LedgerAccount(month(0));
  account.run(paid(0, 5000, cap));
  account.run(consume(2000), day(10));
  account.run(paid(1, 5000, cap), month(1));
  return account;
}

describe('what goes on of a month that money goes back for', () => {
  test('is what the refund leaves, whether it is reported before or after the credits expire', () => {
    const after = intoSecondMonth();
    expect(after.available).toBe(8000);
    after.run(settle(1, claim(2450)), day(2, 1));
    expect(after.state.balance).toEqual({ available: 5500, held: 0, debt: 0 });
    const before = new LedgerAccount(month(0));
    before.run(paid(0, 5000, 5000));
    before.run(consume(2000), day(10));
    before.run(settle(1, claim(2450)), day(20));
    before.run(paid(1, 5000, 5000), month(1));
    expect(before.state.balance).toEqual(after.state.balance);
  });

  test('comes back when the refund fails, and what was used of it meanwhile is owed no more', () => {
    const account = intoSecondMonth();
    account.run(consume(7000), day(2, 1));
    account.run(settle(1, claim(2450)), day(3, 1));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 1500 });
    account.run(settle(2), day(4, 1));
    expect(account.state.balance).toEqual({ available: 1000, held: 0, debt: 0 });
  });

  test('does not go on while a refund is under way, and goes on when it fails', () => {
    const account = new LedgerAccount(month(0));
    account.run(paid(0, 5000, 5000));
    account.run(settle(1, claim(2450, 'reserved')), day(20));
    account.run(paid(1, 5000, 5000), month(1));
    expect(account.state.balance).toEqual({ available: 7500, held: 0, debt: 0 });
    account.run(settle(2), day(3, 1));
    expect(account.available).toBe(10_000);
  });

  test('goes on of a dispute that is won after the month has ended', () => {
    const account = new LedgerAccount(month(0));
    account.run(paid(0, 5000, 300));
    account.run(settle(1, claim(4900)), day(20));
    account.run(paid(1, 5000, 300), month(1));
    expect(account.available).toBe(5000);
    account.run(settle(2), day(3, 1));
    expect(account.available).toBe(5300);
  });

  test('follows through the month after the next', () => {
    const account = intoSecondMonth();
    account.run(paid(2, 5000, 10_000), month(2));
    expect(account.available).toBe(13_000);
    account.run(settle(1, claim(2450)), day(2, 2));
    expect(account.available).toBe(10_500);
  });

  test('is known for as long as the month that it went on from', () => {
    const account = new LedgerAccount(month(0));
    account.run(paid(0, 5000, 4000));
    account.run(paid(1, 5000, 4000), month(1));
    account.run(consume(9000), day(10, 1));
    for (let later = 2; later <= 12; later += 1) {
      account.run(paid(later, 5000, 4000), month(later));
      account.run(consume(5000), day(2, later));
    }
    account.run(settle(1, claim(4900)), day(20, 12));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 4000 });
    account.run(settle(2), day(21, 12));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
  });

  test('is never owed for a smaller plan that is reported late', () => {
    const account = intoSecondMonth();
    account.run(consume(7500), day(2, 1));
    const parts = [{ since: day(1), credits: -1000 }];
    const less = {
      end: month(1),
      interval: 'month',
      parts,
      cost: null,
      lines: [],
      grants: true,
      takesBack: true,
    } as const;
    const change = { changeId: 'in_9', periods: [less], paymentReference: null, metadata: {} };
    account.run({ type: 'ChangePeriod', subscriptionId, ...change }, day(3, 1));
    expect(account.state.balance).toEqual({ available: 0, held: 0, debt: 0 });
  });
});

type Life = {
  readonly credits: readonly number[];
  readonly cap: number;
  readonly used: number;
  readonly held: number;
  readonly usedLater: number;
  readonly claims: readonly (readonly [number, Claim['state']])[];
};
const lives: fc.Arbitrary<Life> = fc.record({
  credits: fc.array(fc.integer({ min: 200, max: 500 }), { minLength: 4, maxLength: 4 }),
  cap: fc.oneof(fc.integer({ min: 1, max: 500 }), fc.constant(100_000)),
  used: fc.integer({ min: 1, max: 40 }),
  held: fc.integer({ min: 1, max: 40 }),
  usedLater: fc.integer({ min: 1, max: 110 }),
  claims: fc.array(fc.tuple(fc.integer({ min: 0, max: 4900 }), fc.constantFrom('taken', 'reserved')), {
    minLength: 1,
    maxLength: 3,
  }),
});

/** Lives the first months; what is claimed of the first is reported at `reported`, one version after the other. */
function endOf({ credits, cap, used, held, usedLater, claims }: Life, reported: readonly Instant[], later: boolean) {
  const account = new LedgerAccount(month(0));
  const steps: { at: Instant; command: AccountCommand }[] = [
    { at: day(2), command: consume(used) },
    { at: day(3), command: hold(held, 40 * 86_400) },
    ...credits.map((amount, index) => ({ at: month(index), command: paid(index, amount, cap) })),
    ...(later ? [{ at: day(25, 1), command: consume(usedLater) }] : []),
    ...claims.map(([amount, state], index) => ({
      at: reported[index] ?? month(0),
      command: settle(index + 1, claim(amount, state)),
    })),
    { at: day(20, credits.length - 1), command: time },
  ];
  for (const { at, command } of steps.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))) {
    const outcome = account.run(command, at);
    expect(outcome).not.toContain('insufficient');
  }
  return account.state.balance;
}

const runs = { numRuns: 200, seed: 12 };
const inOrder = (times: readonly Instant[]): readonly Instant[] => times.toSorted();
const threeOf = (times: readonly Instant[]): fc.Arbitrary<readonly Instant[]> =>
  fc.array(fc.constantFrom(...times), { minLength: 3, maxLength: 3 }).map(inOrder);

describe('refunds of a month with a rollover', () => {
  test('end the same whenever they are reported, over the months', () => {
    const whenever = threeOf([day(5), day(20), day(2, 1), day(20, 1), day(2, 2), day(2, 3)]);
    fc.assert(
      fc.property(lives, whenever, (life, times) => {
        const atOnce = [day(20), day(20), day(20)];
        // No more than is unspent: which month repays a debt depends on when it is reported.
        const unspent = {
          ...life,
          claims: life.claims.map(([amount, state]) => [Math.min(amount, 2900), state] as const),
        };
        expect(endOf(unspent, times, false)).toEqual(endOf(unspent, atOnce, false));
      }),
      runs,
    );
  });

  test('end the same, too, where the credits of the next month are used meanwhile', () => {
    const early = threeOf([day(5), day(20), day(2, 1), day(20, 1), day(28, 1)]);
    fc.assert(
      fc.property(lives, early, (life, times) => {
        const atOnce = [day(20), day(20), day(20)];
        expect(endOf(life, times, true)).toEqual(endOf(life, atOnce, true));
      }),
      runs,
    );
  });
});
