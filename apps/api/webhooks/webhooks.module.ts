import { Module } from '@nestjs/common';
import { RunStripeEventCommandHandler } from './run-stripe-event-command.js';
import { StripeWebhookController } from './stripe-webhook.controller.js';

/** Where Stripe's events arrive, and what is decided about them. */
@Module({
  controllers: [StripeWebhookController],
  providers: [RunStripeEventCommandHandler],
})
export class WebhooksModule {}
