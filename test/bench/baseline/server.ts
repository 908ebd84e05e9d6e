import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { createLogger } from '#config/logger.js';
import { SystemClock } from '#config/system-clock.js';
import { Authenticator } from '../../../apps/api/callers/authenticator.js';
import { admitRequests } from '../../../apps/api/http/admission/admission.js';
import { HttpModule } from '../../../apps/api/http/http.module.js';
import { parseBodies } from '../../../apps/api/http/json-body.js';
import { LoadLimit } from '../../../apps/api/http/admission/load-limit.js';
import { RouteTable } from '../../../apps/api/http/route-table.js';
import { createAdapter } from '../../../apps/api/http/server.js';
import { ConsumptionsController, POOL } from './consumptions.controller.js';

const { DATABASE_URL, ADMIN_API_KEY = '', POOL_SIZE = '16' } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE), min: Number(POOL_SIZE) });

const logger = createLogger('baseline', 'info');
const routes = new RouteTable();

@Module({
  imports: [HttpModule.with(logger, routes)],
  controllers: [ConsumptionsController],
  providers: [{ provide: POOL, useValue: pool }],
})
class BaselineModule {}

const adapter = createAdapter('baseline', () => false);
routes.watch(adapter.getInstance());
const authenticator = new Authenticator(
  { adminApiKey: ADMIN_API_KEY, jwt: { secret: null, jwksUrl: null, issuer: null, audience: null } },
  new SystemClock(),
  () => Promise.resolve(null),
);
parseBodies(adapter.getInstance());
admitRequests(adapter.getInstance(), { authenticator, load: new LoadLimit(20_000), rates: null });
const app = await NestFactory.create<NestFastifyApplication>(BaselineModule, adapter, {
  logger: false,
  bodyParser: false,
});
await app.listen(0, '127.0.0.1');
const { port } = app.getHttpServer().address() as AddressInfo;
logger.info({ url: `http://127.0.0.1:${String(port)}` }, 'listening');

process.once('SIGTERM', () => {
  void app.close().then(() => pool.end());
});
