import { expect } from '@jest/globals';
import { instantOf, type Instant } from '#kernel/instant.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { AgreedPlan, AgreedSeats, ChangedPeriod } from '#ledger/account/events.js';
import { LedgerAccount } from './ledger-account.js';
import { permutations } from '../permutations.js';

export const day = (date: number, month: number, year = 2026): Instant => instantOf(Date.UTC(year, month - 1, date));
export const plan = (id: string, credits: number): AgreedPlan => ({ id, credits });

export type Bought = { readonly from: Instant; readonly to: Instant; readonly interval: 'month' | 'year' };
export const november: Bought = { from: day(1, 11), to: day(1, 12), interval: 'month' };

/** A paid period of one plan. */
export const periodOf = (
  bought: AgreedPlan,
  { from, to, interval }: Bought,
  { quantity = 1, itemId = 'si_1', since = from } = {},
): AccountCommand => ({
  type: 'GrantPeriod',
  ...{ subscriptionId: 'sub_1', itemId, paymentReference: `in_${since}`, lines: [], metadata: {} },
  ...{ periodStart: since, periodEnd: to, interval, creditsPerMonth: bought.credits * quantity },
  ...{ plan: { ...bought, quantity }, prorated: false, cost: { amount: 4900, currency: 'usd' }, rolloverCap: 0 },
});

/** A change of these seats (given back where negative), by the catalogue of the time. */
export function changeOfSeats(
  changeId: string,
  plans: readonly AgreedSeats[],
  since: Instant,
  { to: end, interval }: Bought,
  more: Partial<ChangedPeriod> = {},
): AccountCommand {
  const credits = plans.reduce((sum, { credits: each, quantity }) => sum + each * quantity, 0);
  const parts = [{ since, credits, plans }];
  const periods = [{ end, interval, parts, cost: null, lines: [], grants: true, takesBack: true, ...more }];
  return { type: 'ChangePeriod', subscriptionId: 'sub_1', changeId, periods, paymentReference: changeId, metadata: {} };
}

/** A change of one seat from one plan to another. */
export const changeOfPlan = (
  changeId: string,
  [from, to]: readonly [AgreedPlan, AgreedPlan | null],
  since: Instant,
  bought: Bought,
  more: Partial<ChangedPeriod> = {},
): AccountCommand => {
  const plans = [{ ...from, quantity: -1 }, ...(to === null ? [] : [{ ...to, quantity: 1 }])];
  return changeOfSeats(changeId, plans, since, bought, more);
};

/** What can be spent at these times, in every order of the same facts. */
export function expectEnds(
  facts: readonly AccountCommand[],
  reportedAt: Instant,
  ends: { readonly [at: Instant]: number },
): void {
  for (const order of permutations(facts)) {
    const account = new LedgerAccount(reportedAt);
    for (const fact of order) account.run(fact);
    for (const [at, available] of Object.entries(ends)) {
      account.run({ type: 'RecordDue' }, at as Instant);
      expect(account.available).toBe(available);
    }
  }
}
