import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { CommandOutcome, CommandRequest } from '#event-store/command.js';
import type { AccountEvent } from '#ledger/account-events.js';
import type { AccountState } from '#ledger/account-state.js';
import type { ApiAccountCommand, ApiAccountRefusal } from '../writes/api-account-decider.js';
import { AccountWriter } from '../writes/ledger-writers.js';

export type AccountOutcome = CommandOutcome<AccountEvent, AccountState, ApiAccountRefusal>;

/** One command for one account. */
export class RunAccountCommand extends Command<AccountOutcome> {
  constructor(readonly request: CommandRequest<ApiAccountCommand>) {
    super();
  }
}

@CommandHandler(RunAccountCommand)
export class RunAccountCommandHandler implements ICommandHandler<RunAccountCommand> {
  constructor(private readonly accounts: AccountWriter) {}

  execute({ request }: RunAccountCommand): Promise<AccountOutcome> {
    return this.accounts.execute(request);
  }
}
