import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { assert } from '#kernel/assert.js';
import { catalogStream, subscriptionStream } from '#kernel/stream-name.js';
import { hasEnded } from '#ledger/subscription/standing.js';
import { freeSubscriptionId } from '#ledger/subscription/subscription.js';
import { RunUsageCommand } from '../../usage/run-usage-command.js';
import { RunCustomerCommand } from '../../customers/run-customer-command.js';
import { Problem } from '../../http/problem.js';
import { CatalogReader, SubscriptionWriter } from '../../writes/ledger-writers.js';
import { BillingAnswers, type BillingAnswer } from './answers.js';
import { BillingChecks } from './checks.js';
import { requestOf, type Asking, type BillingRequest } from './request.js';
import { ShownSubscriptions } from '../reads/shown-subscriptions.js';
import { recordedOrProblem, type OnBehalfOf } from '../stripe/outbox.js';

/** Puts customers on plans that cost nothing; Stripe has no part in it. */
@Injectable()
export class FreePlans {
  constructor(
    private readonly answers: BillingAnswers,
    private readonly checks: BillingChecks,
    private readonly catalog: CatalogReader,
    private readonly shown: ShownSubscriptions,
    private readonly commands: CommandBus,
    private readonly subscriptions: SubscriptionWriter,
  ) {}

  /** May be repeated. Throws Problem. */
  start(asking: Asking, planId: string): Promise<BillingAnswer> {
    const request = requestOf(asking, 'start_free_plan', { plan: planId });
    return this.answers.once(request, () => this.#start(request, planId));
  }

  async #start(request: BillingRequest, planId: string): Promise<BillingAnswer> {
    const listed = (await this.catalog.load(catalogStream)).state.plans.get(planId);
    if (!listed?.active) throw new Problem('plan_not_found');
    if (!listed.item.free) throw new Problem('plan_not_free');
    const { customerId, actor, requestId } = request;
    await this.checks.isOpen(customerId);
    const running = await this.shown.of(customerId);
    const paid = running !== null && running.interval !== null && !hasEnded(running.status);
    if (paid && running.status !== 'incomplete') throw new Problem('already_subscribed');
    await this.#register(request);
    await this.answers.note(request);
    await this.#enter(request, planId);
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
    const { position } = await this.subscriptions.load(stream);
    return this.answers.kept(request, { id: subscriptionId, status: 'active', plan: planId, interval: null, position });
  }

  /** First, so that who sees the subscription can use what it gives. */
  async #enter({ customerId, actor, requestId }: OnBehalfOf, planId: string): Promise<void> {
    const command = { type: 'EnterFreePlan', planId } as const;
    const order = { customerId, command, key: null, fingerprint: null, actor, requestId, dryRun: false };
    const outcome = await this.commands.execute(new RunUsageCommand(order));
    assert(outcome.kind !== 'refused' && outcome.kind !== 'would_record', 'a free plan is always entered');
    recordedOrProblem(outcome);
  }

  async #register({ customerId, actor, requestId }: OnBehalfOf): Promise<void> {
    const command = { type: 'RegisterCustomer', customerId } as const;
    const outcome = await this.commands.execute(new RunCustomerCommand(command, actor, requestId));
    if (outcome.kind === 'refused') throw new Problem(outcome.refusal.rejected);
    recordedOrProblem(outcome);
  }
}
