import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { CommandOutcome } from '#event-store/writing/command.js';
import { stripeEventStream } from '#kernel/stream-name.js';
import type {
  ReceivedStripeEvent,
  StripeEventCommand,
  StripeEventEvent,
  StripeEventRefusal,
  StripeEventState,
} from '#ledger/stripe/event.js';
import { StripeEventWriter } from '../writes/ledger-writers.js';

export type StripeEventOutcome = CommandOutcome<StripeEventEvent, StripeEventState, StripeEventRefusal>;

/** Keeps a verified webhook. */
export class KeepStripeEvent extends Command<StripeEventOutcome> {
  constructor(
    readonly event: ReceivedStripeEvent,
    readonly requestId: string,
  ) {
    super();
  }
}

/** Asks for another try at a parked event. */
export class RetryStripeEvent extends Command<StripeEventOutcome> {
  constructor(
    readonly stripeEventId: string,
    readonly actor: string,
    readonly requestId: string,
  ) {
    super();
  }
}

/** Says that nobody has to look at a parked event. */
export class SetAsideStripeEvent extends Command<StripeEventOutcome> {
  constructor(
    readonly stripeEventId: string,
    readonly reason: string,
    readonly actor: string,
    readonly requestId: string,
  ) {
    super();
  }
}

@CommandHandler(KeepStripeEvent)
export class KeepStripeEventHandler implements ICommandHandler<KeepStripeEvent> {
  constructor(private readonly stripeEvents: StripeEventWriter) {}

  execute({ event, requestId }: KeepStripeEvent): Promise<StripeEventOutcome> {
    const command: StripeEventCommand = { type: 'ReceiveStripeEvent', ...event };
    return this.stripeEvents.execute({
      stream: stripeEventStream(event.stripeEventId),
      command,
      key: event.stripeEventId,
      origin: 'stripe',
      fingerprint: null,
      actor: 'stripe',
      causationId: null,
      correlationId: requestId,
      assumeNew: true,
    });
  }
}

@CommandHandler(RetryStripeEvent)
export class RetryStripeEventHandler implements ICommandHandler<RetryStripeEvent> {
  constructor(private readonly stripeEvents: StripeEventWriter) {}

  execute({ stripeEventId, actor, requestId }: RetryStripeEvent): Promise<StripeEventOutcome> {
    return this.stripeEvents.execute({
      stream: stripeEventStream(stripeEventId),
      command: { type: 'RequestRetry' },
      key: null,
      origin: 'api',
      fingerprint: null,
      actor,
      causationId: null,
      correlationId: requestId,
    });
  }
}

@CommandHandler(SetAsideStripeEvent)
export class SetAsideStripeEventHandler implements ICommandHandler<SetAsideStripeEvent> {
  constructor(private readonly stripeEvents: StripeEventWriter) {}

  execute({ stripeEventId, reason, actor, requestId }: SetAsideStripeEvent): Promise<StripeEventOutcome> {
    return this.stripeEvents.execute({
      stream: stripeEventStream(stripeEventId),
      command: { type: 'SetAsideStripeEvent', actor, reason },
      key: null, // harmless to repeat: what is set aside stays so
      origin: 'api',
      fingerprint: null,
      actor,
      causationId: null,
      correlationId: requestId,
    });
  }
}
