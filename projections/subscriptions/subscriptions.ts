import { lapsesFrom } from '#ledger/subscription/standing.js';
import type { SubscriptionEvent } from '#ledger/subscription/subscription.js';
import type { RowOf, Table } from '#projecting/tables.js';
import { document } from '#database/values.js';
import { latestProjection } from '../latest.js';
import type { Projected } from '../ledger-projection.js';
import { subscriptionsOracle } from './oracle.js';

/** One row per subscription that Stripe showed, and one per customer on a free plan (`free_…`). */
export const subscriptions = {
  name: 'subscriptions',
  visibleTo: 'own-rows',
  key: ['id'],
  changing: true,
  columns: {
    id: 'text',
    customer_id: 'text',
    plan_id: 'text',
    status: 'text',
    seen_at: 'text',
    lapses_from: 'text?',
    standing: 'text?',
  },
  indexes: ['(customer_id, seen_at)', '(lapses_from, id) where lapses_from is not null'],
} as const satisfies Table;

function rowOf({ event: anything }: Projected): RowOf<typeof subscriptions> | null {
  const event = anything as SubscriptionEvent;
  if (event.type !== 'SubscriptionStarted' && !('standing' in event)) return null;
  const { subscriptionId: id, customerId: customer_id } = event;
  if (event.type === 'SubscriptionStarted') {
    return {
      id,
      customer_id,
      plan_id: event.planId,
      status: 'active',
      seen_at: event.at,
      lapses_from: null,
      standing: null,
    };
  }
  const { standing } = event;
  return {
    id,
    customer_id,
    plan_id: standing.planId,
    status: standing.status,
    seen_at: standing.seenAt,
    lapses_from: lapsesFrom(standing),
    standing: document(standing),
  };
}

const handlers: { readonly [Type in SubscriptionEvent['type']]: 'latest' | 'ignored' } = {
  SubscriptionActivated: 'ignored', // what was paid; how the subscription stands is told by itself
  SubscriptionRenewed: 'ignored',
  SubscriptionStarted: 'latest',
  TrialStarted: 'latest',
  PaymentPastDue: 'latest',
  SubscriptionRecovered: 'latest',
  PlanChanged: 'latest',
  CancellationScheduled: 'latest',
  CancellationUnscheduled: 'latest',
  SubscriptionPaused: 'latest',
  SubscriptionResumed: 'latest',
  SubscriptionCanceled: 'latest',
  SubscriptionExpired: 'latest',
  SubscriptionObserved: 'latest',
};

/** Every subscription as it stands. */
export const subscriptionsProjection = latestProjection({
  name: 'subscriptions',
  version: 2,
  category: 'subscription',
  table: subscriptions,
  handlers,
  rowOf,
  oracle: subscriptionsOracle,
});
