import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { createLogger } from '#config/logger.js';
import { SystemClock } from '#config/system-clock.js';
import { Authenticator } from '../../../apps/api/callers/authenticator.js';
import { callControllers } from '../../../apps/api/http/handlers.js';
import { createAdapter, guardRoutes } from '../../../apps/api/http/http-server.js';
import { LoadLimit } from '../../../apps/api/http/load-limit.js';
import { ProblemAnswers } from '../../../apps/api/http/problem-answers.js';
import { ConsumptionsController, POOL } from './consumptions.controller.js';

const { DATABASE_URL, ADMIN_API_KEY = '', POOL_SIZE = '16' } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE), min: Number(POOL_SIZE) });

@Module({ controllers: [ConsumptionsController], providers: [{ provide: POOL, useValue: pool }] })
class BaselineModule {}

const logger = createLogger('baseline', 'info');
const app = await NestFactory.create<NestFastifyApplication>(BaselineModule, createAdapter('baseline'), {
  logger: false,
  bodyParser: false,
});
const authenticator = new Authenticator(
  { adminApiKey: ADMIN_API_KEY, jwt: { secret: null, jwksUrl: null, issuer: null, audience: null } },
  new SystemClock(),
  () => Promise.resolve(null),
);
const { methodsOf } = await guardRoutes(app.getHttpAdapter().getInstance(), {
  authenticator,
  load: new LoadLimit(20_000),
  rates: null,
  times: null,
  corsOrigins: [],
});
callControllers(app, new ProblemAnswers(logger, methodsOf));
await app.listen(0, '127.0.0.1');
const { port } = app.getHttpServer().address() as AddressInfo;
logger.info({ url: `http://127.0.0.1:${String(port)}` }, 'listening');

process.once('SIGTERM', () => {
  void app.close().then(() => pool.end());
});
