import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { instantOf, type Instant } from '#kernel/instant.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { consume } from '../support/ledger/account-commands.js';
import { LedgerAccount } from '../support/ledger/ledger-account.js';
import { runs } from './ledger/lives.js';

const PAID = 4900;
const day = (date: number, month: number): Instant => instantOf(Date.UTC(2026, month, date));

/** A month of a plan: what it gives, what is used of it, what goes back of its money, and how many months later. */
type MonthOfPlan = {
  readonly credits: number;
  readonly used: number;
  readonly refunded: number;
  readonly refundedAfter: number;
};
type Life = { readonly months: readonly MonthOfPlan[]; readonly cap: number };

const livesWith = (used: fc.Arbitrary<number>, refundedAfter: fc.Arbitrary<number>): fc.Arbitrary<Life> =>
  fc.record({
    cap: fc.constantFrom(0, 1, 30, 100, 1000),
    months: fc.array(
      fc.record({
        credits: fc.integer({ min: 1, max: 100 }),
        used,
        refunded: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: PAID })),
        refundedAfter,
      }),
      { minLength: 1, maxLength: 5 },
    ),
  });

const granted = ({ credits }: MonthOfPlan, month: number, cap: number): AccountCommand => ({
  type: 'GrantPeriod',
  subscriptionId: 'sub_1',
  itemId: 'si_1',
  periodStart: day(1, month),
  periodEnd: day(1, month + 1),
  interval: 'month',
  creditsPerMonth: credits,
  prorated: false,
  cost: { amount: PAID, currency: 'usd' },
  rolloverCap: cap,
  paymentReference: `in_${String(month)}`,
  lines: [],
  metadata: {},
});

const refund = ({ refunded }: MonthOfPlan, month: number, since: Instant): AccountCommand => ({
  type: 'SettlePayment',
  paymentReference: `in_${String(month)}`,
  version: 1,
  paid: PAID,
  claims: [{ cause: { kind: 'refund', id: `re_${String(month)}` }, state: 'taken', amount: refunded, since }],
});

/** Lives the months one after the other. `used`: what could be used of each. */
function lived({ months, cap }: Life): { readonly net: number; readonly used: readonly number[] } {
  const account = new LedgerAccount(day(1, 0));
  const used: number[] = [];
  const reportedIn = ({ refundedAfter }: MonthOfPlan, month: number): number =>
    Math.min(months.length - 1, month + refundedAfter);
  for (const [month, one] of months.entries()) {
    account.run(granted(one, month, cap), day(1, month));
    const before = account.available;
    if (one.used > 0) account.run(consume(Math.min(one.used, Math.max(1, before))), day(10, month));
    used.push(before - account.available);
    for (const [earlier, other] of months.entries())
      if (reportedIn(other, earlier) === month && other.refunded > 0)
        account.run(refund(other, earlier, day(20, month)), day(20, month));
  }
  account.run({ type: 'RecordDue' }, day(25, months.length - 1));
  const { available, debt } = account.state.balance;
  return { net: available - debt, used };
}

/**
 * What is left in the last month, by the README alone: of each month's credits a refund takes its share, of what nobody used first; what
 * is left unused goes on, up to the cap; what of that was used without being there is owed. Nothing is known of events, grants or time.
 */
function reckoned({ months, cap }: Life, used: readonly number[]): number {
  let wentOn = 0;
  let owed = 0;
  let left = 0;
  for (const [month, { credits, refunded }] of months.entries()) {
    const usedOfMonth = Math.min(credits, used[month]!);
    const usedOfWentOn = used[month]! - usedOfMonth;
    const taken = Math.round((credits * refunded) / PAID);
    // Into a month of which nothing is left nothing goes on; what was used of it by then stays used.
    if (taken === credits && usedOfMonth === 0) wentOn = Math.min(wentOn, usedOfWentOn);
    owed += Math.max(0, taken - (credits - usedOfMonth)) + Math.max(0, usedOfWentOn - wentOn);
    left = Math.max(0, credits - usedOfMonth - taken) + Math.max(0, wentOn - usedOfWentOn);
    wentOn = Math.min(cap, left);
  }
  return left - owed;
}

describe('what goes on of months that money goes back for, against the naive model', () => {
  const check = (life: Life): void => {
    const { net, used } = lived(life);
    expect(net).toBe(reckoned(life, used));
  };
  // Which credits pay a debt depends on when it is known, so nothing is used here, or nothing known before the last month.
  it('is what the model leaves, whenever the refunds are reported', () => {
    fc.assert(fc.property(livesWith(fc.constant(0), fc.nat(4)), check), runs(300));
  });

  it('is what the model leaves of what was used meanwhile, when the refunds are reported at the end', () => {
    fc.assert(fc.property(livesWith(fc.integer({ min: 0, max: 130 }), fc.constant(5)), check), runs(300));
  });
});
