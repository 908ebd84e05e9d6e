import { Body, Controller, Get, HttpCode, Param, Put, Query, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { customersCursor } from '#projections/customers/queries.js';
import type { ApiRequest } from '../http/caller.js';
import { isDryRun } from '../http/dry-run.js';
import { Problem } from '../http/problem.js';
import { Needs } from '../http/route.js';
import { OtherRoute, QueryRoute } from '../openapi/api-docs.js';
import { pageBody, pageWanted } from '../reads/pages.js';
import { FreshnessQuery } from '../reads/queries.dto.js';
import { readRequest } from '../reads/read-request.js';
import { CustomerRecords } from './customer-records.js';
import { CustomerBody, CustomersQuery } from './customer.dto.js';
import { GetCustomer, SearchCustomers } from './queries.js';

/** Who the customers are. Names and addresses are kept outside the log. */
@ApiTags('Customers')
@Controller('v1/customers')
export class CustomersController {
  constructor(
    private readonly queries: QueryBus,
    private readonly records: CustomerRecords,
  ) {}

  @Put(':customerId')
  @HttpCode(201)
  @Needs('credits:write', { dryRun: true })
  @OtherRoute({
    id: 'putCustomer',
    summary: 'Register a customer or change their contact',
    body: CustomerBody,
    writes: true,
    problems: ['customer_erased'],
    answer: 'The customer; known before.',
  })
  @ApiResponse({ status: 201, description: 'The customer; first heard of now.' })
  async put(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Body() body: CustomerBody,
  ): Promise<object> {
    const asking = { actor: request.caller?.actor ?? 'nobody', requestId: request.id, dryRun: isDryRun(request) };
    return await this.records.put(customerId, body, asking);
  }

  @Get(':customerId')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'getCustomer', summary: 'A customer', problems: ['customer_not_found'] })
  async one(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: FreshnessQuery,
  ): Promise<object> {
    const { result, asOf } = await this.queries.execute(
      new GetCustomer(customerId, readRequest(query, request.caller)),
    );
    if (result === null) throw new Problem('customer_not_found');
    return { ...result, asOf };
  }

  @Get()
  @Needs('credits:read')
  @QueryRoute({ id: 'listCustomers', summary: 'Search customers, newest first' })
  async search(@Req() request: ApiRequest, @Query() query: CustomersQuery): Promise<object> {
    const text = query.query ?? null;
    const list = { list: 'customers', text };
    const { limit, cursor } = pageWanted(query, customersCursor, list);
    const found = await this.queries.execute(
      new SearchCustomers(text, limit, cursor, readRequest(query, request.caller)),
    );
    return pageBody(found, list);
  }
}
