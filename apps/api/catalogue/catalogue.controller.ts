import { Controller, Get, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type CatalogueKind } from '#projections/catalogue.js';
import { catalogueCursor } from '#projections/catalogue-queries.js';
import { ApiContext } from '../api-context.js';
import { Public } from '../http/route.js';
import { sendJson } from '../http/send.js';
import { QueryRoute } from '../openapi/api-docs.js';
import { LogReads } from '../reads/log-reads.js';
import { FreshnessQuery, ListQuery } from '../reads/queries.dto.js';
import { pageBody, pageWanted } from '../reads/pages.js';
import { readRequest } from '../reads/read-request.js';
import { ListCatalogue } from './catalogue.queries.js';

/** What is on sale. No login. */
@ApiTags('Catalogue')
@Controller('v1')
export class CatalogueController {
  constructor(
    private readonly queries: QueryBus,
    private readonly context: ApiContext,
    private readonly log: LogReads,
  ) {}

  @Get('plans')
  @Public()
  @QueryRoute({ id: 'listPlans', summary: 'Plans, by id' })
  plans(@Query() query: ListQuery, @Res() reply: FastifyReply): Promise<void> {
    return this.#list('plan', query, reply);
  }

  @Get('credit-products')
  @Public()
  @QueryRoute({ id: 'listCreditProducts', summary: 'Packs of credits, by id' })
  creditProducts(@Query() query: ListQuery, @Res() reply: FastifyReply): Promise<void> {
    return this.#list('credit_product', query, reply);
  }

  @Get('credit-events')
  @Public()
  @QueryRoute({ id: 'listCreditEvents', summary: 'Credit events and what they cost, by id' })
  creditEvents(@Query() query: ListQuery, @Res() reply: FastifyReply): Promise<void> {
    return this.#list('credit_event', query, reply);
  }

  @Get('billing/config')
  @Public()
  @QueryRoute({ id: 'getBillingConfig', summary: 'What a front end needs to start payments' })
  async config(@Query() query: FreshnessQuery, @Res() reply: FastifyReply): Promise<void> {
    const { billingEnabled, publishableKey, livemode } = this.context.config.stripe;
    sendJson(reply, { billingEnabled, publishableKey, livemode, asOf: await this.log.asOf(readRequest(query, null)) });
  }

  async #list(kind: CatalogueKind, query: ListQuery, reply: FastifyReply): Promise<void> {
    const list = { list: 'catalogue', kind };
    const { limit, cursor } = pageWanted(query, catalogueCursor, list);
    const found = await this.queries.execute(new ListCatalogue(kind, limit, cursor, readRequest(query, null)));
    sendJson(reply, pageBody(found, list));
  }
}
