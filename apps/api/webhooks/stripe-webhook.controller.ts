import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiBody, ApiHeader, ApiTags } from '@nestjs/swagger';
import { Clock } from '#kernel/clock.js';
import { readWebhook } from '#stripe/webhook/verify.js';
import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import { ApiContext } from '../api-context.js';
import type { ApiRequest } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { Public } from '../http/route.js';
import { OtherRoute } from '../openapi/api-docs.js';
import { RunStripeEventCommand } from './run-stripe-event-command.js';

const maxWebhookBytes = 5 * 1_048_576;

/**
 * Takes Stripe's events: verify, append, answer. What they mean is worked out later by the worker, so nothing in an event can
 * make this answer fail.
 */
@ApiTags('Stripe')
@Controller('v1/webhooks/stripe')
export class StripeWebhookController {
  constructor(
    private readonly commands: CommandBus,
    private readonly clock: Clock,
    private readonly context: ApiContext,
  ) {}

  @Post()
  @HttpCode(200)
  @Public({ rawBody: true, maxBody: maxWebhookBytes })
  @OtherRoute({
    id: 'receiveStripeEvent',
    query: true, // others write its address
    summary: 'Take an event from Stripe',
    problems: ['invalid_signature', 'store_unavailable', 'outcome_unknown'],
    answer: '`{ received, duplicate }`',
  })
  @ApiHeader({
    name: 'Stripe-Signature',
    required: true,
    schema: { type: 'string', example: 't=1764489600,v1=5257a869' },
  })
  @ApiBody({
    schema: {
      type: 'object',
      additionalProperties: true,
      example: { id: 'evt_1', object: 'event', type: 'customer.created', data: { object: {} } },
    },
    description: 'The body as Stripe sent it; anything else has another signature.',
  })
  async receive(@Req() request: ApiRequest): Promise<object> {
    const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const reading = readWebhook({
      rawBody,
      signature:
        request.raw.headersDistinct['stripe-signature']?.length === 1 ? request.headers['stripe-signature'] : undefined,
      secrets: this.context.config.stripe.webhookSecrets,
      now: this.clock.now(),
    });
    if (reading.kind === 'invalid_signature') throw new Problem('invalid_signature');
    if (reading.kind === 'unreadable') {
      // Stripe signed it, so it is not refused: sending it again would not make it readable.
      this.context.logger.warn(
        { requestId: request.id, reason: reading.reason },
        'a signed webhook holds no event that can be kept',
      );
      return { received: true, duplicate: false };
    }
    // Also while billing is switched off: no worker translates it then, and it is there when billing is on again.
    return { received: true, duplicate: await this.#keep(reading.event, request) };
  }

  /** True when the event was there already. */
  async #keep(event: ReceivedStripeEvent, request: ApiRequest): Promise<boolean> {
    const { stripeEventId } = event;
    const command = { type: 'ReceiveStripeEvent', ...event } as const;
    const outcome = await this.commands.execute(
      new RunStripeEventCommand({ stripeEventId, command, actor: 'stripe', requestId: request.id }),
    );
    switch (outcome.kind) {
      case 'recorded':
        return outcome.replayed;
      case 'unchanged':
        return true;
      case 'too_large':
        throw new Problem('payload_too_large', { detail: 'The log does not take an event of this size.' });
      case 'overloaded':
        throw new Problem('overloaded');
      case 'unavailable':
        throw new Problem('store_unavailable');
      case 'refused':
      case 'key_reused':
      case 'conflict':
      case 'outcome_unknown':
        throw new Problem('outcome_unknown');
    }
  }
}
