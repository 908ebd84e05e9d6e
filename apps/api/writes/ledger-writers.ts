import { CommandHandler } from '#event-store/writing/command-handler.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';
import type { CatalogCommand, CatalogEvent, CatalogState } from '#ledger/catalog.js';
import type { CustomerCommand, CustomerEvent, CustomerRefusal, CustomerState } from '#ledger/customer.js';
import type { StripeCustomerCommand, StripeCustomerEvent, StripeCustomerState } from '#ledger/stripe/customer.js';
import type {
  StripeEventCommand,
  StripeEventEvent,
  StripeEventRefusal,
  StripeEventState,
} from '#ledger/stripe/event.js';
import type {
  StripeIntentCommand,
  StripeIntentEvent,
  StripeIntentRefusal,
  StripeIntentState,
} from '#ledger/stripe/intent.js';
import type { SubscriptionCommand, SubscriptionEvent, SubscriptionState } from '#ledger/subscription/subscription.js';
import type { UsageCommand, UsageEvent, UsageRefusal } from '#ledger/usage/usage.js';
import type { UsageState } from '#ledger/usage/state.js';
import type { ApiAccountCommand, ApiAccountRefusal } from './api-account-decider.js';

/** Injection tokens of the process's write paths, one a stream category: see libs/composition. */
export class AccountWriter extends CommandHandler<ApiAccountCommand, AccountEvent, AccountState, ApiAccountRefusal> {}
export class CustomerWriter extends CommandHandler<CustomerCommand, CustomerEvent, CustomerState, CustomerRefusal> {}
export class StripeEventWriter extends CommandHandler<
  StripeEventCommand,
  StripeEventEvent,
  StripeEventState,
  StripeEventRefusal
> {}
export class StripeCustomerWriter extends CommandHandler<
  StripeCustomerCommand,
  StripeCustomerEvent,
  StripeCustomerState,
  never
> {}
export class StripeIntentWriter extends CommandHandler<
  StripeIntentCommand,
  StripeIntentEvent,
  StripeIntentState,
  StripeIntentRefusal
> {}
export class SubscriptionWriter extends CommandHandler<
  SubscriptionCommand,
  SubscriptionEvent,
  SubscriptionState,
  never
> {}
export class UsageWriter extends CommandHandler<UsageCommand, UsageEvent, UsageState, UsageRefusal> {}
/** The API reads the catalogue; `scrip catalog apply` writes it. */
export class CatalogReader extends CommandHandler<CatalogCommand, CatalogEvent, CatalogState, never> {}
