import { Controller, Get, Header } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Answer } from '../http/answer.js';
import { LoadLimit } from '../http/admission/load-limit.js';
import { ForOperations } from '../http/route.js';
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
  live(): object {
    return { status: 'ok' };
  }

  @Get('readyz')
  @ForOperations()
  @OtherRoute({
    id: 'getReadiness',
    query: true,
    summary: 'Whether the process can serve: 200, else 503',
    answer: '`{ ready, store, database }`',
  })
  async ready(): Promise<object> {
    const found = await this.checks.ready();
    const ready = found.ready && !this.load.draining;
    return new Answer(ready ? 200 : 503, { ...found, ready });
  }

  @Get('healthz')
  @ForOperations()
  @OtherRoute({
    id: 'getHealth',
    query: true,
    summary: 'How everything that the process stands on is doing',
    answer: '`{ status, store, database, stripe, projections }`',
  })
  async health(): Promise<object> {
    const health = await this.checks.health();
    return new Answer(health.status === 'error' ? 503 : 200, health);
  }

  @Get('metrics')
  @Header('content-type', Metrics.contentType)
  @ForOperations()
  @OtherRoute({
    id: 'getMetrics',
    query: true,
    summary: 'Figures for Prometheus',
    answer: 'Text in the format of Prometheus.',
  })
  metrics(): Promise<string> {
    return this.numbers.text();
  }
}
