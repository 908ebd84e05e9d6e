import { expect, test } from '@jest/globals';
import { ledgerHandlers } from '#composition/ledger-handlers.js';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import type { Instant } from '#kernel/instant.js';
import { usageStream } from '#kernel/stream-name.js';
import type { SubscriptionSnapshot } from '#ledger/subscription/standing.js';
import { planAt } from '#ledger/usage/plans.js';
import { permutations } from '../../../test/support/permutations.js';
import { byTest } from '../../../test/support/worlds/inbox-world.js';
import { ManualClock } from '../../../test/support/worlds/manual-clock.js';
import { recordPlan } from './plans.js';

const shown = (customerId: string, seenAt: Instant, planId = 'starter'): SubscriptionSnapshot => ({
  ...{ subscriptionId: 'sub_1', customerId, status: 'active', planId, interval: 'month', quantity: 1, itemId: 'si_1' },
  ...{ periodStart: '2026-10-01T00:00:00.000Z', periodEnd: '2026-11-01T00:00:00.000Z' },
  ...{ trialStart: null, trialEnd: null, cancelAt: null, canceledAt: null, endedAt: null, paused: false },
  ...{ seenAt, stage: 1 },
});

/** Which plan counts for each of the two owners on the 5th and on the 15th. */
async function plansAfter(snapshots: readonly SubscriptionSnapshot[]): Promise<object> {
  const clock = new ManualClock(Date.parse('2026-10-20T00:00:00.000Z'));
  const handlers = ledgerHandlers({ store: new InMemoryEventStore(), snapshots: null, keys: null, clock });
  for (const [index, snapshot] of snapshots.entries()) {
    const request = { ...byTest, origin: 'stripe' as const, key: `event:${String(index)}` };
    const stream = usageStream(snapshot.customerId);
    await recordPlan(handlers, { ...request, stream, command: { type: 'ObservePlan', snapshot } });
    const subscription = { ...request, stream: 'subscription-sub_1' };
    await handlers.subscription.execute({ ...subscription, command: { type: 'ObserveSubscription', snapshot } });
  }
  const planOf = async (customerId: string): Promise<readonly (string | null)[]> => {
    const { plans } = (await handlers.usage.load(usageStream(customerId))).state;
    return ['2026-10-05T00:00:00.000Z', '2026-10-15T00:00:00.000Z'].map((at) => planAt(plans, at, 3)?.planId ?? null);
  };
  return { first: await planOf('first'), second: await planOf('second') };
}

test('a subscription counts for whose it is at the time, whatever is reported first', async () => {
  const facts = [
    shown('first', '2026-10-01T00:00:00.000Z'),
    shown('second', '2026-10-10T00:00:00.000Z'),
    shown('second', '2026-10-12T00:00:00.000Z', 'pro'),
  ];
  for (const order of permutations(facts))
    expect(await plansAfter(order)).toEqual({ first: ['starter', null], second: [null, 'pro'] });
});

test('a subscription of one customer is in the stream of that one alone, each snapshot once', async () => {
  const facts = [shown('first', '2026-10-01T00:00:00.000Z'), shown('first', '2026-10-10T00:00:00.000Z', 'pro')];
  expect(await plansAfter([...facts, ...facts])).toEqual({ first: ['starter', 'pro'], second: [null, null] });
});
