import type Stripe from 'stripe';
import { instantOf, type Instant } from '#kernel/instant.js';
import type { StripeAnswer, StripeClient } from './client.js';
import { firstOf, mapAnswer, type StripeLookup, type StripeOperation } from './operation.js';

/** A change that a customer wants of a subscription. */
export type SubscriptionChange =
  | { readonly kind: 'cancel'; readonly atPeriodEnd: boolean }
  | { readonly kind: 'resume' }
  | { readonly kind: 'change'; readonly priceId: string; readonly when: 'now' | 'period_end' };

const over: ReadonlySet<string> = new Set(['canceled', 'incomplete_expired']);

/** True for a subscription that has not ended; an unknown status counts as one. */
export const isRunning = ({ status }: Stripe.Subscription): boolean => !over.has(status);

/** The newest hundred subscriptions of a Stripe customer that have not ended, as Stripe has them now. */
export async function liveSubscriptions(
  client: StripeClient,
  stripeCustomerId: string,
): Promise<StripeAnswer<readonly Stripe.Subscription[]>> {
  // Without a status Stripe lists all that are not canceled.
  const answer = await client.ask('list', (stripe) =>
    stripe.subscriptions.list({ customer: stripeCustomerId, limit: 100 }),
  );
  return mapAnswer(answer, ({ data }) => data.filter(isRunning));
}

/** Whether a Stripe customer ever had a subscription. */
export async function hadSubscription(client: StripeClient, stripeCustomerId: string): Promise<StripeAnswer<boolean>> {
  const any = await firstOf(
    client,
    (stripe, page) => stripe.subscriptions.list({ ...page, customer: stripeCustomerId, status: 'all' }),
    () => true,
  );
  return mapAnswer(any, (found) => found !== null);
}

/** The subscription, if it already is as the change wants it. */
export const subscriptionLookup = (
  subscriptionId: string,
  change: SubscriptionChange,
): StripeLookup<Stripe.Subscription> => ({
  objectType: 'subscription',
  find: async (client) => {
    const present = await client.ask('subscription', (stripe) =>
      stripe.subscriptions.retrieve(subscriptionId, { expand: ['schedule'] }),
    );
    return mapAnswer(present, (subscription) => (fulfils(subscription, change) ? subscription : null));
  },
});

const retrieve = (client: StripeClient, id: string): Promise<StripeAnswer<Stripe.Subscription>> =>
  client.ask('subscription', (stripe) => stripe.subscriptions.retrieve(id));

/** The calls that carry out a change. Every call sets a value, so all of them may be repeated. */
export const subscriptionOperation = (
  subscriptionId: string,
  change: SubscriptionChange,
): StripeOperation<Stripe.Subscription> => ({
  ...subscriptionLookup(subscriptionId, change),
  retrieve,
  create: async (client, idempotencyKey) => {
    const present = await retrieve(client, subscriptionId);
    if (present.kind !== 'answered') return present;
    const subscription = present.value;
    switch (change.kind) {
      case 'cancel':
        return cancel(client, subscription, change.atPeriodEnd, idempotencyKey);
      case 'resume':
        return resume(client, subscription, idempotencyKey);
      case 'change':
        return change.when === 'now'
          ? changeNow(client, subscription, change.priceId, idempotencyKey)
          : changeAtPeriodEnd(client, subscription, change.priceId, idempotencyKey);
    }
  },
});

/** Whether the subscription is as the change wants it. Expects `schedule` to be expanded. */
function fulfils(subscription: Stripe.Subscription, change: SubscriptionChange): boolean {
  const cancels = subscription.cancel_at_period_end || subscription.cancel_at !== null;
  if (change.kind === 'cancel') return !isRunning(subscription) || (change.atPeriodEnd && cancels);
  if (change.kind === 'resume')
    return (
      isRunning(subscription) && !cancels && subscription.pause_collection === null && subscription.status !== 'paused'
    );
  if (change.when === 'now') return subscription.items.data[0]?.price.id === change.priceId;
  const { schedule } = subscription;
  if (schedule === null) return subscription.items.data[0]?.price.id === change.priceId;
  const next = typeof schedule === 'string' ? null : (schedule.phases.at(-1)?.items[0]?.price ?? null);
  return (typeof next === 'string' ? next : (next?.id ?? null)) === change.priceId;
}

const scheduleOf = ({ schedule }: Stripe.Subscription): string | null =>
  typeof schedule === 'string' ? schedule : (schedule?.id ?? null);

/** Stripe lets nobody change a subscription beside its schedule; a scheduled change gives way to what is wanted now. */
async function released(
  client: StripeClient,
  subscription: Stripe.Subscription,
  key: string,
): Promise<StripeAnswer<unknown>> {
  const schedule = scheduleOf(subscription);
  if (schedule === null) return { kind: 'answered', value: null };
  return client.ask('subscription_schedule', (stripe) =>
    stripe.subscriptionSchedules.release(schedule, {}, { idempotencyKey: `${key}.release` }),
  );
}

const update = (
  client: StripeClient,
  id: string,
  params: Stripe.SubscriptionUpdateParams,
  idempotencyKey: string,
): Promise<StripeAnswer<Stripe.Subscription>> =>
  client.ask('subscription', (stripe) => stripe.subscriptions.update(id, params, { idempotencyKey }));

async function cancel(
  client: StripeClient,
  subscription: Stripe.Subscription,
  atPeriodEnd: boolean,
  key: string,
): Promise<StripeAnswer<Stripe.Subscription>> {
  if (!isRunning(subscription)) return { kind: 'answered', value: subscription };
  const free = await released(client, subscription, key);
  if (free.kind !== 'answered') return free;
  if (atPeriodEnd) return update(client, subscription.id, { cancel_at_period_end: true }, key);
  const cancelled = await client.ask('subscription', (stripe) => stripe.subscriptions.cancel(subscription.id));
  if (cancelled.kind !== 'refused') return cancelled;
  // Stripe has no key for this call: one whose answer was lost is refused when it is repeated, because it is done.
  const present = await retrieve(client, subscription.id);
  return present.kind === 'answered' && isRunning(present.value) ? cancelled : present;
}

async function resume(
  client: StripeClient,
  subscription: Stripe.Subscription,
  key: string,
): Promise<StripeAnswer<Stripe.Subscription>> {
  let now = subscription;
  if (now.cancel_at_period_end || now.cancel_at !== null) {
    const params = now.cancel_at_period_end ? { cancel_at_period_end: false } : { cancel_at: '' as const };
    const kept = await update(client, now.id, params, `${key}.keep`);
    if (kept.kind !== 'answered') return kept;
    now = kept.value;
  }
  if (now.pause_collection !== null) {
    const collected = await update(client, now.id, { pause_collection: '' }, `${key}.collect`);
    if (collected.kind !== 'answered') return collected;
    now = collected.value;
  }
  if (now.status !== 'paused') return { kind: 'answered', value: now };
  return client.ask('subscription', (stripe) =>
    stripe.subscriptions.resume(subscription.id, {}, { idempotencyKey: `${key}.resume` }),
  );
}

async function changeNow(
  client: StripeClient,
  subscription: Stripe.Subscription,
  priceId: string,
  key: string,
): Promise<StripeAnswer<Stripe.Subscription>> {
  const free = await released(client, subscription, key);
  if (free.kind !== 'answered') return free;
  const item = subscription.items.data[0];
  if (item === undefined || item.price.id === priceId) return retrieve(client, subscription.id);
  return update(
    client,
    subscription.id,
    {
      items: [{ id: item.id, price: priceId }],
      // Billed at once, and changed only once that is paid.
      proration_behavior: 'always_invoice',
      payment_behavior: 'pending_if_incomplete',
    },
    key,
  );
}

async function changeAtPeriodEnd(
  client: StripeClient,
  subscription: Stripe.Subscription,
  priceId: string,
  key: string,
): Promise<StripeAnswer<Stripe.Subscription>> {
  const item = subscription.items.data[0];
  if (item === undefined) return { kind: 'answered', value: subscription };
  if (item.price.id === priceId) {
    const free = await released(client, subscription, key);
    if (free.kind !== 'answered') return free;
  } else {
    const known = scheduleOf(subscription);
    const schedule = await client.ask('subscription_schedule', (stripe) =>
      known === null
        ? stripe.subscriptionSchedules.create(
            { from_subscription: subscription.id },
            { idempotencyKey: `${key}.schedule` },
          )
        : stripe.subscriptionSchedules.retrieve(known),
    );
    if (schedule.kind !== 'answered') return schedule;
    const quantity = item.quantity ?? 1;
    const phases = [
      {
        items: [{ price: item.price.id, quantity }],
        start_date: schedule.value.current_phase?.start_date ?? item.current_period_start,
        end_date: item.current_period_end,
      },
      { items: [{ price: priceId, quantity }] },
    ];
    const changed = await client.ask('subscription_schedule', (stripe) =>
      stripe.subscriptionSchedules.update(
        schedule.value.id,
        { end_behavior: 'release', phases },
        { idempotencyKey: `${key}.phases` },
      ),
    );
    if (changed.kind !== 'answered') return changed;
  }
  return retrieve(client, subscription.id);
}

/** A subscription as our callers see it: times as instants, prices by their Stripe ids. */
export type SubscriptionView = {
  readonly id: string;
  readonly status: string;
  readonly priceId: string | null;
  readonly quantity: number;
  readonly currentPeriodStart: Instant | null;
  readonly currentPeriodEnd: Instant | null;
  readonly cancelAtPeriodEnd: boolean;
  readonly cancelAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly changeScheduled: boolean;
};

const instant = (seconds: number | null | undefined): Instant | null =>
  seconds == null ? null : instantOf(seconds * 1000);

export function viewOf(subscription: Stripe.Subscription): SubscriptionView {
  const item = subscription.items.data[0];
  return {
    id: subscription.id,
    status: subscription.status,
    priceId: item?.price.id ?? null,
    quantity: item?.quantity ?? 1,
    currentPeriodStart: instant(item?.current_period_start),
    currentPeriodEnd: instant(item?.current_period_end),
    cancelAtPeriodEnd: subscription.cancel_at_period_end,
    cancelAt: instant(subscription.cancel_at),
    endedAt: instant(subscription.ended_at),
    changeScheduled: scheduleOf(subscription) !== null,
  };
}
