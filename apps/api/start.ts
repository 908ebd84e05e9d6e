import { randomBytes } from 'node:crypto';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { FastifyAdapter, NestFastifyApplication } from '@nestjs/platform-fastify';
import { drainHandlers } from '#composition/ledger-handlers.js';
import type { Config } from '#config/env.js';
import type { Logger } from '#config/logger.js';
import { Clock } from '#kernel/clock.js';
import { answers } from './answers.js';
import { ApiModule } from './api.module.js';
import { admitRequests } from './http/admission/admission.js';
import { parseBodies } from './http/json-body.js';
import { RateLimit } from './http/admission/rate-limit.js';
import { logRequests, timeRequests } from './http/request-log.js';
import { RouteTable } from './http/route-table.js';
import { createAdapter } from './http/server.js';
import { serveDocs } from './openapi/docs-pages.js';
import { openApiDocument } from './openapi/openapi.js';
import { openParts, type Parts } from './parts.js';

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
      await drainHandlers(parts.writers);
      await operations?.close();
      await parts.store.close();
      await parts.database.close();
    },
  };
}

async function createApp(parts: Parts): Promise<NestFastifyApplication> {
  const { config, logger } = parts.context;
  const adapter = createAdapter(randomBytes(6).toString('hex'), () => parts.load.draining);
  const server = adapter.getInstance();
  const routes = new RouteTable();
  routes.watch(server);
  const rates = config.rateLimit === null ? null : new RateLimit(config.rateLimit, parts.clock);
  admitRequests(server, { authenticator: parts.authenticator, load: parts.load, rates });
  timeRequests(server, parts.metrics.requests);
  if (config.logRequests) logRequests(server, logger);
  const app = await appOf(ApiModule.with(parts, routes), adapter);
  if (config.corsOrigins.length > 0) app.enableCors(corsOf(config.corsOrigins));
  serveDocs(server, openApiDocument(app, answers));
  await app.init();
  return app;
}

async function createOperations(parts: Parts): Promise<NestFastifyApplication> {
  const adapter = createAdapter(randomBytes(6).toString('hex'), () => parts.load.draining);
  const routes = new RouteTable();
  routes.watch(adapter.getInstance());
  admitRequests(adapter.getInstance(), { authenticator: parts.authenticator, load: parts.load, rates: null });
  return appOf(ApiModule.forOperations(parts, routes), adapter);
}

function appOf(module: DynamicModule, adapter: FastifyAdapter): Promise<NestFastifyApplication> {
  const options = { logger: false, bodyParser: false, abortOnError: false } as const;
  parseBodies(adapter.getInstance());
  return NestFactory.create<NestFastifyApplication>(module, adapter, options);
}

const corsOf = (origins: readonly string[]): object => ({
  origin: [...origins],
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  exposedHeaders: ['idempotent-replayed', 'retry-after', 'x-request-id'],
  maxAge: 600,
});

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
