import type { SubscriptionEvent } from '#ledger/subscription/subscription.js';
import type { SubscriptionStanding } from '#ledger/subscription/standing.js';
import { document } from '#database/values.js';
import { perStream } from '../per-stream.js';

type Folded = { readonly customerId: string } & (
  | { readonly standing: SubscriptionStanding }
  | { readonly standing: null; readonly planId: string; readonly startedAt: string }
);

/** Takes how a subscription stands by the event that says so last. */
export const subscriptionsOracle = perStream<Folded | null>({
  table: 'subscriptions',
  initial: null,
  after: (folded, { event: anything }) => {
    const event = anything as SubscriptionEvent;
    const { customerId } = event;
    switch (event.type) {
      case 'SubscriptionActivated':
      case 'SubscriptionRenewed':
        return folded; // what was paid; how the subscription stands is reported by itself
      case 'SubscriptionStarted':
        return { customerId, standing: null, planId: event.planId, startedAt: event.at };
      default:
        return { customerId, standing: event.standing };
    }
  },
  row: (folded, stream) => {
    if (folded === null) return null;
    const { customerId, standing } = folded;
    const of = { id: stream.slice('subscription-'.length), customer_id: customerId };
    if (standing === null) {
      const { planId: plan_id, startedAt: seen_at } = folded;
      return { ...of, plan_id, status: 'active', seen_at, lapses_from: null, standing: null };
    }
    const { planId: plan_id, status, seenAt: seen_at, pastDueSince } = standing;
    const unpaid: { readonly [status: string]: string | null } = { past_due: pastDueSince, unpaid: '' };
    return { ...of, plan_id, status, seen_at, lapses_from: unpaid[status] ?? null, standing: document(standing) };
  },
});
