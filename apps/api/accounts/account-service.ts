import { assert } from '#kernel/assert.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { EventStore } from '#event-store/event-store.js';
import type { WriteStatistics } from '#event-store/write-limits.js';
import type { Logger } from '#config/logger.js';
import type { AccountState } from '#ledger/account-state.js';
import type { AccountEvent } from '#ledger/account-events.js';
import type { CommandOutcome } from '#event-store/command.js';
import { failureAnswer } from '../http/failures.js';
import { answerOf, success, type Answer } from '../http/outcomes.js';
import type { ApiAccountRefusal } from '../writes/api-account-decider.js';
import type { AccountWriter } from '../writes/ledger-writers.js';
import { newestPosition } from '../writes/newest-position.js';
import { accountAnswer, accountAnswers, settingsAnswer } from './account-answers.js';
import type { AccountOrder } from './account-order.js';
import { Accounts } from './accounts.js';
import type { TopUp } from './top-up.js';

type Outcome = CommandOutcome<AccountEvent, AccountState, ApiAccountRefusal>;

/** What account commands are carried out with. */
export type AccountServiceParts = {
  readonly writer: AccountWriter;
  readonly store: EventStore;
  readonly topUp: TopUp;
  readonly logger: Logger;
};

/** Carries account commands out in this thread and words their answers, for single and bulk requests alike. */
export class AccountService extends Accounts {
  constructor(private readonly parts: AccountServiceParts) {
    super();
  }

  override get statistics(): WriteStatistics {
    return this.parts.writer.statistics;
  }

  override async answerOf(order: AccountOrder): Promise<Answer> {
    const { requestId, command } = order;
    try {
      const outcome = await this.parts.writer.execute({
        stream: order.stream,
        command,
        key: order.key,
        origin: 'api',
        fingerprint: order.fingerprint,
        actor: order.actor,
        causationId: null,
        correlationId: requestId,
      });
      return order.answer === 'settings' ? await this.#settings(order, outcome) : this.#answer(order, outcome);
    } catch (error) {
      return failureAnswer(error, { requestId, command: command.type }, this.parts.logger);
    }
  }

  override responds(): Promise<void> {
    return Promise.resolve();
  }

  override close(): Promise<void> {
    return this.parts.writer.drain();
  }

  #answer(order: AccountOrder, outcome: Outcome): Answer {
    const { stream, requestId, answer } = order;
    assert(outcome.kind !== 'unchanged' && answer !== 'settings', `${order.command.type} recorded nothing`);
    return answerOf(
      outcome,
      requestId,
      (events) => JSON.stringify(accountAnswers[answer](stream, events)),
      (refusal) => this.#membersOf(refusal as ApiAccountRefusal, stream),
    );
  }

  async #settings({ stream, requestId }: AccountOrder, outcome: Outcome): Promise<Answer> {
    if (outcome.kind === 'unchanged' || outcome.kind === 'recorded') {
      const told = outcome.kind === 'recorded' ? settingsAnswer(stream, outcome.events) : null;
      return success(201, told ?? (await this.#current(stream)), false);
    }
    return answerOf(
      outcome,
      requestId,
      () => ({}),
      (refusal) => this.#membersOf(refusal as ApiAccountRefusal, stream),
    );
  }

  /** The account as it is, where the command changed nothing of it. */
  async #current(stream: StreamName): Promise<object> {
    const { state, revision } = await this.parts.writer.load(stream);
    const position = await newestPosition(this.parts.store, stream, revision);
    return accountAnswer(stream, state.settings, { balance: state.balance, position });
  }

  #membersOf(refusal: ApiAccountRefusal, stream: StreamName): { readonly [member: string]: unknown } {
    if (refusal.rejected !== 'insufficient_credits') return {};
    return { available: refusal.available, required: refusal.required, ...this.parts.topUp.members(stream) };
  }
}
