import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Answer } from '../http/outcomes.js';
import type { AccountOrder } from './account-order.js';
import { Accounts } from './accounts.js';

/** One command for one account; its result is what the caller is told. */
export class RunAccountCommand extends Command<Answer> {
  constructor(readonly order: AccountOrder) {
    super();
  }
}

@CommandHandler(RunAccountCommand)
export class RunAccountCommandHandler implements ICommandHandler<RunAccountCommand> {
  constructor(private readonly accounts: Accounts) {}

  execute({ order }: RunAccountCommand): Promise<Answer> {
    return this.accounts.answerOf(order);
  }
}
