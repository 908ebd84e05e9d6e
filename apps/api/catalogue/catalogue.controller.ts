import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { type CatalogueKind } from '#projections/catalogue/catalogue.js';
import { catalogueCursor } from '#projections/catalogue/queries.js';
import { ApiContext } from '../api-context.js';
import { Public } from '../http/route.js';
import { QueryRoute } from '../openapi/api-docs.js';
import { LogReads } from '../reads/log-reads.js';
import { FreshnessQuery, ListQuery } from '../reads/queries.dto.js';
import { pageBody, pageWanted } from '../reads/pages.js';
import { readRequest } from '../reads/read-request.js';
import { ListCatalogue } from './queries.js';

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
  plans(@Query() query: ListQuery): Promise<object> {
    return this.#list('plan', query);
  }

  @Get('credit-products')
  @Public()
  @QueryRoute({ id: 'listCreditProducts', summary: 'Packs of credits, by id' })
  creditProducts(@Query() query: ListQuery): Promise<object> {
    return this.#list('credit_product', query);
  }

  @Get('credit-events')
  @Public()
  @QueryRoute({ id: 'listCreditEvents', summary: 'Credit events and what they cost, by id' })
  creditEvents(@Query() query: ListQuery): Promise<object> {
    return this.#list('credit_event', query);
  }

  @Get('billing/config')
  @Public()
  @QueryRoute({ id: 'getBillingConfig', summary: 'What a front end needs to start payments' })
  async config(@Query() query: FreshnessQuery): Promise<object> {
    const { billingEnabled, publishableKey, livemode } = this.context.config.stripe;
    return { billingEnabled, publishableKey, livemode, asOf: await this.log.asOf(readRequest(query, null)) };
  }

  async #list(kind: CatalogueKind, query: ListQuery): Promise<object> {
    const list = { list: 'catalogue', kind };
    const { limit, cursor } = pageWanted(query, catalogueCursor, list);
    const found = await this.queries.execute(new ListCatalogue(kind, limit, cursor, readRequest(query, null)));
    return pageBody(found, list);
  }
}
