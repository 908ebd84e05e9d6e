import { Injectable } from '@nestjs/common';
import type Stripe from 'stripe';
import { catalogStream } from '#kernel/stream-name.js';
import { planOfStripePrice, type CatalogState } from '#ledger/catalog.js';
import { priceOfPlan } from '#stripe/operations/checkout.js';
import { subscriptionOperation, viewOf, type SubscriptionChange } from '#stripe/operations/subscription.js';
import { Problem } from '../../http/problem.js';
import { CatalogReader } from '../../writes/ledger-writers.js';
import { BillingAnswers, type BillingAnswer } from './answers.js';
import { BillingChecks } from './checks.js';
import { callFor, requestOf, type Asking, type BillingRequest } from './request.js';
import { StripeConnection } from '../stripe/connection.js';
import { StripeSubscriptions } from '../stripe/subscriptions.js';

/** Changes the subscription that a customer has at Stripe. */
@Injectable()
export class SubscriptionChanges {
  constructor(
    private readonly connection: StripeConnection,
    private readonly answers: BillingAnswers,
    private readonly checks: BillingChecks,
    private readonly subscriptions: StripeSubscriptions,
    private readonly catalog: CatalogReader,
  ) {}

  /** Cancels it or resumes it. Throws Problem. */
  cancelOrResume(asking: Asking, change: Exclude<SubscriptionChange, { kind: 'change' }>): Promise<BillingAnswer> {
    const operation = change.kind === 'cancel' ? 'cancel_subscription' : 'resume_subscription';
    const request = requestOf(asking, operation, change);
    return this.answers.once(request, () => this.#change(request, change));
  }

  /** Puts it on another plan or interval. Throws Problem. */
  change(
    asking: Asking,
    wanted: { readonly plan: string; readonly interval: 'month' | 'year'; readonly when: 'now' | 'period_end' },
  ): Promise<BillingAnswer> {
    const request = requestOf(asking, 'change_subscription', wanted);
    return this.answers.once(request, async () => {
      const price = priceOfPlan(await this.#onSale(), wanted.plan, wanted.interval);
      if ('rejected' in price) throw new Problem(price.rejected);
      return this.#change(request, { kind: 'change', priceId: price.priceId, when: wanted.when });
    });
  }

  async #change(
    request: BillingRequest<'cancel_subscription' | 'resume_subscription' | 'change_subscription'>,
    change: SubscriptionChange,
  ): Promise<BillingAnswer> {
    const client = this.connection.forRequest();
    // Only what ends the paying goes on: the next period of a closed account would buy nothing.
    if (change.kind !== 'cancel') await this.checks.isOpen(request.customerId);
    const running = await this.subscriptions.running(request, client);
    // One that this very request has ended is known by the request's own key.
    const subscriptionId = running?.subscription.id ?? (await this.answers.objectOf(request));
    if (subscriptionId === null) throw new Problem('subscription_not_found');
    const call = callFor(request, { ...change, subscriptionId });
    const operation = subscriptionOperation(subscriptionId, change);
    const onSale = await this.#onSale();
    return this.answers.after(request, { ...call, operation, client }, (made) => bodyOf(made, onSale));
  }

  async #onSale(): Promise<CatalogState> {
    return (await this.catalog.load(catalogStream)).state;
  }
}

function bodyOf(subscription: Stripe.Subscription, catalog: CatalogState): object {
  const { priceId, ...view } = viewOf(subscription);
  const plan = priceId === null ? null : planOfStripePrice(catalog, priceId);
  return { ...view, plan: plan?.plan.id ?? null, interval: plan?.interval ?? null };
}
