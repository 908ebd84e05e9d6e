import { plusMs, type Instant } from '#kernel/instant.js';
import type { AccountCommand } from '#ledger/account/commands.js';

type Command<Type extends AccountCommand['type']> = Extract<AccountCommand, { type: Type }>;

export const minutes = (start: Instant, count: number): Instant => plusMs(start, count * 60_000);
export const days = (start: Instant, count: number): Instant => minutes(start, count * 1440);

/** A paid period of `sub_1` with 5,000 credits a month, as far as `more` does not say otherwise. */
export const period = (periodStart: Instant, periodEnd: Instant, more: Partial<Command<'GrantPeriod'>> = {}) =>
  ({
    type: 'GrantPeriod',
    subscriptionId: 'sub_1',
    itemId: 'si_1',
    periodStart,
    periodEnd,
    interval: 'month',
    creditsPerMonth: 5000,
    prorated: false,
    cost: { amount: 4900, currency: 'usd' },
    rolloverCap: 0,
    paymentReference: `in_${periodStart}`,
    lines: [],
    metadata: {},
    ...more,
  }) as const satisfies AccountCommand;

export const ended = (endedAt: Instant, subscriptionId = 'sub_1'): AccountCommand => ({
  type: 'EndSubscription',
  subscriptionId,
  endedAt,
});

/** The free plan's month; `amount` null: it should not be granted. */
export const free = (start: Instant, end: Instant, amount: number | null): AccountCommand => ({
  type: 'KeepFreeMonths',
  subscriptionId: 'free:acme',
  planId: 'free',
  months: [{ start, end, amount }],
});

/** A trial of `sub_1` that gives `amount` credits. */
export const trial = (amount: number, start: Instant, end: Instant): AccountCommand => ({
  type: 'AgreeTrial',
  ...{ subscriptionId: 'sub_1', itemId: 'si_1', amount, start, end, version: 0, metadata: {} },
});

let reports = 0;

/** Its end as it is known by a later report; `version` tells which is the newest. */
export const trialMoved = (start: Instant, end: Instant, version = ++reports): AccountCommand => ({
  type: 'MoveTrial',
  ...{ subscriptionId: 'sub_1', start, end, version },
});
