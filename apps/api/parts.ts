import type { Provider } from '@nestjs/common';
import { ledgerHandlersWith, type LedgerHandlersWith } from '#composition/ledger-handlers.js';
import { openStores } from '#composition/open-stores.js';
import type { Config } from '#config/env.js';
import type { Logger } from '#config/logger.js';
import { EventStore } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { AccountLog } from '#projections/balances/account-log.js';
import { BalanceReader } from '#projections/balances/queries.js';
import { projectionStatus, type ProjectionStatus } from '#projecting/status.js';
import { Database } from '#database/database.js';
import { PastAccounts } from './accounts/reads/past-accounts.js';
import { ApiContext } from './api-context.js';
import { apiKeyLookup } from './callers/api-key-lookup.js';
import { Authenticator } from './callers/authenticator.js';
import { LoadLimit } from './http/admission/load-limit.js';
import { EventFinder } from './reads/event-finder.js';
import { HealthChecks } from './operations/health.js';
import { Metrics } from './operations/metrics.js';
import { probeStripe } from './operations/stripe-probe.js';
import { BoundedReads } from './reads/bounded-reads.js';
import { apiAccountDecider, type ApiAccountCommand, type ApiAccountRefusal } from './writes/api-account-decider.js';
import {
  AccountWriter,
  CatalogReader,
  CustomerWriter,
  StripeCustomerWriter,
  StripeEventWriter,
  StripeIntentWriter,
  SubscriptionWriter,
  UsageWriter,
} from './writes/ledger-writers.js';

/** What the process holds open. */
export type Parts = {
  readonly context: ApiContext;
  readonly clock: Clock;
  readonly store: EventStore;
  readonly database: Database;
  readonly finder: EventFinder;
  /** For reads of what is now, and for those of the past, which must never hold those up. */
  readonly accounts: { readonly now: AccountLog; readonly past: PastAccounts };
  readonly writers: LedgerHandlersWith<ApiAccountCommand, ApiAccountRefusal>;
  readonly load: LoadLimit;
  readonly checks: HealthChecks;
  readonly metrics: Metrics;
  readonly authenticator: Authenticator;
};

/**
 * How many accounts are folded at a time, and how many reads may be under way or waiting for that. Of the past one: with two there is always
 * something to fold, and commands wait for each page.
 */
const accountReads = { now: { atATime: 8, most: 5_000 }, past: { atATime: 1, most: 100 } } as const;
/** So that a reader hears within five seconds that the database does not answer. */
const patience = { connectTimeoutMs: 2_000, queryTimeoutMs: 2_500 };

/** Opens everything that the API stands on. Fails when the database cannot be reached. */
export async function openParts(
  config: Config & { databaseUrl: string },
  logger: Logger,
  clock: Clock,
): Promise<Parts> {
  const { store, snapshots, database, keys } = await openStores(config, { clock, ...patience });
  const writers = ledgerHandlersWith(apiAccountDecider, { store, snapshots, keys, clock });
  const accountsFor = (kind: keyof typeof accountReads): PastAccounts =>
    new PastAccounts(store, snapshots, clock, new BoundedReads(accountReads[kind].atATime, accountReads[kind].most));
  const load = new LoadLimit(config.maxInFlight);
  const projections = (): Promise<readonly ProjectionStatus[]> => projectionStatus(database, store, clock.now());
  return {
    context: new ApiContext(config, logger),
    clock,
    store,
    database,
    finder: new EventFinder(store, keys, clock),
    accounts: { now: accountsFor('now'), past: accountsFor('past') },
    writers,
    load,
    checks: new HealthChecks(store, clock, projections, probeStripe(config.stripe, clock), logger),
    metrics: new Metrics(writers, () => load.inFlight, projections),
    authenticator: new Authenticator(config, clock, apiKeyLookup(database, clock)),
  };
}

/** The parts as what Nest injects; each class is its own token. */
export const valuesOf = (parts: Parts): Provider[] => [
  { provide: ApiContext, useValue: parts.context },
  { provide: Clock, useValue: parts.clock },
  { provide: EventStore, useValue: parts.store },
  { provide: Database, useValue: parts.database },
  { provide: EventFinder, useValue: parts.finder },
  { provide: BalanceReader, useValue: new BalanceReader(parts.database, parts.accounts.now) },
  { provide: AccountLog, useValue: parts.accounts.now },
  { provide: PastAccounts, useValue: parts.accounts.past },
  { provide: AccountWriter, useValue: parts.writers.account },
  { provide: CustomerWriter, useValue: parts.writers.customer },
  { provide: StripeCustomerWriter, useValue: parts.writers.stripeCustomer },
  { provide: StripeEventWriter, useValue: parts.writers.stripeEvent },
  { provide: StripeIntentWriter, useValue: parts.writers.stripeIntent },
  { provide: SubscriptionWriter, useValue: parts.writers.subscription },
  { provide: UsageWriter, useValue: parts.writers.usage },
  { provide: CatalogReader, useValue: parts.writers.catalog },
  { provide: LoadLimit, useValue: parts.load },
  { provide: HealthChecks, useValue: parts.checks },
  { provide: Authenticator, useValue: parts.authenticator },
  { provide: Metrics, useValue: parts.metrics },
];
