import { randomBytes } from 'node:crypto';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '#config/env.js';
import type { Logger } from '#config/logger.js';
import { EventStore } from '#event-store/event-store.js';
import { openEventStore, openSnapshotStore } from '#event-store/event-store.module.js';
import { Clock } from '#kernel/clock.js';
import { catalogDecider } from '#ledger/catalog.js';
import { customerDecider } from '#ledger/customer.js';
import { ledgerCodec } from '#ledger/events.js';
import { stripeEventDecider } from '#ledger/stripe-event.js';
import { stripeIntentDecider } from '#ledger/stripe-intent.js';
import { subscriptionDecider } from '#ledger/subscription.js';
import { CommandKeyIndex } from '#projections/command-keys.js';
import { projectionStatus, type ProjectionStatus } from '#read-store/projection-status.js';
import { openReadDatabase, ReadDatabase } from '#read-store/read-database.js';
import { BalanceReader } from '#projections/balance-queries.js';
import { AccountReadsController } from './accounts/account-reads.controller.js';
import { AccountService } from './accounts/account-service.js';
import { AccountSettingsController } from './accounts/account-settings.controller.js';
import { RunAccountCommandHandler } from './accounts/account.commands.js';
import { AccountController } from './accounts/account.controller.js';
import { BalanceHistory } from './accounts/balance-history.js';
import { BulkController } from './accounts/bulk.controller.js';
import {
  GetBalanceAtHandler,
  GetBalanceHandler,
  ListClaimsHandler,
  ListGrantsHandler,
  ListHistoryHandler,
  ListHoldsHandler,
} from './accounts/ledger.queries.js';
import { TopUp } from './accounts/top-up.js';
import { AdminController } from './admin/admin.controller.js';
import { GetReconciliationHandler, ListParkedEventsHandler, ListProjectionsHandler } from './admin/admin.queries.js';
import { ProjectionControl } from './admin/projection-control.js';
import { ApiContext } from './api-context.js';
import { BillingQueriesController } from './billing/billing-queries.controller.js';
import { BillingRate } from './billing/billing-rate.js';
import { BillingService } from './billing/billing-service.js';
import { BillingController } from './billing/billing.controller.js';
import {
  GetBillingStatusHandler,
  GetSubscriptionHandler,
  ListInvoicesHandler,
  ListPaymentsHandler,
} from './billing/billing.queries.js';
import { StripeConnection } from './billing/stripe-connection.js';
import { StripeOutbox } from './billing/stripe-outbox.js';
import { apiKeyLookup } from './callers/api-key-lookup.js';
import { Authenticator } from './callers/authenticator.js';
import { CatalogueController } from './catalogue/catalogue.controller.js';
import { ListCatalogueHandler } from './catalogue/catalogue.queries.js';
import { PriceList } from './catalogue/price-list.js';
import { CustomerRecords } from './customers/customer-records.js';
import { RunCustomerCommandHandler } from './customers/customer.commands.js';
import { CustomersController } from './customers/customers.controller.js';
import { GetCustomerHandler, SearchCustomersHandler } from './customers/customers.queries.js';
import { createAdapter, guardRoutes } from './http/http-server.js';
import { LoadLimit } from './http/load-limit.js';
import { ProblemsFilter } from './http/problems.filter.js';
import { QueryGuard } from './http/query-guard.js';
import { RateLimit } from './http/rate-limit.js';
import { logRequests } from './http/request-log.js';
import { ValidationPipe } from './http/validation.js';
import { EventFinder } from './log/event-finder.js';
import { LogController } from './log/log.controller.js';
import { FindEventHandler, ReadLogHandler, StreamLogHandler } from './log/log.queries.js';
import { openApiDocument, serveDocs } from './openapi/openapi.js';
import { HealthChecks } from './operations/health.js';
import { Metrics } from './operations/metrics.js';
import { OperationsController } from './operations/operations.controller.js';
import { probeStripe } from './operations/stripe-probe.js';
import { FreshReads } from './reads/freshness.js';
import { KeepStripeEventHandler, RetryStripeEventHandler } from './webhooks/stripe-event.commands.js';
import { StripeWebhookController } from './webhooks/stripe-webhook.controller.js';
import { apiAccountDecider } from './writes/api-account-decider.js';
import {
  AccountWriter,
  CatalogReader,
  CustomerWriter,
  StripeEventWriter,
  StripeIntentWriter,
  SubscriptionWriter,
} from './writes/ledger-writers.js';

const controllers = [
  AccountController,
  AccountReadsController,
  AccountSettingsController,
  AdminController,
  BillingController,
  BillingQueriesController,
  BulkController,
  CatalogueController,
  CustomersController,
  LogController,
  StripeWebhookController,
];
const handlers = [
  FindEventHandler,
  GetBalanceAtHandler,
  GetBalanceHandler,
  GetBillingStatusHandler,
  GetCustomerHandler,
  GetReconciliationHandler,
  GetSubscriptionHandler,
  KeepStripeEventHandler,
  ListCatalogueHandler,
  ListClaimsHandler,
  ListGrantsHandler,
  ListHistoryHandler,
  ListHoldsHandler,
  ListInvoicesHandler,
  ListParkedEventsHandler,
  ListPaymentsHandler,
  ListProjectionsHandler,
  ReadLogHandler,
  RetryStripeEventHandler,
  RunAccountCommandHandler,
  RunCustomerCommandHandler,
  SearchCustomersHandler,
  StreamLogHandler,
];
const services = [
  AccountService,
  BalanceHistory,
  BillingRate,
  BillingService,
  CustomerRecords,
  FreshReads,
  PriceList,
  ProjectionControl,
  StripeOutbox,
];

/** What the process holds open. */
type Parts = {
  readonly context: ApiContext;
  readonly clock: Clock;
  readonly store: EventStore;
  readonly database: ReadDatabase;
  readonly finder: EventFinder;
  readonly writers: {
    readonly account: AccountWriter;
    readonly customer: CustomerWriter;
    readonly stripeEvent: StripeEventWriter;
    readonly stripeIntent: StripeIntentWriter;
    readonly subscription: SubscriptionWriter;
    readonly catalog: CatalogReader;
  };
  readonly load: LoadLimit;
  readonly checks: HealthChecks;
  readonly metrics: Metrics;
  readonly authenticator: Authenticator;
};

@Module({})
class ApiModule {
  static with(parts: Parts, withOperations: boolean): DynamicModule {
    return {
      module: ApiModule,
      imports: [CqrsModule.forRoot()],
      controllers: withOperations ? [...controllers, OperationsController] : controllers,
      providers: [...values(parts), ...services, ...handlers],
    };
  }
}

@Module({})
class OperationsModule {
  static with(parts: Parts): DynamicModule {
    return { module: OperationsModule, controllers: [OperationsController], providers: values(parts) };
  }
}

const values = (parts: Parts): Provider[] => [
  { provide: ApiContext, useValue: parts.context },
  { provide: Clock, useValue: parts.clock },
  { provide: EventStore, useValue: parts.store },
  { provide: ReadDatabase, useValue: parts.database },
  { provide: EventFinder, useValue: parts.finder },
  { provide: BalanceReader, useValue: new BalanceReader(parts.database) },
  { provide: AccountWriter, useValue: parts.writers.account },
  { provide: CustomerWriter, useValue: parts.writers.customer },
  { provide: StripeEventWriter, useValue: parts.writers.stripeEvent },
  { provide: StripeIntentWriter, useValue: parts.writers.stripeIntent },
  { provide: SubscriptionWriter, useValue: parts.writers.subscription },
  { provide: StripeConnection, useValue: new StripeConnection(parts.context.config.stripe, parts.clock) },
  { provide: CatalogReader, useValue: parts.writers.catalog },
  { provide: LoadLimit, useValue: parts.load },
  { provide: HealthChecks, useValue: parts.checks },
  { provide: Authenticator, useValue: parts.authenticator },
  { provide: Metrics, useValue: parts.metrics },
  { provide: TopUp, useValue: new TopUp(parts.context.config.topUpUrl) },
];

/** Opens everything that the API stands on. Fails when the database cannot be reached. */
async function openParts(config: Config & { databaseUrl: string }, logger: Logger, clock: Clock): Promise<Parts> {
  const { databaseUrl } = config;
  const store = await openEventStore(
    config.eventStore.kind === 'postgres' ? { kind: 'postgres', databaseUrl } : config.eventStore,
    clock,
  );
  const snapshots = await openSnapshotStore(databaseUrl, clock);
  const database = openReadDatabase(databaseUrl, { clock });
  const keys = store.knowsEveryId ? null : new CommandKeyIndex(database);
  const shared = { store, snapshots, keys, clock };
  // Only accounts are written again and again; streams that are written once or twice need not stay in memory.
  const usedAtTimes = { ...shared, limits: { cachedStreams: 2_000 } };
  const usedOnce = { ...shared, limits: { cachedStreams: 500 } };
  const writers = {
    account: new AccountWriter(apiAccountDecider, { ...shared, codec: ledgerCodec }),
    customer: new CustomerWriter(customerDecider, { ...usedAtTimes, codec: ledgerCodec }),
    stripeEvent: new StripeEventWriter(stripeEventDecider, { ...usedOnce, codec: ledgerCodec }),
    stripeIntent: new StripeIntentWriter(stripeIntentDecider, { ...usedOnce, codec: ledgerCodec }),
    subscription: new SubscriptionWriter(subscriptionDecider, { ...usedOnce, codec: ledgerCodec }),
    catalog: new CatalogReader(catalogDecider, { ...shared, codec: ledgerCodec }),
  };
  const load = new LoadLimit(config.maxInFlight);
  const projections = (): Promise<readonly ProjectionStatus[]> => projectionStatus(database, store, clock.now());
  return {
    context: new ApiContext(config, logger),
    clock,
    store,
    database,
    finder: new EventFinder(store, keys, clock),
    writers,
    load,
    checks: new HealthChecks(store, clock, projections, probeStripe(config.stripe, clock)),
    metrics: new Metrics(writers, () => load.inFlight, projections),
    authenticator: new Authenticator(config, clock, apiKeyLookup(database, clock)),
  };
}

export type RunningApi = {
  readonly url: string;
  /** Where the routes for operations are, when they have a port of their own. */
  readonly metricsUrl: string | null;
  stop(): Promise<void>;
};

const drainMs = 9_000;
/** How long everybody is still served, while readiness says no and each answer tells its client to connect elsewhere. */
const graceMs = 400;
/** How long new requests are then refused with Retry-After, so that nobody is just connecting when listening ends. */
const refusingMs = 300;

/**
 * Starts the API: opens what it stands on, then listens. `stop` serves for a short grace, refuses new requests for a moment,
 * stops listening, lets what is under way finish (at most ten seconds in all), and closes everything.
 */
export async function startApi(
  config: Config & { databaseUrl: string },
  logger: Logger,
  clock: Clock,
): Promise<RunningApi> {
  const parts = await openParts(config, logger, clock);
  const app = await createApp(parts);
  const operations = config.metricsPort === null ? null : await createOperations(parts);
  await app.listen(config.port, config.host);
  if (operations !== null) await operations.listen(config.metricsPort ?? 0, config.host);
  return {
    url: await app.getUrl(),
    metricsUrl: operations === null ? null : await operations.getUrl(),
    stop: async () => {
      parts.load.drain();
      await clock.sleep(graceMs);
      parts.load.close();
      await clock.sleep(refusingMs);
      await closeWithin(app, clock);
      await Promise.all(Object.values(parts.writers).map((writer) => writer.drain()));
      await operations?.close();
      await parts.store.close();
      await parts.database.close();
    },
  };
}

async function createApp(parts: Parts): Promise<NestFastifyApplication> {
  const { authenticator } = parts;
  const { config, logger } = parts.context;
  const adapter = createAdapter(randomBytes(6).toString('hex'));
  const server = adapter.getInstance();
  const rates = config.rateLimit === null ? null : new RateLimit(config.rateLimit, parts.clock);
  const { methodsOf } = guardRoutes(server, { authenticator, load: parts.load, rates });
  parts.metrics.measure(server);
  if (config.logRequests) logRequests(server, logger);
  const app = await NestFactory.create<NestFastifyApplication>(
    ApiModule.with(parts, config.metricsPort === null),
    adapter,
    {
      logger: false,
      bodyParser: false,
      abortOnError: false,
    },
  );
  if (config.corsOrigins.length > 0) {
    app.enableCors({
      origin: [...config.corsOrigins],
      exposedHeaders: ['idempotent-replayed', 'retry-after', 'x-request-id'],
      maxAge: 600,
    });
  }
  app.useGlobalPipes(new ValidationPipe());
  app.useGlobalGuards(new QueryGuard());
  app.useGlobalFilters(new ProblemsFilter(logger, methodsOf));
  serveDocs(server, openApiDocument(app));
  await app.init();
  return app;
}

async function createOperations(parts: Parts): Promise<NestFastifyApplication> {
  const adapter = createAdapter(randomBytes(6).toString('hex'));
  const { authenticator, load, context } = parts;
  const { methodsOf } = guardRoutes(adapter.getInstance(), { authenticator, load, rates: null });
  const app = await NestFactory.create<NestFastifyApplication>(OperationsModule.with(parts), adapter, {
    logger: false,
    bodyParser: false,
    abortOnError: false,
  });
  app.useGlobalFilters(new ProblemsFilter(context.logger, methodsOf));
  return app;
}

/** Stops listening and waits for what is under way. Nothing is cut off, unless it takes longer than the drain. */
async function closeWithin(app: NestFastifyApplication, clock: Clock): Promise<void> {
  const http = app.getHttpServer();
  const closed = app.close();
  const ended = new AbortController();
  const sweep = setInterval(() => http.closeIdleConnections(), 50);
  await Promise.race([closed, clock.sleep(drainMs, ended.signal)]);
  ended.abort();
  clearInterval(sweep);
  http.closeAllConnections();
  await closed;
}
