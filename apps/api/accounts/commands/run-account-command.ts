import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { CommandPreview, CommandRequest } from '#event-store/writing/command.js';
import type { StreamName } from '#kernel/stream-name.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';
import type { ApiAccountCommand, ApiAccountRefusal } from '../../writes/api-account-decider.js';
import { AccountWriter } from '../../writes/ledger-writers.js';
import type { AccountIntent } from './intents.js';

export type AccountOutcome = CommandPreview<AccountEvent, AccountState, ApiAccountRefusal>;

/** What a caller asks of one account. */
export type AccountOrder = AccountIntent & {
  readonly stream: StreamName;
  /** Null: the caller gave none, and the command is harmless to repeat. */
  readonly key: string | null;
  readonly actor: string;
  readonly requestId: string;
  /** Only how it would end is asked; nothing is recorded. */
  readonly dryRun: boolean;
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
    const { stream, command, key, fingerprint, actor, requestId, dryRun } = order;
    const request: CommandRequest<ApiAccountCommand> = {
      stream,
      command,
      key,
      origin: 'api',
      fingerprint,
      actor,
      causationId: null,
      correlationId: requestId,
    };
    return dryRun ? this.accounts.preview(request) : this.accounts.execute(request);
  }
}
