import { randomBytes } from 'node:crypto';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '#config/env.js';
import type { Logger } from '#config/logger.js';
import { Clock } from '#kernel/clock.js';
import { AccountReadsController } from './accounts/account-reads.controller.js';
import { AccountService } from './accounts/account-service.js';
import { AccountSettingsController } from './accounts/account-settings.controller.js';
import { RunAccountCommandHandler } from './accounts/account.commands.js';
import { AccountController } from './accounts/account.controller.js';
import { BalanceHistory } from './accounts/balance-history.js';
import { BulkController } from './accounts/bulk.controller.js';
import {
  GetAccountHandler,
  GetBalanceAtHandler,
  GetBalanceHandler,
  ListClaimsHandler,
  ListGrantsHandler,
  ListHistoryHandler,
  ListHoldsHandler,
} from './accounts/ledger.queries.js';
import { AdminController } from './admin/admin.controller.js';
import { ParkedEventsController } from './admin/parked-events.controller.js';
import { GetReconciliationHandler, ListParkedEventsHandler, ListProjectionsHandler } from './admin/admin.queries.js';
import { ProjectionControl } from './admin/projection-control.js';
import { answers } from './answers.js';
import { openParts, valuesOf, type Parts } from './api-parts.js';
import { BillingAnswers } from './billing/billing-answers.js';
import { BillingQueriesController } from './billing/billing-queries.controller.js';
import { BillingAccounts } from './billing/billing-accounts.js';
import { BillingRate } from './billing/billing-rate.js';
import { BillingService } from './billing/billing-service.js';
import { BillingController } from './billing/billing.controller.js';
import {
  GetBillingStatusHandler,
  GetSubscriptionHandler,
  ListInvoicesHandler,
  ListPaymentsHandler,
} from './billing/billing.queries.js';
import { StripeContacts } from './billing/stripe-contacts.js';
import { StripeCustomers } from './billing/stripe-customers.js';
import { StripeSubscriptions } from './billing/stripe-subscriptions.js';
import { StripeOutbox } from './billing/stripe-outbox.js';
import { CatalogueController } from './catalogue/catalogue.controller.js';
import { ListCatalogueHandler } from './catalogue/catalogue.queries.js';
import { PriceList } from './catalogue/price-list.js';
import { CustomerRecords } from './customers/customer-records.js';
import { RunCustomerCommandHandler } from './customers/customer.commands.js';
import { CustomersController } from './customers/customers.controller.js';
import { GetCustomerHandler, SearchCustomersHandler } from './customers/customers.queries.js';
import { admitRequests } from './http/admission.js';
import { HttpModule } from './http/http.module.js';
import { parseBodies } from './http/json-body.js';
import { RateLimit } from './http/rate-limit.js';
import { logRequests, timeRequests } from './http/request-log.js';
import { RouteTable } from './http/route-table.js';
import { createAdapter } from './http/server.js';
import { LogController } from './log/log.controller.js';
import { FindEventHandler, ReadLogHandler, StreamLogHandler } from './log/log.queries.js';
import { serveDocs } from './openapi/docs-pages.js';
import { openApiDocument } from './openapi/openapi.js';
import { OperationsController } from './operations/operations.controller.js';
import { FreshReads } from './reads/freshness.js';
import { LogReads } from './reads/log-reads.js';
import {
  KeepStripeEventHandler,
  RetryStripeEventHandler,
  SetAsideStripeEventHandler,
} from './webhooks/stripe-event.commands.js';
import { StripeWebhookController } from './webhooks/stripe-webhook.controller.js';

const controllers = [
  AccountController,
  AccountReadsController,
  AccountSettingsController,
  AdminController,
  ParkedEventsController,
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
  GetAccountHandler,
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
  SetAsideStripeEventHandler,
  RunAccountCommandHandler,
  RunCustomerCommandHandler,
  SearchCustomersHandler,
  StreamLogHandler,
];
const services = [
  AccountService,
  BalanceHistory,
  BillingAnswers,
  BillingAccounts,
  BillingRate,
  BillingService,
  StripeContacts,
  StripeCustomers,
  StripeSubscriptions,
  CustomerRecords,
  FreshReads,
  LogReads,
  PriceList,
  ProjectionControl,
  StripeOutbox,
];

@Module({})
class ApiModule {
  static with(parts: Parts, routes: RouteTable, withOperations: boolean): DynamicModule {
    return {
      module: ApiModule,
      imports: [CqrsModule.forRoot(), HttpModule.with(parts.context.logger, routes)],
      controllers: withOperations ? [...controllers, OperationsController] : controllers,
      providers: [...valuesOf(parts), ...services, ...handlers],
    };
  }
}

@Module({})
class OperationsModule {
  static with(parts: Parts, routes: RouteTable): DynamicModule {
    return {
      module: OperationsModule,
      imports: [HttpModule.with(parts.context.logger, routes)],
      controllers: [OperationsController],
      providers: valuesOf(parts),
    };
  }
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

const nestOptions = { logger: false, bodyParser: false, abortOnError: false } as const;

async function createApp(parts: Parts): Promise<NestFastifyApplication> {
  const { authenticator, load, clock } = parts;
  const { config, logger } = parts.context;
  const adapter = createAdapter(randomBytes(6).toString('hex'));
  const server = adapter.getInstance();
  const routes = new RouteTable();
  routes.watch(server);
  const rates = config.rateLimit === null ? null : new RateLimit(config.rateLimit, clock);
  admitRequests(server, { authenticator, load, rates });
  timeRequests(server, parts.metrics.requests);
  if (config.logRequests) logRequests(server, logger);
  const module = ApiModule.with(parts, routes, config.metricsPort === null);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, nestOptions);
  if (config.corsOrigins.length > 0) app.enableCors(corsOf(config.corsOrigins));
  parseBodies(app);
  serveDocs(server, openApiDocument(app, answers));
  await app.init();
  return app;
}

const corsOf = (origins: readonly string[]): object => ({
  origin: [...origins],
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  exposedHeaders: ['idempotent-replayed', 'retry-after', 'x-request-id'],
  maxAge: 600,
});

async function createOperations(parts: Parts): Promise<NestFastifyApplication> {
  const adapter = createAdapter(randomBytes(6).toString('hex'));
  const routes = new RouteTable();
  routes.watch(adapter.getInstance());
  const { authenticator, load } = parts;
  admitRequests(adapter.getInstance(), { authenticator, load, rates: null });
  const module = OperationsModule.with(parts, routes);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, nestOptions);
  parseBodies(app);
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
