import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type Stripe from 'stripe';
import { EventStore } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { catalogStream, subscriptionStream } from '#kernel/stream-name.js';
import { planOfStripePrice, type CatalogState } from '#ledger/catalog.js';
import { hasEnded } from '#ledger/subscription-standing.js';
import { freeSubscriptionId } from '#ledger/subscription.js';
import { subscriptionOf } from '#projections/subscriptions/queries.js';
import { ReadDatabase } from '#read-store/read-database.js';
import type { StripeClient } from '#stripe/operations/client.js';
import { paymentIntentMaking, portalMaking, sessionMaking } from '#stripe/operations/operation.js';
import { priceOfPlan, saleOf, sessionParams, type Sale, type Wish } from '#stripe/operations/checkout.js';
import { unchargeable } from '#stripe/operations/money.js';
import { subscriptionMaking, viewOf, type SubscriptionWish } from '#stripe/operations/subscription.js';
import { ApiContext } from '../api-context.js';
import { RunCustomerCommand } from '../customers/customer.commands.js';
import { Problem } from '../http/problems.js';
import { CatalogReader, SubscriptionWriter } from '../writes/ledger-writers.js';
import { newestPosition } from '../writes/newest-position.js';
import { BillingAccounts } from './billing-accounts.js';
import { BillingAnswers, type BillingAnswer } from './billing-answers.js';
import { BillingRate } from './billing-rate.js';
import { errandFor, requestOf, type Asking, type BillingRequest } from './billing-request.js';
import { StripeConnection } from './stripe-connection.js';
import { StripeCustomers } from './stripe-customers.js';
import { StripeSubscriptions } from './stripe-subscriptions.js';
import { recordedOrProblem, StripeOutbox, type OnBehalfOf } from './stripe-outbox.js';

type ReturnUrls = { readonly successUrl: string | undefined; readonly cancelUrl: string | undefined };
type WantedPayment = { readonly amount: number; readonly currency: string; readonly description: string | null };

/** What customers buy and change at Stripe. Every call that changes something there is an errand of the outbox. */
@Injectable()
export class BillingService {
  constructor(
    private readonly context: ApiContext,
    private readonly connection: StripeConnection,
    private readonly outbox: StripeOutbox,
    private readonly answers: BillingAnswers,
    private readonly accounts: BillingAccounts,
    private readonly rate: BillingRate,
    private readonly store: EventStore,
    private readonly stripeCustomers: StripeCustomers,
    private readonly stripeSubscriptions: StripeSubscriptions,
    private readonly catalog: CatalogReader,
    private readonly subscriptions: SubscriptionWriter,
    private readonly commands: CommandBus,
    private readonly database: ReadDatabase,
    private readonly clock: Clock,
  ) {}

  /** A page of Stripe's where the wish is paid for. Throws Problem. */
  checkout(asking: Asking, wish: Wish, urls: ReturnUrls): Promise<BillingAnswer> {
    const request = requestOf(asking, 'create_checkout_session', { ...wish, ...urls });
    return this.answers.once(request, () => this.#newSession(request, wish, urls));
  }

  async #newSession(
    request: BillingRequest<'create_checkout_session'>,
    wish: Wish,
    urls: ReturnUrls,
  ): Promise<BillingAnswer> {
    const client = this.connection.forRequest();
    const sale = saleOf(wish, await this.#catalog());
    if ('rejected' in sale) throw new Problem(sale.rejected);
    const settings = this.#settings(urls);
    const { customerId, id: intentId } = request;
    await this.accounts.checkOpen(customerId);
    const isNew = (await this.outbox.objectOf(intentId)) === null;
    const wanted = sale.mode === 'subscription' && isNew ? await this.#newSubscription(request, sale, client) : sale;
    const errand = errandFor(request, wish);
    // What was begun before, and is finished now, was counted then.
    if (!(await this.outbox.wasIntended(errand))) await this.rate.take('checkout', customerId);
    return this.stripeCustomers.withPrimary(request, client, (stripeCustomerId) => {
      const who = { customerId, stripeCustomerId, intentId, customerKey: this.#customerKey };
      const making = sessionMaking(sessionParams(wanted, who, settings), stripeCustomerId, intentId);
      return this.answers.after(request, { ...errand, making, client }, ({ id, url, expires_at }) => ({
        id,
        url,
        expiresAt: instantOf(expires_at * 1000),
      }));
    });
  }

  /** A payment that the caller's own page collects. Throws Problem. */
  paymentIntent(asking: Asking, wanted: WantedPayment): Promise<BillingAnswer> {
    const request = requestOf(asking, 'create_payment_intent', wanted);
    return this.answers.once(request, () => this.#newPaymentIntent(request, wanted));
  }

  async #newPaymentIntent(
    request: BillingRequest<'create_payment_intent'>,
    wanted: WantedPayment,
  ): Promise<BillingAnswer> {
    const { amount, currency } = wanted;
    const reason = unchargeable({ amount, currency });
    if (reason !== null) throw new Problem(reason === 'currency' ? 'currency_unsupported' : 'amount_not_chargeable');
    const client = this.connection.forRequest();
    const { customerId, id: intentId } = request;
    await this.accounts.checkOpen(customerId);
    const errand = errandFor(request, { amount, currency });
    return this.stripeCustomers.withPrimary(request, client, (stripeCustomerId) => {
      const who = { customerId, stripeCustomerId, intentId, customerKey: this.#customerKey };
      const making = paymentIntentMaking({ money: { amount, currency }, description: wanted.description }, who);
      return this.answers.after(request, { ...errand, making, client }, ({ id, client_secret, status }) => ({
        id,
        clientSecret: client_secret,
        status,
      }));
    });
  }

  /** A page of Stripe's where the customer looks after subscription, cards and invoices. Throws Problem. */
  portal(asking: Asking, returnUrl: string | undefined): Promise<BillingAnswer> {
    const request = requestOf(asking, 'create_portal_session', { returnUrl });
    return this.answers.once(request, () => this.#newPortal(request, returnUrl));
  }

  async #newPortal(
    request: BillingRequest<'create_portal_session'>,
    returnUrl: string | undefined,
  ): Promise<BillingAnswer> {
    const client = this.connection.forRequest();
    const address = returnUrl ?? withoutSession(this.#returnUrl('returnUrl'));
    const errand = errandFor(request, {});
    if (!(await this.outbox.wasIntended(errand))) await this.rate.take('portal', request.customerId);
    const open = (stripeCustomerId: string): Promise<BillingAnswer> => {
      const making = portalMaking(stripeCustomerId, address);
      return this.answers.after(request, { ...errand, making, client }, ({ url }) => ({ url }));
    };
    const running = await this.stripeSubscriptions.running(request, client);
    const payer = running?.stripeCustomerId ?? null;
    return payer === null ? this.stripeCustomers.withPrimary(request, client, open) : open(payer);
  }

  /** Cancels or resumes the subscription that the customer has at Stripe. Throws Problem. */
  cancelOrResume(asking: Asking, wish: Exclude<SubscriptionWish, { kind: 'change' }>): Promise<BillingAnswer> {
    const operation = wish.kind === 'cancel' ? 'cancel_subscription' : 'resume_subscription';
    const request = requestOf(asking, operation, wish);
    return this.answers.once(request, () => this.#changeSubscription(request, wish));
  }

  /** Puts the subscription on another plan or interval. Throws Problem. */
  change(
    asking: Asking,
    wanted: { readonly plan: string; readonly interval: 'month' | 'year'; readonly when: 'now' | 'period_end' },
  ): Promise<BillingAnswer> {
    const request = requestOf(asking, 'change_subscription', wanted);
    return this.answers.once(request, async () => {
      const price = priceOfPlan(await this.#catalog(), wanted.plan, wanted.interval);
      if ('rejected' in price) throw new Problem(price.rejected);
      return this.#changeSubscription(request, { kind: 'change', priceId: price.priceId, when: wanted.when });
    });
  }

  /** Puts the customer on a plan that costs nothing; Stripe has no part in it. May be repeated. Throws Problem. */
  startFreePlan(asking: Asking, planId: string): Promise<BillingAnswer> {
    const request = requestOf(asking, 'start_free_plan', { plan: planId });
    return this.answers.once(request, () => this.#newFreePlan(request, planId));
  }

  async #newFreePlan(request: BillingRequest, planId: string): Promise<BillingAnswer> {
    const listed = (await this.#catalog()).plans.get(planId);
    if (!listed?.active) throw new Problem('plan_not_found');
    if (!listed.item.free) throw new Problem('plan_not_free');
    const { customerId, actor, requestId } = request;
    await this.accounts.checkOpen(customerId);
    const now = instantOf(this.clock.now());
    const running = await subscriptionOf(this.database, customerId, now, this.context.config.stripe.gracePeriodDays);
    const paid = running !== null && running.interval !== null && !hasEnded(running.status);
    if (paid && running.status !== 'incomplete') throw new Problem('already_subscribed');
    await this.#register(request);
    await this.accounts.note(request);
    const subscriptionId = freeSubscriptionId(customerId);
    const stream = subscriptionStream(subscriptionId);
    const outcome = await this.subscriptions.execute({
      stream,
      command: { type: 'StartFreePlan', subscriptionId, customerId, planId },
      key: null, // harmless to repeat: who is on the plan stays on it
      origin: 'api',
      fingerprint: null,
      actor,
      causationId: null,
      correlationId: requestId,
    });
    recordedOrProblem(outcome);
    const { revision } = await this.subscriptions.load(stream);
    const position = await newestPosition(this.store, stream, revision);
    const answer = { id: subscriptionId, status: 'active', plan: planId, interval: null, position };
    return this.answers.kept(request, answer);
  }

  /** One subscription a customer, whoever of its Stripe customers pays it, and a trial only for who never had one. */
  async #newSubscription(
    behalf: OnBehalfOf,
    sale: Sale & { mode: 'subscription' },
    client: StripeClient,
  ): Promise<Sale & { mode: 'subscription' }> {
    if ((await this.stripeSubscriptions.running(behalf, client)) !== null) throw new Problem('already_subscribed');
    if (sale.trialDays === null) return sale;
    return (await this.stripeSubscriptions.hadAny(behalf, client)) ? { ...sale, trialDays: null } : sale;
  }

  async #changeSubscription(
    request: BillingRequest<'cancel_subscription' | 'resume_subscription' | 'change_subscription'>,
    wish: SubscriptionWish,
  ): Promise<BillingAnswer> {
    const client = this.connection.forRequest();
    // Only what ends the paying goes on: the next period of a closed account would buy nothing.
    if (wish.kind !== 'cancel') await this.accounts.checkOpen(request.customerId);
    const running = await this.stripeSubscriptions.running(request, client);
    // One that this very request has ended is known by the request's own key.
    const subscriptionId = running?.subscription.id ?? (await this.outbox.objectOf(request.id));
    if (subscriptionId === null) throw new Problem('subscription_not_found');
    const errand = errandFor(request, { ...wish, subscriptionId });
    const making = subscriptionMaking(subscriptionId, wish);
    const catalog = await this.#catalog();
    return this.answers.after(request, { ...errand, making, client }, (made) => bodyOf(made, catalog));
  }

  async #register({ customerId, actor, requestId }: OnBehalfOf): Promise<void> {
    const command = { type: 'RegisterCustomer', customerId } as const;
    const outcome = await this.commands.execute(new RunCustomerCommand(command, actor, requestId));
    if (outcome.kind === 'refused') throw new Problem(outcome.refusal.rejected);
    recordedOrProblem(outcome);
  }

  async #catalog(): Promise<CatalogState> {
    return (await this.catalog.load(catalogStream)).state;
  }

  get #customerKey(): string {
    return this.context.config.stripe.customerKey;
  }

  #settings(urls: ReturnUrls) {
    const { automaticTax, taxRates } = this.context.config.stripe;
    return {
      successUrl: urls.successUrl ?? this.#returnUrl('successUrl'),
      cancelUrl: urls.cancelUrl ?? withoutSession(urls.successUrl ?? this.#returnUrl('cancelUrl')),
      automaticTax,
      taxRates: automaticTax ? [] : taxRates,
    };
  }

  #returnUrl(field: string): string {
    const { returnUrl } = this.context.config.stripe;
    const message = 'is needed here, because STRIPE_RETURN_URL is not set';
    if (returnUrl === null) throw new Problem('invalid_request', { errors: [{ field, message }] });
    return returnUrl;
  }
}

/** Stripe puts the session's id only into the address after a purchase; elsewhere its place would stay as it is written. */
function withoutSession(address: string): string {
  const member = /([?&])[^?&#=]*=\{CHECKOUT_SESSION_ID\}(&?)/g;
  const before = address.replace(member, (_, first: string, next: string) => (next === '' ? '' : first));
  return before.replaceAll('{CHECKOUT_SESSION_ID}', '');
}

function bodyOf(subscription: Stripe.Subscription, catalog: CatalogState): object {
  const { priceId, ...view } = viewOf(subscription);
  const plan = priceId === null ? null : planOfStripePrice(catalog, priceId);
  return { ...view, plan: plan?.plan.id ?? null, interval: plan?.interval ?? null };
}
