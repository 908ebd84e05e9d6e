import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { CommandOutcome } from '#event-store/writing/command.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';
import type { ApiAccountRefusal } from '../../writes/api-account-decider.js';
import { AccountWriter } from '../../writes/ledger-writers.js';
import type { AccountIntent } from './intents.js';

export type AccountOutcome = CommandOutcome<AccountEvent, AccountState, ApiAccountRefusal>;

/** What a caller asks of one account. */
export type AccountOrder = AccountIntent & {
  readonly stream: StreamName;
  /** Null: the caller gave none, and the command is harmless to repeat. */
  readonly key: string | null;
  readonly actor: string;
  readonly requestId: string;
};

/** One command of a caller for one account. */
export class RunAccountCommand extends Command<AccountOutcome> {
  constructor(readonly order: AccountOrder) {
    super();
  }
}

@CommandHandler(RunAccountCommand)
export class RunAccountCommandHandler implements ICommandHandler<RunAccountCommand> {
  constructor(private readonly accounts: AccountWriter) {}

  execute({ order }: RunAccountCommand): Promise<AccountOutcome> {
    const { stream, command, key, fingerprint, actor, requestId } = order;
    return this.accounts.execute({
      stream,
      command,
      key,
      origin: 'api',
      fingerprint,
      actor,
      causationId: null,
      correlationId: requestId,
    });
  }
}
