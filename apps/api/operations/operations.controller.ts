import { Controller, Get, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { LoadLimit } from '../http/load-limit.js';
import { ForOperations } from '../http/route.js';
import { sendJson } from '../http/send.js';
import { OtherRoute } from '../openapi/api-docs.js';
import { HealthChecks } from './health.js';
import { Metrics } from './metrics.js';

/** What runs the process asks of it. No login: nothing here tells of customers. */
@ApiTags('Operations')
@Controller()
export class OperationsController {
  constructor(
    private readonly checks: HealthChecks,
    private readonly numbers: Metrics,
    private readonly load: LoadLimit,
  ) {}

  @Get('livez')
  @ForOperations()
  @OtherRoute({ id: 'getLiveness', query: true, summary: 'Whether the process runs', answer: '`{ status: "ok" }`' })
  live(@Res() reply: FastifyReply): void {
    sendJson(reply, { status: 'ok' });
  }

  @Get('readyz')
  @ForOperations()
  @OtherRoute({
    id: 'getReadiness',
    query: true,
    summary: 'Whether the process can serve: 200, else 503',
    answer: '`{ ready, store, database }`',
  })
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const found = await this.checks.ready();
    const ready = found.ready && !this.load.draining;
    sendJson(reply, { ...found, ready }, ready ? 200 : 503);
  }

  @Get('healthz')
  @ForOperations()
  @OtherRoute({
    id: 'getHealth',
    query: true,
    summary: 'How everything that the process stands on is doing',
    answer: '`{ status, store, database, stripe, projections }`',
  })
  async health(@Res() reply: FastifyReply): Promise<void> {
    const health = await this.checks.health();
    sendJson(reply, health, health.status === 'error' ? 503 : 200);
  }

  @Get('metrics')
  @ForOperations()
  @OtherRoute({
    id: 'getMetrics',
    query: true,
    summary: 'Figures for Prometheus',
    answer: 'Text in the format of Prometheus.',
  })
  async metrics(@Res() reply: FastifyReply): Promise<void> {
    void reply.header('content-type', this.numbers.contentType).send(await this.numbers.text());
  }
}
