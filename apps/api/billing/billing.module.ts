import { Module } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { ApiContext } from '../api-context.js';
import { ReadsModule } from '../reads/reads.module.js';
import { BillingAccounts } from './billing-accounts.js';
import { BillingAnswers } from './billing-answers.js';
import { BillingChecks } from './billing-checks.js';
import { BillingQueriesController } from './billing-queries.controller.js';
import { BillingController } from './billing.controller.js';
import {
  GetBillingStatusHandler,
  GetSubscriptionHandler,
  ListInvoicesHandler,
  ListPaymentsHandler,
} from './billing.queries.js';
import { FreePlans } from './free-plans.js';
import { Portal } from './portal.js';
import { PurchaseSettings } from './purchase-settings.js';
import { Purchases } from './purchases.js';
import { Sales } from './sales.js';
import { ShownSubscriptions } from './shown-subscriptions.js';
import { StripeConnection } from './stripe-connection.js';
import { StripeContacts } from './stripe-contacts.js';
import { StripeCustomers } from './stripe-customers.js';
import { StripeOutbox } from './stripe-outbox.js';
import { StripeSubscriptions } from './stripe-subscriptions.js';
import { SubscriptionChanges } from './subscription-changes.js';

const ofCallers = [BillingAccounts, BillingAnswers, BillingChecks];
const ofStripe = [StripeContacts, StripeCustomers, StripeOutbox, StripeSubscriptions, ShownSubscriptions];
const sold = [FreePlans, Portal, Purchases, PurchaseSettings, Sales, SubscriptionChanges];
const handlers = [GetBillingStatusHandler, GetSubscriptionHandler, ListInvoicesHandler, ListPaymentsHandler];

/** What customers buy, pay and subscribe to, by way of Stripe. */
@Module({
  imports: [ReadsModule],
  controllers: [BillingController, BillingQueriesController],
  providers: [
    {
      provide: StripeConnection,
      useFactory: ({ config }: ApiContext, clock: Clock) => new StripeConnection(config.stripe, clock),
      inject: [ApiContext, Clock],
    },
    ...ofCallers,
    ...ofStripe,
    ...sold,
    ...handlers,
  ],
  exports: [StripeContacts],
})
export class BillingModule {}
