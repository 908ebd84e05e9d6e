import { later, type Instant } from '#kernel/instant.js';
import { subscriptionStatuses, type SubscriptionStatus } from '#ledger/subscription/standing.js';
import { at, idAt, integerAt, listAt, objectAt, objectIn, textAt, timeAt, type Fields } from './fields.js';
import { metadataAt, type Metadata } from './billing.js';
import { oddField, oneOf, unreadable, type Normalised } from './unreadable.js';

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
  /** Items that cannot be read. They only matter where their price is a plan's. */
  readonly oddItems: readonly { readonly priceId: string | null; readonly problem: string }[];
  /** When it began, whenever its time is counted from; null where that is not known. */
  readonly begunAt: Instant | null;
  readonly trialStart: Instant | null;
  readonly trialEnd: Instant | null;
  readonly cancelAtPeriodEnd: boolean;
  readonly cancelAt: Instant | null;
  readonly canceledAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly paused: boolean;
};

const times = ['trial_start', 'trial_end', 'cancel_at', 'canceled_at', 'ended_at'];

/** Periods stand at the items since 2025-03 (basil), at the subscription itself before. */
export function normaliseSubscription(subscription: Fields | null): Normalised<Subscription> {
  const id = idAt(subscription, 'id');
  const text = textAt(subscription, 'status');
  const status = subscriptionStatuses.find((each) => each === text);
  const rows = listAt(objectAt(subscription, 'items'), 'data');
  if (id === null) return unreadable(subscription, 'id');
  if (status === undefined) return unreadable(subscription, 'status', oneOf(subscriptionStatuses));
  if (rows === null) return unreadable(subscription, 'items');
  const odd = oddField(subscription, { ids: ['customer'], times });
  if (odd !== null) return odd;
  const read = rows.map(objectIn).map((row) => ({ row, item: normaliseItem(row, subscription) }));
  return {
    ok: {
      id,
      status,
      items: read.flatMap(({ item }) => ('ok' in item ? [item.ok] : [])),
      oddItems: read.flatMap(({ row, item }) =>
        'ok' in item ? [] : [{ priceId: priceOf(row), problem: `items: ${item.unreadable}` }],
      ),
      stripeCustomerId: idAt(subscription, 'customer'),
      metadata: metadataAt(subscription, 'metadata'),
      begunAt: latest(timeAt(subscription, 'created'), timeAt(subscription, 'start_date')),
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

const latest = (a: Instant | null, b: Instant | null): Instant | null =>
  a === null || b === null ? (a ?? b) : later(a, b);

const priceOf = (item: Fields | null): string | null => idAt(item, 'price') ?? idAt(item, 'plan');

function normaliseItem(item: Fields | null, subscription: Fields | null): Normalised<SubscriptionItem> {
  const id = idAt(item, 'id');
  const priceId = priceOf(item);
  const quantity = at(item, 'quantity') == null ? 1 : integerAt(item, 'quantity');
  if (id === null) return unreadable(item, 'id');
  if (priceId === null) return unreadable(item, 'price');
  if (quantity === null || quantity < 0) return unreadable(item, 'quantity');
  const periodStart = timeAt(item, 'current_period_start') ?? timeAt(subscription, 'current_period_start');
  const periodEnd = timeAt(item, 'current_period_end') ?? timeAt(subscription, 'current_period_end');
  return { ok: { id, priceId, quantity, periodStart, periodEnd } };
}
