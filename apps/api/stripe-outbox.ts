import { Injectable } from '@nestjs/common';
import type { CommandOutcome } from '#event-store/command.js';
import { Clock } from '#kernel/clock.js';
import type { Refused } from '#kernel/decider.js';
import { stripeIntentStream } from '#ledger/stripe-intent.js';
import type { StripeIntent, StripeIntentCommand, StripeIntentState } from '#ledger/stripe-intent.js';
import type { StripeAnswer } from '#stripe/client.js';
import type { Making } from '#stripe/outbound.js';
import { ApiContext } from './api-context.js';
import { StripeIntentWriter } from './ledger-writers.js';
import { Problem } from './problems.js';
import { StripeConnection } from './stripe-connection.js';

/** Something to be asked of Stripe, and on whose behalf. */
export type Errand<T> = {
  readonly intent: StripeIntent;
  readonly making: Making<T>;
  /** The caller's Idempotency-Key with what tells another body; null where the intent's id alone says it all. */
  readonly key: { readonly value: string; readonly fingerprint: string } | null;
  readonly actor: string;
  readonly requestId: string;
};

/** Stripe forgets a key after a day; from then on the same key would make a second object. */
const KEY_LIVES_MS = 23 * 3_600_000;

/**
 * Runs errands to Stripe so that none is lost and none is done twice: the intent is recorded, then Stripe is asked under the key
 * that the intent holds, then its answer is recorded. Whoever comes back after a crash in between asks under the same key, or
 * looks first whether the object is there, when the key is too old to be remembered.
 */
@Injectable()
export class StripeOutbox {
  constructor(
    private readonly connection: StripeConnection,
    private readonly intents: StripeIntentWriter,
    private readonly clock: Clock,
    private readonly context: ApiContext,
  ) {}

  /** What Stripe made. The same errand again gives the same object. Throws Problem. */
  async run<T extends { readonly id: string }>(errand: Errand<T>): Promise<T> {
    const { client } = this.connection;
    const { making } = errand;
    await this.#begin(errand);
    let state = await this.#state(errand);
    if (state.objectId !== null) return this.valueOf(await making.retrieve(client, state.objectId));
    if (state.status === 'pending' && this.#isOld(state)) {
      const found = this.valueOf(await making.find(client, state.intendedAt ?? ''));
      if (found !== null) return this.#answered(errand, state.attempt, found);
      state = await this.#again(errand, state);
    }
    if (state.status === 'refused') state = await this.#again(errand, state);
    const answer = await making.create(client, state.idempotencyKey);
    if (answer.kind === 'answered') return this.#answered(errand, state.attempt, answer.value);
    if (answer.kind === 'refused') {
      const { status, code } = answer;
      await this.#record(errand, { type: 'RecordStripeRefusal', attempt: state.attempt, status, code });
    }
    return this.valueOf(answer);
  }

  /** The object that an intent led to; null while it has not. */
  async objectOf(intentId: string): Promise<string | null> {
    return (await this.intents.load(stripeIntentStream(intentId))).state.objectId;
  }

  /** The value of an answer; what is none ends the request. Throws Problem. */
  valueOf<T>(answer: StripeAnswer<T>): T {
    switch (answer.kind) {
      case 'answered':
        return answer.value;
      case 'unavailable':
        throw new Problem('stripe_unavailable', {}, answer.retryAfterSeconds);
      case 'refused': {
        const { status, code, param } = answer;
        if (status === 401 || status === 403) {
          this.context.logger.error({ status, code }, 'Stripe does not accept STRIPE_SECRET_KEY');
          throw new Problem('stripe_unavailable', {}, 60);
        }
        throw new Problem('stripe_refused', { stripeCode: code, stripeParam: param });
      }
    }
  }

  #isOld({ intendedAt }: StripeIntentState): boolean {
    return intendedAt !== null && this.clock.now() - Date.parse(intendedAt) > KEY_LIVES_MS;
  }

  async #begin(errand: Errand<unknown>): Promise<void> {
    const { key } = errand;
    await this.#execute(errand, { type: 'IntendStripeCall', ...errand.intent }, key);
  }

  async #state({ intent }: Errand<unknown>): Promise<StripeIntentState> {
    return (await this.intents.load(stripeIntentStream(intent.intentId))).state;
  }

  async #again(errand: Errand<unknown>, { attempt }: StripeIntentState): Promise<StripeIntentState> {
    await this.#record(errand, { type: 'AttemptStripeCallAgain', after: attempt });
    return this.#state(errand);
  }

  async #answered<T extends { readonly id: string }>(errand: Errand<T>, attempt: number, value: T): Promise<T> {
    const { objectType } = errand.making;
    await this.#record(errand, { type: 'RecordStripeAnswer', attempt, objectType, objectId: value.id });
    return value;
  }

  #record(errand: Errand<unknown>, command: StripeIntentCommand): Promise<void> {
    return this.#execute(errand, command, null);
  }

  async #execute(errand: Errand<unknown>, command: StripeIntentCommand, key: Errand<unknown>['key']): Promise<void> {
    const { intent, actor, requestId } = errand;
    recordedOrProblem(
      await this.intents.execute({
        stream: stripeIntentStream(intent.intentId),
        command,
        key: key?.value ?? null,
        origin: 'api',
        fingerprint: key?.fingerprint ?? null,
        actor,
        causationId: null,
        correlationId: requestId,
      }),
    );
  }
}

/** Ends the request unless the command is in the log or had nothing to do. Throws Problem. */
export function recordedOrProblem<Event, State>(outcome: CommandOutcome<Event, State, Refused>): void {
  switch (outcome.kind) {
    case 'recorded':
    case 'unchanged':
      return;
    case 'key_reused':
      throw new Problem('idempotency_key_reused');
    case 'conflict':
      throw new Problem('conflict');
    case 'overloaded':
      throw new Problem('overloaded');
    case 'unavailable':
      throw new Problem('store_unavailable');
    case 'outcome_unknown':
      throw new Problem('outcome_unknown');
    case 'refused':
      throw new Error(`a command that cannot be refused was: ${outcome.refusal.rejected}`);
  }
}
