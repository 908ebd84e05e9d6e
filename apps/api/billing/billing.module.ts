import { Module } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { ApiContext } from '../api-context.js';
import { ReadsModule } from '../reads/reads.module.js';
import { AccountKeys } from './commands/account-keys.js';
import { BillingAnswers } from './commands/answers.js';
import { BillingChecks } from './commands/checks.js';
import { BillingReadsController } from './reads/billing-reads.controller.js';
import { BillingController } from './commands/billing.controller.js';
import {
  GetBillingStatusHandler,
  GetSubscriptionHandler,
  ListInvoicesHandler,
  ListPaymentsHandler,
} from './reads/queries.js';
import { FreePlans } from './commands/free-plans.js';
import { Portal } from './commands/portal.js';
import { PurchaseSettings } from './commands/purchase-settings.js';
import { Purchases } from './commands/purchases.js';
import { Sales } from './commands/sales.js';
import { ShownSubscriptions } from './reads/shown-subscriptions.js';
import { StripeConnection } from './stripe/connection.js';
import { StripeContacts } from './stripe/contacts.js';
import { StripeCustomers } from './stripe/customers.js';
import { StripeOutbox } from './stripe/outbox.js';
import { StripeSubscriptions } from './stripe/subscriptions.js';
import { SubscriptionChanges } from './commands/subscription-changes.js';

const ofCallers = [AccountKeys, BillingAnswers, BillingChecks];
const ofStripe = [StripeContacts, StripeCustomers, StripeOutbox, StripeSubscriptions, ShownSubscriptions];
const features = [FreePlans, Portal, Purchases, PurchaseSettings, Sales, SubscriptionChanges];
const handlers = [GetBillingStatusHandler, GetSubscriptionHandler, ListInvoicesHandler, ListPaymentsHandler];

/** What customers buy, pay and subscribe to, by way of Stripe. */
@Module({
  imports: [ReadsModule],
  controllers: [BillingController, BillingReadsController],
  providers: [
    {
      provide: StripeConnection,
      useFactory: ({ config }: ApiContext, clock: Clock) => new StripeConnection(config.stripe, clock),
      inject: [ApiContext, Clock],
    },
    ...ofCallers,
    ...ofStripe,
    ...features,
    ...handlers,
  ],
  exports: [StripeContacts],
})
export class BillingModule {}
