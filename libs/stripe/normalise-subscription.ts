import type { Instant } from '#kernel/instant.js';
import { subscriptionStatuses, type SubscriptionStatus } from '#ledger/subscription-standing.js';
import { at, idAt, integerAt, listAt, objectAt, objectIn, textAt, timeAt, type Fields } from './json-fields.js';
import { metadataAt, unreadable, type Metadata, type Normalised } from './normalise.js';

export type SubscriptionItem = {
  readonly id: string;
  readonly priceId: string;
  readonly quantity: number;
  readonly periodStart: Instant | null;
  readonly periodEnd: Instant | null;
};

/** A subscription, in the one shape that the translation knows. */
export type Subscription = {
  readonly id: string;
  readonly stripeCustomerId: string | null;
  readonly metadata: Metadata;
  readonly status: SubscriptionStatus;
  readonly items: readonly SubscriptionItem[];
  readonly trialStart: Instant | null;
  readonly trialEnd: Instant | null;
  readonly cancelAtPeriodEnd: boolean;
  readonly cancelAt: Instant | null;
  readonly canceledAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly paused: boolean;
};

/** Periods stand at the items since 2025-03 (basil), at the subscription itself before. */
export function normaliseSubscription(subscription: Fields | null): Normalised<Subscription> {
  const id = idAt(subscription, 'id');
  const text = textAt(subscription, 'status');
  const status = subscriptionStatuses.find((each) => each === text);
  const rows = listAt(objectAt(subscription, 'items'), 'data');
  if (id === null) return unreadable('id');
  if (status === undefined) return unreadable('status');
  if (rows === null) return unreadable('items');
  const items: SubscriptionItem[] = [];
  for (const row of rows.map(objectIn)) {
    const itemId = idAt(row, 'id');
    const priceId = idAt(row, 'price') ?? idAt(row, 'plan');
    const quantity = at(row, 'quantity') == null ? 1 : integerAt(row, 'quantity');
    if (itemId === null || priceId === null || quantity === null || quantity < 0) return unreadable('items');
    const periodStart = timeAt(row, 'current_period_start') ?? timeAt(subscription, 'current_period_start');
    const periodEnd = timeAt(row, 'current_period_end') ?? timeAt(subscription, 'current_period_end');
    items.push({ id: itemId, priceId, quantity, periodStart, periodEnd });
  }
  return {
    ok: {
      id,
      status,
      items,
      stripeCustomerId: idAt(subscription, 'customer'),
      metadata: metadataAt(subscription, 'metadata'),
      trialStart: timeAt(subscription, 'trial_start'),
      trialEnd: timeAt(subscription, 'trial_end'),
      cancelAtPeriodEnd: at(subscription, 'cancel_at_period_end') === true,
      cancelAt: timeAt(subscription, 'cancel_at'),
      canceledAt: timeAt(subscription, 'canceled_at'),
      endedAt: timeAt(subscription, 'ended_at'),
      paused: status === 'paused' || objectAt(subscription, 'pause_collection') !== null,
    },
  };
}
