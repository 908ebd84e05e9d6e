import type { Instant } from '#kernel/instant.js';

export const subscriptionStatuses = [
  'incomplete',
  'trialing',
  'active',
  'past_due',
  'unpaid',
  'paused',
  'canceled',
  'incomplete_expired',
] as const;
export type SubscriptionStatus = (typeof subscriptionStatuses)[number];

/** A subscription as Stripe showed it at `seenAt`. */
export type SubscriptionSnapshot = {
  readonly subscriptionId: string;
  readonly customerId: string;
  readonly status: SubscriptionStatus;
  readonly planId: string;
  readonly interval: 'month' | 'year';
  readonly quantity: number;
  readonly itemId: string;
  readonly periodStart: Instant | null;
  readonly periodEnd: Instant | null;
  readonly trialStart: Instant | null;
  readonly trialEnd: Instant | null;
  /** When it will end, or null: by `cancel_at`, or at the end of the period. */
  readonly cancelAt: Instant | null;
  readonly canceledAt: Instant | null;
  readonly endedAt: Instant | null;
  /** Paused, or only its collection of payments. */
  readonly paused: boolean;
  readonly seenAt: Instant;
  /** Which of one second is later where no change tells: 0 the creation, 1 a change, 2 what it led to: a pause, its end, the end. */
  readonly stage: 0 | 1 | 2;
};

/** The newest snapshot, and since when it has been unpaid. */
export type SubscriptionStanding = SubscriptionSnapshot & { readonly pastDueSince: Instant | null };

/** Whether nothing comes of it any more. */
export const hasEnded = (status: SubscriptionStatus): boolean =>
  status === 'canceled' || status === 'incomplete_expired';
/** Whether a payment is missing while it goes on. */
export const isUnpaid = (status: SubscriptionStatus): boolean => status === 'past_due' || status === 'unpaid';

/** The names of the changes from one snapshot to the next. */
export type SubscriptionChange =
  | 'TrialStarted'
  | 'PaymentPastDue'
  | 'SubscriptionRecovered'
  | 'PlanChanged'
  | 'CancellationScheduled'
  | 'CancellationUnscheduled'
  | 'SubscriptionPaused'
  | 'SubscriptionResumed'
  | 'SubscriptionCanceled'
  | 'SubscriptionExpired';

/** What changed; none where only dates or nothing did. `before` is null for the first that is heard. */
export function changesBetween(
  before: SubscriptionSnapshot | null,
  after: SubscriptionSnapshot,
): readonly SubscriptionChange[] {
  const was = before?.status ?? null;
  const { status } = after;
  const found: SubscriptionChange[] = [];
  const add = (name: SubscriptionChange, happened: boolean): void => {
    if (happened) found.push(name);
  };
  add('TrialStarted', status === 'trialing' && was !== 'trialing');
  add('PaymentPastDue', isUnpaid(status) && (was === null || !isUnpaid(was)));
  add('SubscriptionRecovered', status === 'active' && was !== null && isUnpaid(was));
  add('PlanChanged', before !== null && agreed(before) !== agreed(after));
  const ended = hasEnded(status);
  add('CancellationScheduled', !ended && after.cancelAt !== null && before?.cancelAt !== after.cancelAt);
  add('CancellationUnscheduled', !ended && after.cancelAt === null && before !== null && before.cancelAt !== null);
  add('SubscriptionPaused', after.paused && before?.paused !== true);
  add('SubscriptionResumed', !ended && !after.paused && before?.paused === true);
  add('SubscriptionCanceled', status === 'canceled' && was !== 'canceled');
  add('SubscriptionExpired', status === 'incomplete_expired' && was !== 'incomplete_expired');
  return found;
}

const agreed = ({ planId, interval, quantity }: SubscriptionSnapshot): string =>
  `${planId} ${interval} ${String(quantity)}`;

/** When a subscription that has ended did so, as far as Stripe says. */
export const endOf = ({
  endedAt,
  canceledAt,
  seenAt,
}: Pick<SubscriptionSnapshot, 'endedAt' | 'canceledAt' | 'seenAt'>): Instant => endedAt ?? canceledAt ?? seenAt;

/**
 * Since when a payment is missing; the plan lapses when the days of grace after it have passed. Empty, so before all times, where
 * they are over whatever their number: Stripe has given up. Null while all is paid.
 */
export const lapsesFrom = ({ status, pastDueSince }: SubscriptionStanding): Instant | null =>
  status === 'unpaid' ? '' : status === 'past_due' ? pastDueSince : null;
