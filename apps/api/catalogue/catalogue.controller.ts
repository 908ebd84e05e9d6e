import { Controller, Get, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ApiContext } from '../api-context.js';
import { Public } from '../http/route.js';
import { sendJson } from '../http/send.js';
import { OtherRoute, QueryRoute } from '../openapi/api-docs.js';
import { FreshnessQuery } from '../reads/queries.dto.js';
import { readRequest } from '../reads/read-request.js';
import { ListCatalogue, type CatalogueKind } from './catalogue.queries.js';

/** What is on sale. No login. */
@ApiTags('Catalogue')
@Controller('v1')
export class CatalogueController {
  constructor(
    private readonly queries: QueryBus,
    private readonly context: ApiContext,
  ) {}

  @Get('plans')
  @Public()
  @QueryRoute({ summary: 'Plans' })
  plans(@Query() query: FreshnessQuery, @Res() reply: FastifyReply): Promise<void> {
    return this.#list('plans', query, reply);
  }

  @Get('credit-products')
  @Public()
  @QueryRoute({ summary: 'Packs of credits' })
  creditProducts(@Query() query: FreshnessQuery, @Res() reply: FastifyReply): Promise<void> {
    return this.#list('creditProducts', query, reply);
  }

  @Get('credit-events')
  @Public()
  @QueryRoute({ summary: 'Credit events and what they cost' })
  creditEvents(@Query() query: FreshnessQuery, @Res() reply: FastifyReply): Promise<void> {
    return this.#list('creditEvents', query, reply);
  }

  @Get('billing/config')
  @Public()
  @OtherRoute({
    summary: 'What a front end needs to start payments',
    answer: '`{ billingEnabled, publishableKey, livemode }`',
  })
  config(@Res() reply: FastifyReply): void {
    const { billingEnabled, publishableKey, livemode } = this.context.config.stripe;
    sendJson(reply, { billingEnabled, publishableKey, livemode });
  }

  async #list(kind: CatalogueKind, query: FreshnessQuery, reply: FastifyReply): Promise<void> {
    const { result, asOf } = await this.queries.execute(new ListCatalogue(kind, readRequest(query, null)));
    sendJson(reply, { data: result, hasMore: false, nextCursor: null, asOf });
  }
}
