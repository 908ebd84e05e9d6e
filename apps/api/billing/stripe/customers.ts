import { Injectable } from '@nestjs/common';
import type Stripe from 'stripe';
import { CommandBus } from '@nestjs/cqrs';
import { instantOf, type Instant } from '#kernel/instant.js';
import { customerStream } from '#kernel/stream-name.js';
import { stripeCustomersOf } from '#ledger/customer.js';
import { newsOf, stripeCustomerStream, type StripeCustomerCommand } from '#ledger/stripe/customer.js';
import { ownershipOf } from '#ledger/stripe/customer-owner.js';
import { customerIntentId } from '#ledger/stripe/intent.js';
import type { StripeClient } from '#stripe/operations/client.js';
import { customerOperation } from '#stripe/operations/operation.js';
import { ApiContext } from '../../api-context.js';
import { RunCustomerCommand } from '../../customers/run-customer-command.js';
import { Problem } from '../../http/problem.js';
import { CustomerWriter, StripeCustomerWriter } from '../../writes/ledger-writers.js';
import { StripeContacts } from './contacts.js';
import { recordedOrProblem, StripeOutbox, type OnBehalfOf } from './outbox.js';

/** So many Stripe customers that are gone are passed over in one request. */
const MAX_GONE = 5;

/** The Stripe customers of a customer: found, made, and given up when Stripe does not have them any more. */
@Injectable()
export class StripeCustomers {
  /** Customers whose Stripe customer is being made, so that one process asks once. */
  readonly #creating = new Map<string, Promise<string>>();

  constructor(
    private readonly context: ApiContext,
    private readonly outbox: StripeOutbox,
    private readonly customers: CustomerWriter,
    private readonly stripeCustomers: StripeCustomerWriter,
    private readonly commands: CommandBus,
    private readonly contacts: StripeContacts,
  ) {}

  /** All under which the customer buys, the primary one first; empty before the first purchase. */
  async linked(customerId: string): Promise<readonly string[]> {
    return stripeCustomersOf((await this.customers.load(customerStream(customerId))).state);
  }

  /**
   * Runs `use` with the primary Stripe customer, which is made if there is none. Where Stripe says that it does not have that one, its
   * end is recorded and the next one is used. Throws Problem.
   */
  async withPrimary<T>(behalf: OnBehalfOf, client: StripeClient, use: (id: string) => Promise<T>): Promise<T> {
    for (let gone = 0; ; gone += 1) {
      const id = await this.#primary(behalf, client);
      try {
        return await use(id);
      } catch (error) {
        if (gone === MAX_GONE || !isMissing(error) || !(await this.isGone(behalf, id, client))) throw error;
      }
    }
  }

  /** Whether a Stripe customer is deleted at Stripe, or was never there; that is recorded then. Throws Problem. */
  async isGone(behalf: OnBehalfOf, stripeCustomerId: string, client: StripeClient): Promise<boolean> {
    const answer = await client.ask('customer', (stripe) => stripe.customers.retrieve(stripeCustomerId));
    const isMissingThere = answer.kind === 'refused' && answer.code === 'resource_missing';
    const customer = isMissingThere ? null : this.outbox.valueOf(answer);
    if (customer !== null && customer.deleted !== true) return false;
    await this.#record(behalf, { type: 'RecordStripeCustomerDeleted', stripeCustomerId });
    return true;
  }

  async #primary(behalf: OnBehalfOf, client: StripeClient): Promise<string> {
    const { customerId } = behalf;
    const { state } = await this.customers.load(customerStream(customerId));
    if (state.erased) throw new Problem('customer_erased');
    const [known] = stripeCustomersOf(state);
    if (known !== undefined) return known;
    const underWay = this.#creating.get(customerId);
    if (underWay !== undefined) return underWay;
    const creating = this.#make(behalf, client).finally(() => this.#creating.delete(customerId));
    this.#creating.set(customerId, creating);
    return creating;
  }

  /**
   * The Stripe customer that comes after those that are gone. Each intent is named by the Stripe customer that it follows, so that all
   * who ask at the same time ask for the same one, under a key that was never used for another.
   */
  async #make(behalf: OnBehalfOf, client: StripeClient): Promise<string> {
    const { customerId, actor, requestId } = behalf;
    let after: string | null = null;
    for (let gone = 0; gone <= MAX_GONE;) {
      const intentId = customerIntentId(customerId, after);
      const before = await this.outbox.objectOf(intentId);
      if (before !== null && !(await this.#isUsable(customerId, before))) {
        after = before;
        continue;
      }
      const intent = { intentId, customerId, operation: 'create_customer', subject: {} } as const;
      const made: Stripe.Customer | Stripe.DeletedCustomer = await this.outbox
        .run<Stripe.Customer | Stripe.DeletedCustomer>({
          intent,
          operation: customerOperation(customerId, intentId, this.context.config.stripe.customerKey),
          key: null, // there is one such intent after each Stripe customer
          actor,
          requestId,
          client,
        })
        .catch((error: unknown) => {
          if (before === null || !isMissing(error)) throw error;
          return { id: before, object: 'customer', deleted: true };
        });
      if (made.deleted !== true) {
        await this.#adopt(behalf, made, client);
        return made.id;
      }
      await this.#record(behalf, { type: 'RecordStripeCustomerDeleted', stripeCustomerId: made.id });
      gone += 1;
    }
    throw new Problem('stripe_unavailable', {}, 5);
  }

  /** False for one that was deleted, or that Stripe's metadata gives to another customer by now. */
  async #isUsable(customerId: string, stripeCustomerId: string): Promise<boolean> {
    const { state } = await this.stripeCustomers.load(stripeCustomerStream(stripeCustomerId));
    const owner = ownershipOf(state.statements).owners.at(-1)?.customerId ?? customerId;
    return !state.deleted && owner === customerId;
  }

  async #adopt(behalf: OnBehalfOf, { id, created }: Stripe.Customer, client: StripeClient): Promise<void> {
    const at: Instant = instantOf(created * 1000);
    const statement = { customerId: behalf.customerId, source: 'customer', at, stripeEventId: null } as const;
    await this.#record(behalf, { type: 'NameStripeCustomer', stripeCustomerId: id, statement });
    await this.contacts.send(behalf, id, client);
  }

  /** Records what is known of a Stripe customer, and makes it known to all who are named. May be repeated. Throws Problem. */
  async #record({ actor, requestId }: OnBehalfOf, command: StripeCustomerCommand): Promise<void> {
    const { stripeCustomerId } = command;
    const stream = stripeCustomerStream(stripeCustomerId);
    const by = {
      key: null,
      origin: 'api',
      fingerprint: null,
      actor,
      causationId: null,
      correlationId: requestId,
    } as const;
    recordedOrProblem(await this.stripeCustomers.execute({ stream, command, ...by }));
    const { state } = await this.stripeCustomers.load(stream);
    for (const news of newsOf(stripeCustomerId, state))
      recordedOrProblem(await this.commands.execute(new RunCustomerCommand(news, actor, requestId)));
  }
}

/** Stripe does not have what was named: among others a customer that was deleted. */
const isMissing = (error: unknown): boolean =>
  error instanceof Problem && error.code === 'stripe_refused' && error.members['stripeCode'] === 'resource_missing';
