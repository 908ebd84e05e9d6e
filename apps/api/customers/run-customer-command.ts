import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { CommandOutcome, CommandRequest } from '#event-store/writing/command.js';
import { customerStream } from '#kernel/stream-name.js';
import type { CustomerCommand, CustomerEvent, CustomerRefusal, CustomerState } from '#ledger/customer.js';
import { CustomerWriter } from '../writes/ledger-writers.js';

export type CustomerOutcome = CommandOutcome<CustomerEvent, CustomerState, CustomerRefusal>;

/** One command for one customer; all of them may be repeated without a key. */
export class RunCustomerCommand extends Command<CustomerOutcome> {
  constructor(
    readonly command: CustomerCommand,
    readonly actor: string,
    readonly requestId: string,
  ) {
    super();
  }
}

@CommandHandler(RunCustomerCommand)
export class RunCustomerCommandHandler implements ICommandHandler<RunCustomerCommand> {
  constructor(private readonly customers: CustomerWriter) {}

  execute({ command, actor, requestId }: RunCustomerCommand): Promise<CustomerOutcome> {
    return this.customers.execute(customerRequest(command, actor, requestId));
  }
}

/** A customer's command as the write path takes it. */
export const customerRequest = (
  command: CustomerCommand,
  actor: string,
  requestId: string,
): CommandRequest<CustomerCommand> => ({
  stream: customerStream(command.customerId),
  command,
  key: null,
  origin: 'api',
  fingerprint: null,
  actor,
  causationId: null,
  correlationId: requestId,
});
