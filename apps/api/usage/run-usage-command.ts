import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { CommandPreview, CommandRequest } from '#event-store/writing/command.js';
import { usageStream } from '#kernel/stream-name.js';
import type { UsageState } from '#ledger/usage/state.js';
import type { UsageCommand, UsageEvent, UsageRefusal } from '#ledger/usage/usage.js';
import { UsageWriter } from '../writes/ledger-writers.js';

export type UsageOutcome = CommandPreview<UsageEvent, UsageState, UsageRefusal>;

/** What is asked of one customer's usage. */
export type UsageOrder<C extends UsageCommand = UsageCommand> = {
  readonly customerId: string;
  readonly command: C;
  /** Null where the command is harmless to repeat; its fingerprint then too. */
  readonly key: string | null;
  readonly fingerprint: string | null;
  readonly actor: string;
  readonly requestId: string;
  /** Only how it would end is asked; nothing is recorded. */
  readonly dryRun: boolean;
};

/** One command for what a customer uses of plans. */
export class RunUsageCommand extends Command<UsageOutcome> {
  constructor(readonly order: UsageOrder) {
    super();
  }
}

@CommandHandler(RunUsageCommand)
export class RunUsageCommandHandler implements ICommandHandler<RunUsageCommand> {
  constructor(private readonly usage: UsageWriter) {}

  execute({ order }: RunUsageCommand): Promise<UsageOutcome> {
    const { customerId, command, key, fingerprint, actor, requestId, dryRun } = order;
    const request: CommandRequest<UsageCommand> = {
      stream: usageStream(customerId),
      command,
      key,
      origin: 'api',
      fingerprint,
      actor,
      causationId: null,
      correlationId: requestId,
    };
    return dryRun ? this.usage.preview(request) : this.usage.execute(request);
  }
}
