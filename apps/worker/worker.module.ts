import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { drainHandlers, ledgerHandlers, type LedgerHandlers } from '#composition/ledger-handlers.js';
import { openStores } from '#composition/open-stores.js';
import type { Config } from '#config/env.js';
import type { Logger as PinoLogger } from '#config/logger.js';
import { endsWithin } from '#consuming/drain.js';
import { EventStore } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { pendingIntents, pendingIntentsOf } from '#projections/stripe-intents/queries.js';
import { PostgresCheckpoint } from '#records/checkpoints.js';
import { stripeContactOf } from '#records/contacts.js';
import { PostgresInboxState } from '#records/inbox/postgres-state.js';
import type { InboxState } from '#records/inbox/state.js';
import { Database } from '#database/database.js';
import { stripeClientOf, type StripeClient } from '#stripe/operations/client.js';
import { ProjectedDueWork } from './scheduler/due-work.js';
import { ContactSender } from './stripe-maintenance/contact-sender.js';
import {
  MaintenanceTasks,
  MaintenanceConsumer,
  type MaintenanceTask,
} from './stripe-maintenance/maintenance.consumer.js';
import { InboxConsumer } from './inbox/inbox.consumer.js';
import { Inbox } from './inbox/inbox.js';
import { IntentSettler } from './stripe-maintenance/intent-settler.js';
import { LineFetcher } from './inbox/line-fetcher.js';
import { Logger } from './logger.js';
import { WorkerMetrics } from './metrics.js';
import { serveOperations } from './operations-server.js';
import { ProjectionsConsumer } from './projections/projections.consumer.js';
import { SchedulerConsumer } from './scheduler/scheduler.consumer.js';
import { Scheduler } from './scheduler/scheduler.js';
import { SettlerConsumer } from './settler/settler.consumer.js';
import { Settler } from './settler/settler.js';
import { TransfersConsumer } from './transfers/transfers.consumer.js';
import { Transfers } from './transfers/transfers.js';

/** Every read model may be writing at once. */
const POOL_SIZE = 20;

type WorkerConfig = Config & { readonly databaseUrl: string };

/** What the process holds open. */
type Parts = {
  readonly config: WorkerConfig;
  readonly logger: PinoLogger;
  readonly clock: Clock;
  readonly store: EventStore;
  readonly database: Database;
  readonly handlers: LedgerHandlers;
};

@Module({})
class WorkerModule {
  static with({ config, logger, clock, store, database, handlers }: Parts): DynamicModule {
    const state = new PostgresInboxState(database);
    const { livemode, customerKey } = config.stripe;
    const inbox = new Inbox({ handlers, state, clock, livemode, customerKey });
    const settler = new Settler({ handlers, checkpoint: new PostgresCheckpoint(database, 'settler') });
    const transfers = new Transfers({ handlers, checkpoint: new PostgresCheckpoint(database, 'transfers') });
    const client = stripeClientOf(config.stripe, clock);
    const tasks: MaintenanceTasks = {
      all: client === null ? [] : maintenanceTasksOf(client, { handlers, state, clock, database }),
    };
    const dueWork = new ProjectedDueWork(database, config.stripe.gracePeriodDays);
    const scheduler = new Scheduler({
      handlers,
      dueWork,
      clock,
      report: (report) => logger.error(report, 'an account cannot be brought up to date'),
    });
    return {
      module: WorkerModule,
      providers: [
        { provide: Logger, useValue: logger },
        { provide: Clock, useValue: clock },
        { provide: EventStore, useValue: store },
        { provide: Database, useValue: database },
        { provide: Inbox, useValue: inbox },
        { provide: Settler, useValue: settler },
        { provide: Transfers, useValue: transfers },
        { provide: Scheduler, useValue: scheduler },
        { provide: MaintenanceTasks, useValue: tasks },
        MaintenanceConsumer,
        InboxConsumer,
        ProjectionsConsumer,
        SchedulerConsumer,
        SettlerConsumer,
        TransfersConsumer,
        {
          provide: WorkerMetrics,
          useFactory: (...followers: readonly [InboxConsumer, SettlerConsumer, TransfersConsumer]) =>
            new WorkerMetrics(handlers, { inbox: followers[0], settler: followers[1], transfers: followers[2] }),
          inject: [InboxConsumer, SettlerConsumer, TransfersConsumer],
        },
      ],
    };
  }
}

function maintenanceTasksOf(
  client: StripeClient,
  { handlers, state, clock, database }: Pick<Parts, 'handlers' | 'clock' | 'database'> & { readonly state: InboxState },
): readonly MaintenanceTask[] {
  const settler = new IntentSettler({
    client,
    handlers,
    clock,
    pending: (before, after, limit) => pendingIntents(database, before, after, limit),
  });
  const contacts = new ContactSender({
    client,
    handlers,
    clock,
    pending: (limit) => pendingIntentsOf(database, 'update_customer', limit),
    contactOf: (customerId) => stripeContactOf(database, customerId),
  });
  return [new LineFetcher({ client, handlers, state }), contacts, settler];
}

async function openParts(config: WorkerConfig, logger: PinoLogger, clock: Clock): Promise<Parts> {
  const { database, ...writing } = await openStores(config, { clock, migrates: true, poolSize: POOL_SIZE });
  const handlers = ledgerHandlers({ ...writing, clock });
  return { config, logger, clock, store: writing.store, database, handlers };
}

export type RunningWorker = { stop(): Promise<void> };

/** What follows the log because of Stripe. */
const followers = [InboxConsumer, SettlerConsumer];

const drainMs = 10_000;

/**
 * Starts the worker: brings the schemas up to date, then runs the inbox of Stripe events, the settler of payments, the transfers
 * between customers, the projections and the scheduler.
 * `stop` lets the work under way come to its next checkpoint (at most ten seconds) and closes everything. Without Stripe billing
 * the inbox and the settler stand still.
 */
export async function startWorker(config: WorkerConfig, logger: PinoLogger, clock: Clock): Promise<RunningWorker> {
  const parts = await openParts(config, logger, clock);
  const app = await NestFactory.createApplicationContext(WorkerModule.with(parts), {
    logger: false,
    abortOnError: false,
  });
  const { workerMetricsPort: port, host } = config;
  const operations = port === null ? null : await serveOperations(app.get(WorkerMetrics), host, port);
  const stopping = new AbortController();
  const consumers = [
    app.get(ProjectionsConsumer).run(stopping.signal),
    app.get(SchedulerConsumer).run(stopping.signal),
    app.get(TransfersConsumer).run(stopping.signal),
    ...(config.stripe.billingEnabled ? followers.map((each) => app.get(each).run(stopping.signal)) : []),
    ...(app.get(MaintenanceTasks).all.length > 0 ? [app.get(MaintenanceConsumer).run(stopping.signal)] : []),
  ];
  return {
    stop: async () => {
      stopping.abort();
      await endsWithin(
        clock,
        drainMs,
        Promise.all(consumers).then(() => drainHandlers(parts.handlers)),
      );
      operations?.close();
      await app.close();
      await parts.store.close();
      await parts.database.close();
    },
  };
}
