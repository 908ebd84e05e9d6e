import { describe, expect, test } from '@jest/globals';
import { instantOf, type Instant } from '#kernel/instant.js';
import { LedgerAccount } from '../../test/support/ledger-account.js';
import { permutations } from '../../test/support/permutations.js';
import type { AccountCommand } from './account-commands.js';
import type { AgreedPlan, ChangedPeriod } from './account-events.js';

const day = (date: number, month: number, year = 2026): Instant => instantOf(Date.UTC(year, month - 1, date));
const plan = (id: string, credits: number): AgreedPlan => ({ id, credits });

type Bought = { readonly from: Instant; readonly to: Instant; readonly interval: 'month' | 'year' };
const november: Bought = { from: day(1, 11), to: day(1, 12), interval: 'month' };
const year: Bought = { from: day(1, 1), to: day(1, 1, 2027), interval: 'year' };

const period = (bought: AgreedPlan, { from, to, interval }: Bought): AccountCommand => ({
  type: 'GrantPeriod',
  ...{ subscriptionId: 'sub_1', itemId: 'si_1', paymentReference: `in_${from}`, lines: [], metadata: {} },
  ...{ periodStart: from, periodEnd: to, interval, creditsPerMonth: bought.credits, plan: bought },
  ...{ prorated: false, cost: { amount: 4900, currency: 'usd' }, rolloverCap: 0 },
});

/** A change of one seat from one plan to another, both by the catalogue of the time. */
const change = (
  changeId: string,
  [from, to]: readonly [AgreedPlan, AgreedPlan | null],
  since: Instant,
  { to: end, interval }: Bought,
  more: Partial<ChangedPeriod> = {},
): AccountCommand => {
  const plans = [{ ...from, quantity: -1 }, ...(to === null ? [] : [{ ...to, quantity: 1 }])];
  const credits = (to?.credits ?? 0) - from.credits;
  const parts = [{ since, credits, plans }];
  const periods = [{ end, interval, parts, cost: null, lines: [], grants: true, takesBack: true, ...more }];
  return { type: 'ChangePeriod', subscriptionId: 'sub_1', changeId, periods, paymentReference: changeId, metadata: {} };
};

/** What can be spent at these times, in every order of the same facts. */
function expectEnds(facts: readonly AccountCommand[], reportedAt: Instant, ends: { readonly [at: Instant]: number }) {
  for (const order of permutations(facts)) {
    const account = new LedgerAccount(reportedAt);
    for (const fact of order) account.run(fact);
    for (const [at, available] of Object.entries(ends)) {
      account.run({ type: 'RecordDue' }, at as Instant);
      expect(account.available).toBe(available);
    }
  }
}

describe('what a change gives back is worth what was agreed', () => {
  test.each([8000, 1000, 5000])('of a year, though the catalogue says %i since', (now) => {
    const facts = [
      period(plan('pro', 5000), year),
      change('in_2', [plan('pro', now), plan('plus', 12_000)], day(1, 4), year),
    ];
    expectEnds(facts, day(1, 4), { [day(2, 5)]: 12_000, [day(2, 12)]: 12_000 });
  });

  test.each([8000, 1000])('of a month, to less, though the catalogue says %i since', (now) => {
    const facts = [
      period(plan('pro', 5000), november),
      change('in_2', [plan('pro', now), plan('starter', 1000)], day(16, 11), november),
    ];
    expectEnds(facts, day(16, 11), { [day(17, 11)]: 3000 });
  });

  test('of a month for a year: what is kept is half of the month as agreed', () => {
    const facts = [
      period(plan('pro', 5000), november),
      change('in_2', [plan('pro', 8000), null], day(16, 11), november, { takesBack: false }),
      period(plan('pro', 8000), { from: day(16, 11), to: day(16, 11, 2027), interval: 'year' }),
    ];
    expectEnds(facts, day(16, 11), { [day(17, 11)]: 5000 + 8000 - 2500 });
  });

  test('by the change that bought it last, also within one second', () => {
    const [starter, pro, plus] = [plan('starter', 1000), plan('pro', 5000), plan('plus', 12_000)];
    const dearer = plan('pro', 8000);
    const whole = day(1, 11);
    const to = (since: Instant) => [
      period(starter, november),
      change('in_2', [starter, pro], since, november),
      change('in_3', [dearer, plus], whole, november),
    ];
    expectEnds(to(whole), day(2, 11), { [day(3, 11)]: 12_000 });
    const later = [
      period(starter, november),
      change('in_2', [starter, pro], day(11, 11), november),
      change('in_3', [dearer, plus], day(16, 11), november),
    ];
    const [toPro, toPlus] = [Math.round((4000 * 20) / 30), (7000 * 15) / 30];
    expectEnds(later, day(16, 11), { [day(17, 11)]: 1000 + toPro + toPlus });
  });

  test('in its own period; else what the catalogue says', () => {
    const december: Bought = { from: day(1, 12), to: day(1, 1, 2027), interval: 'month' };
    const facts = [
      period(plan('pro', 5000), november),
      period(plan('pro', 8000), december),
      change('in_2', [plan('pro', 9000), plan('plus', 12_000)], day(1, 12), december),
    ];
    expectEnds(facts, day(30, 11), { [day(2, 12)]: 12_000 });
    const unknown = [
      period(plan('pro', 5000), november),
      change('in_2', [plan('other', 9000), plan('plus', 12_000)], day(1, 11), november),
    ];
    expectEnds(unknown, day(1, 11), { [day(2, 11)]: 8000 });
  });
});
