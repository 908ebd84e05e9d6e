import { isAmount } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import { accountStream, DEFAULT_UNIT, subscriptionStream, usageStream } from '#kernel/stream-name.js';
import { freePlanOf } from '#ledger/catalog.js';
import { freeSubscriptionId } from '#ledger/subscription/subscription.js';
import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { stepBetween } from '#ledger/subscription/order.js';
import { endOf, hasEnded, type SubscriptionSnapshot } from '#ledger/subscription/standing.js';
import { objectAt, objectIn, textAt, type Fields } from '../shapes/fields.js';
import { requestOf, subjectBefore, subjectOf } from '../shapes/billing.js';
import { normaliseSubscription } from '../shapes/subscription.js';
import { planItemsOf, type PlanItem } from '../shapes/plan-item.js';
import {
  commands,
  customerOf,
  namedCustomer,
  unknownCustomer,
  park,
  observationKey,
  type FactCommand,
  type Lookups,
  type Translate,
} from './translation.js';
import { isPlans } from './invoice/waiting.js';
import { namingOfSubject } from './naming.js';

/** `plans`: all items that have one; the first is that of the snapshot. */
type Seen = {
  readonly snapshot: SubscriptionSnapshot;
  readonly plans: readonly PlanItem[];
  /** When the subscription began; null where that is not known. */
  readonly begunAt: Instant | null;
};

/** What a subscription's object shows, as of the event; or why it cannot be kept. */
function seenIn(
  subject: Fields | null,
  stage: SubscriptionSnapshot['stage'],
  event: ReceivedStripeEvent,
  lookups: Lookups,
): Seen | ReturnType<typeof park> {
  const read = normaliseSubscription(subject);
  if ('unreadable' in read) return park('unknown_shape', null, read.unreadable);
  const { items, oddItems, stripeCustomerId, metadata, cancelAtPeriodEnd, cancelAt, begunAt, ...rest } = read.ok;
  const { id: subscriptionId, ...seen } = rest;
  const customerId = namedCustomer(metadata[lookups.customerKey]) ?? customerOf(lookups, stripeCustomerId);
  if (customerId === null) {
    return unknownCustomer(stripeCustomerId, { [`metadata.${lookups.customerKey}`]: metadata[lookups.customerKey] });
  }
  const odd = oddItems.find((item) => isPlans(item, lookups.catalog));
  if (odd !== undefined) return park('unknown_shape', subscriptionId, odd.problem);
  const plans = planItemsOf(items, lookups.catalog);
  const [main] = plans;
  if (main === undefined) {
    const [unknown] = items.map(({ priceId }) => priceId).sort();
    if (unknown !== undefined)
      return park('unknown_price', unknown, 'no plan of the catalogue has the Stripe price of any item');
    return park('unknown_shape', subscriptionId, oddItems[0]?.problem ?? 'the subscription has no items');
  }
  const { item, known } = main;
  const snapshot: SubscriptionSnapshot = {
    ...seen,
    subscriptionId,
    customerId,
    planId: known.plan.id,
    interval: known.interval,
    quantity: item.quantity,
    itemId: item.id,
    periodStart: item.periodStart,
    periodEnd: item.periodEnd,
    cancelAt: cancelAt ?? (cancelAtPeriodEnd ? item.periodEnd : null),
    seenAt: event.created,
    stage,
  };
  return { snapshot, plans, begunAt };
}

/**
 * `customer.subscription.*`: how a subscription stands. It grants no paid credits: those come with the paid invoice. A trial
 * grants what its plan gives to try; an end puts the customer on the free plan.
 */
const translateStanding =
  (stage: SubscriptionSnapshot['stage']): Translate =>
  (event, lookups) => {
    const seen = seenIn(subjectOf(event.payload), stage, event, lookups);
    if ('kind' in seen) return seen;
    const { snapshot } = seen;
    const earlier = subjectBefore(event.payload);
    const before = earlier === null ? null : seenIn(earlier, stage, event, lookups);
    // What was before may be unreadable, or of a plan that is not sold here: then nothing is known of the step.
    const step =
      before === null || 'kind' in before
        ? {}
        : { step: stepBetween(before.snapshot, snapshot, requestOf(event.payload)) };
    const observe: FactCommand = {
      to: 'subscription',
      stream: subscriptionStream(snapshot.subscriptionId),
      key: observationKey(event),
      command: { type: 'ObserveSubscription', snapshot, ...step },
    };
    const observePlan: FactCommand = {
      to: 'usage',
      stream: usageStream(snapshot.customerId),
      key: observationKey(event),
      command: { type: 'ObservePlan', snapshot, ...step },
    };
    return commands(
      observe,
      observePlan,
      ...namingOfSubject(event, lookups),
      ...trialOf(event, seen),
      ...endTerms(snapshot),
      ...fallOf(event, snapshot, lookups),
    );
  };

export const translateSubscriptionCreated = translateStanding(0);
export const translateSubscription = translateStanding(1);
/** A pause or its end, which comes after the changes of the same second that led to it. */
export const translateSubscriptionTurn = translateStanding(2);
export const translateSubscriptionDeleted = translateStanding(2);

/**
 * Whether the event may report a trial's start. Of all that happens in a trial only its start says for which plan and how many
 * seats it began, whatever comes first. An update that does not say what changed comes from no webhook, but from a repair.
 */
function beginsTrial({ stripeType, payload }: ReceivedStripeEvent): boolean {
  if (stripeType !== 'customer.subscription.updated') return stripeType === 'customer.subscription.created';
  const before = objectAt(objectAt(objectIn(payload), 'data'), 'previous_attributes');
  const status = textAt(before, 'status');
  return before === null || (status !== null && status !== 'trialing');
}

/**
 * A trial's credits, once in the life of a subscription that began with it; every item's plan gives its own, as its paid months do. They
 * end with the trial, whenever that is by what the subscription shows last.
 */
function trialOf(event: ReceivedStripeEvent, { snapshot, plans, begunAt }: Seen): readonly FactCommand[] {
  const { status, trialStart, trialEnd: end, customerId, subscriptionId, itemId, seenAt, planId } = snapshot;
  if (end === null) return [];
  const to = { to: 'account', stream: accountStream(customerId, DEFAULT_UNIT) } as const;
  const start = trialStart ?? seenAt;
  const time = { subscriptionId, start, end, version: 0 } as const;
  const moved: FactCommand = { ...to, key: `trial:${observationKey(event)}`, command: { type: 'MoveTrial', ...time } };
  const amount = plans.reduce(
    (sum, { item, known }) => sum + (known.plan.policy?.trialCredits ?? 0) * item.quantity,
    0,
  );
  // Time that is given to who pays already moves the next payment, and is no trial.
  const begins = status === 'trialing' && beginsTrial(event) && (begunAt === null || start <= begunAt);
  if (!begins || amount === 0 || !isAmount(amount)) return [moved];
  const metadata = { plan: planId, subscription: subscriptionId };
  const agreed: FactCommand = {
    ...to,
    key: `${subscriptionId}:trial_start`,
    command: { type: 'AgreeTrial', ...time, itemId, amount, metadata },
  };
  return [agreed, moved];
}

/** What of a subscription that has ended begins then or later is not given. */
function endTerms(snapshot: SubscriptionSnapshot): readonly FactCommand[] {
  const { status, subscriptionId, customerId } = snapshot;
  if (!hasEnded(status)) return [];
  const endedAt = endOf(snapshot);
  const command = { type: 'EndSubscription', subscriptionId, endedAt } as const;
  const key = `ended:${subscriptionId}:${endedAt}`;
  return [{ to: 'account', stream: accountStream(customerId, DEFAULT_UNIT), key, command }];
}

/** Whose subscription has ended is on the free plan, if the catalogue has one. */
function fallOf(
  event: ReceivedStripeEvent,
  { status, customerId }: SubscriptionSnapshot,
  { catalog }: Lookups,
): readonly FactCommand[] {
  const free = hasEnded(status) ? freePlanOf(catalog) : null;
  if (free === null) return [];
  const subscriptionId = freeSubscriptionId(customerId);
  const key = observationKey(event);
  const start = { type: 'StartFreePlan', subscriptionId, customerId, planId: free.id } as const;
  const enter = { type: 'EnterFreePlan', planId: free.id } as const;
  return [
    { to: 'subscription', stream: subscriptionStream(subscriptionId), key, command: start },
    { to: 'usage', stream: usageStream(customerId), key: `free:${key}`, command: enter },
  ];
}
