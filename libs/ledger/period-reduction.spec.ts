import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isRefused } from '#kernel/decider.js';
import { creditsOfMonth, reducedPeriods, type FewerCredits } from './period-reduction.js';
import { subscriptionDecider, type SubscriptionCommand, type SubscriptionEvent } from './subscription.js';

const of = { subscriptionId: 'sub_1', customerId: 'acme' };
const end = '2027-10-01T00:00:00.000Z';
const day = (month: number, date: number): string => new Date(Date.UTC(2026, month - 1, date)).toISOString();

const paid = (itemId: string, creditsPerMonth: number, agreedAt: string): SubscriptionCommand => ({
  ...{ type: 'RecordPaidPeriod', ...of, planId: 'pro', interval: 'year', periodStart: day(10, 1), periodEnd: end },
  ...{ itemId, creditsPerMonth, cost: null, first: false, invoiceId: `in_${itemId}`, agreedAt },
});
const less = (invoiceId: string, creditsPerMonth: number, since: string): SubscriptionCommand => ({
  ...{ type: 'ReducePaidPeriod', ...of, invoiceId, periodEnd: end, since, wholeUntil: since, creditsPerMonth },
});

/** What the events say that is left out of each period, after commands in this order; and how many events there were. */
function told(commands: readonly SubscriptionCommand[]) {
  let state = subscriptionDecider.initial('subscription-sub_1');
  const events: SubscriptionEvent[] = [];
  for (const [index, command] of commands.entries()) {
    const at = day(12, 1 + index);
    const made = subscriptionDecider.decide(state, command, { at, revision: events.length, commandId: '', past: null });
    if (isRefused(made)) throw new Error('nothing is refused');
    for (const event of made) state = subscriptionDecider.evolve(state, event, events.push(event));
  }
  const fewer = new Map<string, readonly FewerCredits[]>();
  for (const event of events) if (event.type === 'MonthlyCreditsReduced') fewer.set(event.itemId, event.fewer);
  for (const [itemId, none] of fewer) if (none.length === 0) fewer.delete(itemId);
  return { fewer, count: events.length };
}

test('a change to less takes of what was agreed last before it, then of what was agreed before', () => {
  const { fewer } = told([
    paid('first', 500, day(10, 1)),
    paid('more', 1500, day(10, 20)),
    less('in_9', 1800, day(11, 1)),
    paid('again', 700, day(11, 5)),
  ]);
  const of = { since: day(11, 1), wholeUntil: day(11, 1) };
  expect([...fewer]).toEqual([
    ['more', [{ ...of, creditsPerMonth: 1500 }]],
    ['first', [{ ...of, creditsPerMonth: 300 }]],
  ]);
});

test('a change is known by its invoice, its time and the end of the periods, and is told once', () => {
  const one = less('in_9', 100, day(11, 1));
  const known = [paid('first', 500, day(10, 1)), one];
  expect(told([...known, one]).count).toBe(told(known).count);
  expect(told([...known, less('in_9', 100, day(11, 2))]).count).toBe(told(known).count + 2);
});

test('what is left out follows from the facts, whatever order they are heard of in', () => {
  const amount = fc.integer({ min: 0, max: 3000 });
  const periods = fc.array(fc.tuple(amount, fc.integer({ min: 1, max: 28 })), { minLength: 1, maxLength: 4 });
  const facts = fc
    .tuple(periods, periods)
    .map(([bought, given]): SubscriptionCommand[] => [
      ...bought.map(([credits, date], index) => paid(`si_${String(index)}`, credits, day(11, date))),
      ...given.map(([credits, date], index) => less(`in_${String(index)}`, credits, day(11, date))),
    ]);
  const orders = facts.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );
  fc.assert(
    fc.property(orders, ([list, other]) => {
      expect(told(other).fewer).toEqual(told(list).fewer);
    }),
  );
});

test('no month gives less than nothing, and none before the change gives less', () => {
  const period = { itemId: 'si_1', periodStart: day(10, 1), periodEnd: end, creditsPerMonth: 500 };
  const change = (invoiceId: string, since: string, creditsPerMonth: number) => ({
    ...{ invoiceId, periodEnd: end, since, wholeUntil: since, creditsPerMonth },
  });
  const [reduced] = reducedPeriods([period], [change('a', day(11, 5), 400), change('b', day(12, 5), 400)]).values();
  const left = [day(11, 1), day(12, 1), '2027-01-01T00:00:00.000Z'].map((start) =>
    creditsOfMonth(500, reduced?.fewer ?? [], start),
  );
  expect(left).toEqual([500, 100, 0]);
});

test('a month that may have been granted whole before the change was heard of is granted whole', () => {
  const fewer = [{ since: day(10, 15), wholeUntil: day(11, 1), creditsPerMonth: 500 }];
  expect([day(11, 1), day(12, 1)].map((start) => creditsOfMonth(500, fewer, start))).toEqual([500, 0]);
});
