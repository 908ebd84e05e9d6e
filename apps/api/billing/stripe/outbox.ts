import { Injectable } from '@nestjs/common';
import type { CommandOutcome } from '#event-store/writing/command.js';
import { Clock } from '#kernel/clock.js';
import type { Refused } from '#kernel/decider.js';
import { stripeIntentStream, type StripeIntentCommand, type StripeIntentState } from '#ledger/stripe/intent.js';
import type { StripeAnswer, StripeClient } from '#stripe/operations/client.js';
import { runStripeCall, type StripeCall } from '#stripe/operations/run.js';
import { ApiContext } from '../../api-context.js';
import { Problem } from '../../http/problem.js';
import { StripeIntentWriter } from '../../writes/ledger-writers.js';

/** A call to Stripe, and on whose behalf it is made. */
export type CallerStripeCall<T> = StripeCall<T> & {
  /** The caller's Idempotency-Key and a fingerprint of the request; null where the intent's id alone identifies the call. */
  readonly key: { readonly value: string; readonly fingerprint: string } | null;
  readonly actor: string;
  readonly requestId: string;
  readonly client: StripeClient;
};
/** What identifies a call, before it is known how to make it. */
export type CallIdentity = Pick<CallerStripeCall<never>, 'intent' | 'key' | 'actor' | 'requestId'>;

/** On whose behalf Stripe is asked. */
export type OnBehalfOf = { readonly customerId: string; readonly actor: string; readonly requestId: string };

/** Makes callers' calls to Stripe through the log, so that none is lost and none is made twice. */
@Injectable()
export class StripeOutbox {
  constructor(
    private readonly intents: StripeIntentWriter,
    private readonly clock: Clock,
    private readonly context: ApiContext,
  ) {}

  /** The object that Stripe created. The same call again gives the same object. Throws Problem. */
  async run<T extends { readonly id: string }>(call: CallerStripeCall<T>): Promise<T> {
    return this.valueOf(await this.attempt(call));
  }

  /** The same, where the request goes on whatever Stripe says. Throws Problem only where the log fails. */
  attempt<T extends { readonly id: string }>(call: CallerStripeCall<T>): Promise<StripeAnswer<T>> {
    const log = {
      load: (intentId: string) => this.#state(intentId),
      record: (intentId: string, command: StripeIntentCommand) => this.#record(call, intentId, command),
    };
    return runStripeCall(call, { client: call.client, log, clock: this.clock });
  }

  /** Records what is to be asked of Stripe, for the worker to do. May be repeated. Throws Problem. */
  intend(call: CallIdentity): Promise<void> {
    return this.#record(call, call.intent.intentId, { type: 'IntendStripeCall', ...call.intent });
  }

  /** Whether the same was intended before. Throws the problem `idempotency_key_reused` where the key named something else. */
  async wasIntended(call: CallIdentity): Promise<boolean> {
    const { intent } = call;
    if ((await this.#state(intent.intentId)).intent === null) return false;
    await this.#record(call, intent.intentId, { type: 'IntendStripeCall', ...intent });
    return true;
  }

  /** The object that an intent led to; null while it has not. */
  async objectOf(intentId: string): Promise<string | null> {
    return (await this.#state(intentId)).objectId;
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

  async #state(intentId: string): Promise<StripeIntentState> {
    return (await this.intents.load(stripeIntentStream(intentId))).state;
  }

  async #record(
    { key, actor, requestId }: Pick<CallerStripeCall<unknown>, 'key' | 'actor' | 'requestId'>,
    intentId: string,
    command: StripeIntentCommand,
  ): Promise<void> {
    // The caller's key belongs to what was intended; what came of it may be recorded as often as it is heard.
    const named = command.type === 'IntendStripeCall' ? key : null;
    recordedOrProblem(
      await this.intents.execute({
        stream: stripeIntentStream(intentId),
        command,
        key: named?.value ?? null,
        origin: 'api',
        fingerprint: named?.fingerprint ?? null,
        actor,
        causationId: null,
        correlationId: requestId,
      }),
    );
  }
}

/** Whether the command is in the log or had nothing to do. Anything else ends the request. Throws Problem. */
export function recordedOrProblem<Event, State>(
  outcome: CommandOutcome<Event, State, Refused>,
): 'recorded' | 'unchanged' {
  switch (outcome.kind) {
    case 'recorded':
    case 'unchanged':
      return outcome.kind;
    case 'key_reused':
      throw new Problem('idempotency_key_reused');
    case 'too_large':
      throw new Problem('command_too_large');
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
