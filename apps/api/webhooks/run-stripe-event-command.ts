import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { CommandOutcome } from '#event-store/writing/command.js';
import { stripeEventStream } from '#kernel/stream-name.js';
import type {
  StripeEventCommand,
  StripeEventEvent,
  StripeEventRefusal,
  StripeEventState,
} from '#ledger/stripe/event.js';
import { StripeEventWriter } from '../writes/ledger-writers.js';

export type StripeEventOutcome = CommandOutcome<StripeEventEvent, StripeEventState, StripeEventRefusal>;

/** Who gives a command for a Stripe event. */
export type StripeEventOrder = {
  readonly stripeEventId: string;
  readonly command: StripeEventCommand;
  readonly actor: string;
  readonly requestId: string;
};

/** One command for one Stripe event: to keep it, or what a person says of it. All of them may be repeated. */
export class RunStripeEventCommand extends Command<StripeEventOutcome> {
  constructor(readonly order: StripeEventOrder) {
    super();
  }
}

@CommandHandler(RunStripeEventCommand)
export class RunStripeEventCommandHandler implements ICommandHandler<RunStripeEventCommand> {
  constructor(private readonly stripeEvents: StripeEventWriter) {}

  execute({ order: { stripeEventId, command, actor, requestId } }: RunStripeEventCommand): Promise<StripeEventOutcome> {
    const isNew = command.type === 'ReceiveStripeEvent';
    return this.stripeEvents.execute({
      stream: stripeEventStream(stripeEventId),
      command,
      // What a person says is harmless to repeat; an event that comes again is known by its own id.
      key: isNew ? stripeEventId : null,
      origin: isNew ? 'stripe' : 'api',
      fingerprint: null,
      actor,
      causationId: null,
      correlationId: requestId,
      assumeNew: isNew,
    });
  }
}
