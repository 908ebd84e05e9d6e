import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { StreamName } from '#kernel/stream-name.js';
import { Answer, answerOf } from '../../http/answer.js';
import { asDryRun } from '../../http/dry-run.js';
import type { ApiAccountRefusal } from '../../writes/api-account-decider.js';
import type { AccountAnswer } from './answers.js';
import { RunAccountCommand, type AccountOrder, type AccountOutcome } from './run-account-command.js';
import { TopUp } from './top-up.js';

/** Carries out account commands and words their answers, for single and bulk requests alike. */
@Injectable()
export class AccountService {
  constructor(
    private readonly commands: CommandBus,
    private readonly topUp: TopUp,
  ) {}

  /** Carries out a command that always records something when it is accepted. */
  async run(order: AccountOrder, bodyOf: AccountAnswer): Promise<Answer> {
    const outcome = await this.commands.execute(new RunAccountCommand(order));
    if (outcome.kind === 'unchanged') throw new Error(`${order.command.type} was accepted and recorded nothing`);
    const answer = this.#answerTo(outcome, order, bodyOf);
    return order.dryRun ? asDryRun(answer) : answer;
  }

  /**
   * Carries out a command that sets what an account is; the same again changes nothing. `bodyOf` makes the answer of what was recorded,
   * null: of nothing.
   */
  async set(order: AccountOrder, bodyOf: (recorded: Recording | null) => Promise<object>): Promise<Answer> {
    const outcome = await this.commands.execute(new RunAccountCommand(order));
    const answer = await this.#stateAfter(outcome, order, bodyOf);
    return order.dryRun ? asDryRun(answer) : answer;
  }

  async #stateAfter(
    outcome: AccountOutcome,
    order: AccountOrder,
    bodyOf: (recorded: Recording | null) => Promise<object>,
  ): Promise<Answer> {
    if (outcome.kind === 'unchanged') return new Answer(200, await bodyOf(null));
    if (outcome.kind === 'would_record') return new Answer(200, await bodyOf(outcome.events));
    if (outcome.kind === 'recorded') return new Answer(200, await bodyOf(outcome.events), outcome.replayed);
    return this.#answerTo(outcome, order, () => ({}));
  }

  #answerTo(
    outcome: Exclude<AccountOutcome, { kind: 'unchanged' }>,
    order: AccountOrder,
    bodyOf: AccountAnswer,
  ): Answer {
    return answerOf(
      outcome,
      order.requestId,
      (events) => bodyOf(order.stream, events),
      (refusal) => this.#membersOf(refusal as ApiAccountRefusal, order.stream),
    );
  }

  #membersOf(refusal: ApiAccountRefusal, stream: StreamName): { readonly [member: string]: unknown } {
    if (refusal.rejected === 'amount_exceeds_grant') return { unspent: refusal.unspent };
    if (refusal.rejected === 'budget_exceeded' || refusal.rejected === 'budget_below_used') {
      const { rejected: _rejected, ...members } = refusal;
      return members;
    }
    if (refusal.rejected !== 'insufficient_credits') return {};
    const { available, required, budget } = refusal;
    return { available, required, ...this.topUp.members(stream), ...(budget === undefined ? {} : { budget }) };
  }
}

type Recording = Extract<AccountOutcome, { kind: 'recorded' }>['events'];
