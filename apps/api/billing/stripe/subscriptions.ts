import { Injectable } from '@nestjs/common';
import type Stripe from 'stripe';
import { subscriptionStream } from '#kernel/stream-name.js';
import { hasEnded } from '#ledger/subscription/standing.js';
import { everSubscribed } from '#projections/subscriptions/queries.js';
import { Database } from '#database/database.js';
import type { StripeAnswer, StripeClient } from '#stripe/operations/client.js';
import { inSlices } from '#stripe/operations/in-slices.js';
import { namedCustomer } from '#stripe/translations/translation.js';
import { hadSubscription, isRunning, liveSubscriptions } from '#stripe/operations/subscription.js';
import { ApiContext } from '../../api-context.js';
import { SubscriptionWriter } from '../../writes/ledger-writers.js';
import { ShownSubscriptions } from '../reads/shown-subscriptions.js';
import { StripeCustomers } from './customers.js';
import { StripeOutbox, type OnBehalfOf } from './outbox.js';

/** A subscription that has not ended, and whose Stripe customer pays it; null where that one is not the customer's own. */
export type RunningSubscription = {
  readonly subscription: Stripe.Subscription;
  readonly stripeCustomerId: string | null;
};

/** Finds what a customer has subscribed to, under whichever Stripe customer that was. */
@Injectable()
export class StripeSubscriptions {
  constructor(
    private readonly context: ApiContext,
    private readonly outbox: StripeOutbox,
    private readonly customers: StripeCustomers,
    private readonly subscriptions: SubscriptionWriter,
    private readonly shown: ShownSubscriptions,
    private readonly database: Database,
  ) {}

  /**
   * The customer's subscription that has not ended, as Stripe has it now: one that runs before one whose first payment is missing, then
   * the newest. Null when there is none. It is whose the ledger has it as, as in every answer; one that the ledger does not know yet is
   * whom it names itself, else its Stripe customer's. Throws Problem.
   */
  async running(behalf: OnBehalfOf, client: StripeClient): Promise<RunningSubscription | null> {
    const linked = await this.customers.linked(behalf.customerId);
    const lists = await inSlices(linked, async (id) => {
      const answer = await this.#ifThere(behalf, id, client, liveSubscriptions(client, id));
      return (answer ?? []).map((subscription) => ({ subscription, stripeCustomerId: id }));
    });
    const listed = lists.flat();
    const further = await this.#knownToLedger(behalf.customerId, listed, client);
    const found: readonly RunningSubscription[] = [...listed, ...further];
    const owners = await inSlices(found, (each) => this.#ownerOf(each, behalf.customerId));
    const own = found.filter((_, index) => owners[index] === behalf.customerId);
    return own.sort((a, b) => orderOf(b.subscription) - orderOf(a.subscription))[0] ?? null;
  }

  /** Whether the customer ever had a subscription at Stripe, by the ledger or by Stripe. Throws Problem. */
  async hadAny(behalf: OnBehalfOf, client: StripeClient): Promise<boolean> {
    if (await everSubscribed(this.database, behalf.customerId)) return true;
    const linked = await this.customers.linked(behalf.customerId);
    const had = await inSlices(linked, (id) => this.#ifThere(behalf, id, client, hadSubscription(client, id)));
    return had.includes(true);
  }

  /** What the ledger shows as the customer's and none of their Stripe customers has, as after a correction of its owner. */
  async #knownToLedger(
    customerId: string,
    listed: readonly RunningSubscription[],
    client: StripeClient,
  ): Promise<readonly RunningSubscription[]> {
    const shown = await this.shown.of(customerId);
    if (shown === null || shown.interval === null || hasEnded(shown.status)) return [];
    if (listed.some(({ subscription }) => subscription.id === shown.id)) return [];
    const answer = await client.ask('subscription', (stripe) => stripe.subscriptions.retrieve(shown.id));
    if (answer.kind === 'refused' && answer.code === 'resource_missing') return [];
    const subscription = this.outbox.valueOf(answer);
    return isRunning(subscription) ? [{ subscription, stripeCustomerId: null }] : [];
  }

  async #ownerOf({ subscription, stripeCustomerId }: RunningSubscription, customerId: string): Promise<string | null> {
    const { state } = await this.subscriptions.load(subscriptionStream(subscription.id));
    if (state.standing !== null) return state.standing.customerId;
    const name = namedCustomer(subscription.metadata[this.context.config.stripe.customerKey]);
    return name ?? (stripeCustomerId === null ? null : customerId);
  }

  /** Null for a Stripe customer that is gone, which is recorded. Throws Problem. */
  async #ifThere<T>(
    behalf: OnBehalfOf,
    stripeCustomerId: string,
    client: StripeClient,
    asking: Promise<StripeAnswer<T>>,
  ): Promise<T | null> {
    const answer = await asking;
    const isMissing = answer.kind === 'refused' && answer.code === 'resource_missing';
    if (isMissing && (await this.customers.isGone(behalf, stripeCustomerId, client))) return null;
    return this.outbox.valueOf(answer);
  }
}

/** The greater, the rather it is meant by whoever says "my subscription". */
const orderOf = ({ status, created }: Stripe.Subscription): number => (status === 'incomplete' ? 0 : 1e12) + created;
