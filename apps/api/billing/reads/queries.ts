import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Money } from '#kernel/amount.js';
import { msOf, type Instant } from '#kernel/instant.js';
import { DEFAULT_UNIT } from '#kernel/stream-name.js';
import { NO_USAGE, usageAt, type PeriodUsage } from '#ledger/account/usage.js';
import { AccountLog } from '#projections/balances/account-log.js';
import { balanceOf } from '#projections/balances/queries.js';
import { plansOf, type ListedPlan } from '#projections/catalogue/queries.js';
import { invoicesProjection } from '#projections/invoices/invoices.js';
import { invoicesOf, type Invoice } from '#projections/invoices/queries.js';
import { paymentsProjection } from '#projections/payments/payments.js';
import { paymentsOf, type Payment } from '#projections/payments/queries.js';
import { subscriptionsProjection } from '#projections/subscriptions/subscriptions.js';
import { subscriptionOf, type Subscription } from '#projections/subscriptions/queries.js';
import type { Cursor, Page } from '#database/page.js';
import type { Reader } from '#database/database.js';
import { ApiContext } from '../../api-context.js';
import { FreshReads, type Fresh, type ReadRequest } from '../../reads/freshness.js';

type PlanOf = { readonly id: string; readonly name: string };
export type SubscriptionAnswer = Omit<Subscription, 'planId'> & {
  readonly plan: PlanOf;
  /** The plan whose features and limits the customer has now: the free one where the plan itself is not in force. */
  readonly planInForce: PlanOf | null;
};

/** The subscription that counts for a customer; null when there is none. */
export class GetSubscription extends Query<Fresh<SubscriptionAnswer | null>> {
  constructor(
    readonly customerId: string,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(GetSubscription)
export class GetSubscriptionHandler implements IQueryHandler<GetSubscription> {
  constructor(
    private readonly reads: FreshReads,
    private readonly context: ApiContext,
  ) {}

  execute({ customerId, request }: GetSubscription): Promise<Fresh<SubscriptionAnswer | null>> {
    const { gracePeriodDays } = this.context.config.stripe;
    return this.reads.read(request, subscriptionsProjection.name, async (reader, now) => {
      const found = await subscriptionOf(reader, customerId, now, gracePeriodDays);
      return found === null ? null : withPlan(found, await plansOf(reader));
    });
  }
}

function withPlan({ planId, ...subscription }: Subscription, plans: readonly ListedPlan[]): SubscriptionAnswer {
  const plan = { id: planId, name: plans.find(({ id }) => id === planId)?.name ?? planId };
  return { ...subscription, plan, planInForce: subscription.entitled ? plan : named(freePlan(plans)) };
}

const named = (plan: ListedPlan | null): PlanOf | null => plan && { id: plan.id, name: plan.name };

const freePlan = (plans: readonly ListedPlan[]): ListedPlan | null =>
  plans.find(({ free, active }) => free && active) ?? null;

/** A page of what a customer has, and for whom. */
export type Listing = {
  readonly customerId: string;
  readonly limit: number;
  readonly cursor: Cursor | null;
  readonly request: ReadRequest;
};

export class ListPayments extends Query<Fresh<Page<Payment>>> {
  constructor(readonly listing: Listing) {
    super();
  }
}

@QueryHandler(ListPayments)
export class ListPaymentsHandler implements IQueryHandler<ListPayments> {
  constructor(private readonly reads: FreshReads) {}

  execute({ listing: { customerId, limit, cursor, request } }: ListPayments): Promise<Fresh<Page<Payment>>> {
    return this.reads.read(request, paymentsProjection.name, (reader) => paymentsOf(reader, customerId, limit, cursor));
  }
}

export class ListInvoices extends Query<Fresh<Page<Invoice>>> {
  constructor(readonly listing: Listing) {
    super();
  }
}

@QueryHandler(ListInvoices)
export class ListInvoicesHandler implements IQueryHandler<ListInvoices> {
  constructor(private readonly reads: FreshReads) {}

  execute({ listing: { customerId, limit, cursor, request } }: ListInvoices): Promise<Fresh<Page<Invoice>>> {
    return this.reads.read(request, invoicesProjection.name, (reader) => invoicesOf(reader, customerId, limit, cursor));
  }
}

export type BillingStatus = {
  readonly customerId: string;
  readonly plan: PlanOf | null;
  readonly planInForce: PlanOf | null;
  readonly status: Subscription['status'] | 'none';
  readonly entitled: boolean;
  readonly graceUntil: Instant | null;
  readonly cancelAt: Instant | null;
  readonly period: { readonly start: Instant; readonly end: Instant } | null;
  readonly credits: {
    readonly available: number;
    readonly held: number;
    readonly debt: number;
    readonly bySource: object;
    readonly usage: PeriodUsage;
    /** That of the usage. */
    readonly limit: number | null;
  };
  /** By the plan's price; taxes, discounts and changes under way are not in it. */
  readonly nextInvoice: { readonly at: Instant; readonly amount: Money } | null;
  readonly recentInvoices: readonly Invoice[];
};

const RECENT_INVOICES = 5;

/** All that a customer's billing page begins with; null for a customer never heard of. */
export class GetBillingStatus extends Query<Fresh<BillingStatus | null>> {
  constructor(
    readonly customerId: string,
    readonly request: ReadRequest,
  ) {
    super();
  }
}

@QueryHandler(GetBillingStatus)
export class GetBillingStatusHandler implements IQueryHandler<GetBillingStatus> {
  constructor(
    private readonly reads: FreshReads,
    private readonly log: AccountLog,
    private readonly context: ApiContext,
  ) {}

  async execute({ customerId, request }: GetBillingStatus): Promise<Fresh<BillingStatus | null>> {
    // Read models move on by themselves: the one that is named is as fresh as was asked, the others are waited for.
    await this.reads.reached(request, invoicesProjection.name);
    await this.reads.reached(request, 'balances');
    const { gracePeriodDays } = this.context.config.stripe;
    return this.reads.read(request, subscriptionsProjection.name, (reader, now) =>
      statusOf(reader, this.log, customerId, { now, graceDays: gracePeriodDays }),
    );
  }
}

async function statusOf(
  reader: Reader,
  log: AccountLog,
  customerId: string,
  { now, graceDays }: { readonly now: Instant; readonly graceDays: number },
): Promise<BillingStatus | null> {
  const balance = await balanceOf(reader, log, { customerId, unit: DEFAULT_UNIT }, msOf(now));
  const subscription = await subscriptionOf(reader, customerId, now, graceDays);
  if (balance === null && subscription === null) return null;
  const plans = await plansOf(reader);
  const plan = plans.find(({ id }) => id === subscription?.planId) ?? null;
  const inForce = subscription?.entitled === true ? plan : freePlan(plans);
  const { data: recentInvoices } = await invoicesOf(reader, customerId, RECENT_INVOICES, null);
  const { currentPeriodStart: start = null, currentPeriodEnd: end = null } = subscription ?? {};
  const usage = balance?.usage ?? usageAt(NO_USAGE, now);
  return {
    customerId,
    plan: subscription === null ? null : { id: subscription.planId, name: plan?.name ?? subscription.planId },
    planInForce: subscription === null ? null : named(inForce),
    status: subscription?.status ?? 'none',
    entitled: subscription?.entitled ?? false,
    graceUntil: subscription?.graceUntil ?? null,
    cancelAt: subscription?.cancelAt ?? null,
    period: start === null || end === null ? null : { start, end },
    credits: {
      available: balance?.available ?? 0,
      held: balance?.held ?? 0,
      debt: balance?.debt ?? 0,
      bySource: balance?.bySource ?? {},
      usage,
      limit: usage.limit,
    },
    nextInvoice: nextInvoiceOf(subscription, plan),
    recentInvoices,
  };
}

/** Null where nothing more will be charged by itself. */
function nextInvoiceOf(subscription: Subscription | null, plan: ListedPlan | null): BillingStatus['nextInvoice'] {
  if (subscription === null || plan === null || subscription.paused) return null;
  const { status, interval, currentPeriodEnd: at, cancelAt, quantity } = subscription;
  const price = interval === 'year' ? plan.yearly : interval === 'month' ? plan.monthly : null;
  if (price === null || at === null || (cancelAt !== null && cancelAt <= at)) return null;
  if (status !== 'active' && status !== 'trialing' && status !== 'past_due') return null;
  return { at, amount: { amount: price.money.amount * quantity, currency: price.money.currency } };
}
