import { Module } from '@nestjs/common';
import {
  KeepStripeEventHandler,
  RetryStripeEventHandler,
  SetAsideStripeEventHandler,
} from './stripe-event-commands.js';
import { StripeWebhookController } from './stripe-webhook.controller.js';

/** Where Stripe's events arrive, and what is decided about them. */
@Module({
  controllers: [StripeWebhookController],
  providers: [KeepStripeEventHandler, RetryStripeEventHandler, SetAsideStripeEventHandler],
})
export class WebhooksModule {}
