import { Controller, Get, Query, Req } from '@nestjs/common';
import { QueryBus, type Query as NestQuery } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { invoicesCursor } from '#projections/invoices/queries.js';
import { paymentsCursor } from '#projections/payments/queries.js';
import type { CursorShape, Page } from '#database/page.js';
import type { ApiRequest } from '../../http/caller.js';
import { Problem } from '../../http/problem.js';
import type { ProblemCode } from '../../http/problems.js';
import { Needs } from '../../http/route.js';
import { QueryRoute } from '../../openapi/api-docs.js';
import type { Fresh, ReadRequest } from '../../reads/freshness.js';
import { pageBody, pageWanted } from '../../reads/pages.js';
import { ListQuery, FreshnessQuery } from '../../reads/queries.dto.js';
import { readRequest } from '../../reads/read-request.js';
import { GetBillingStatus, GetSubscription, ListInvoices, ListPayments, type Listing } from './queries.js';

type CustomersList = {
  readonly list: string;
  readonly Wanted: new (listing: Listing) => NestQuery<Fresh<Page<unknown>>>;
  readonly cursor: CursorShape;
};

/** What a customer has subscribed to, paid and been invoiced. Customers' own people may read their own. */
@ApiTags('Billing')
@Controller('v1/customers/:customerId')
export class BillingReadsController {
  constructor(private readonly queries: QueryBus) {}

  @Get('subscription')
  @Needs('credits:read', { people: true })
  @QueryRoute({
    id: 'getSubscription',
    summary: 'The subscription that counts now',
    problems: ['subscription_not_found'],
  })
  subscription(@Req() request: ApiRequest, @Query() query: FreshnessQuery): Promise<object> {
    return this.#one(request, query, GetSubscription, 'subscription_not_found');
  }

  @Get('status')
  @Needs('credits:read', { people: true })
  @QueryRoute({
    id: 'getBillingStatus',
    summary: 'Plan, period, credits and invoices at a glance',
    problems: ['customer_not_found'],
  })
  status(@Req() request: ApiRequest, @Query() query: FreshnessQuery): Promise<object> {
    return this.#one(request, query, GetBillingStatus, 'customer_not_found');
  }

  @Get('payments')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'listPayments', summary: 'Payments, newest first' })
  payments(@Req() request: ApiRequest, @Query() query: ListQuery): Promise<object> {
    return this.#list(request, query, { list: 'payments', Wanted: ListPayments, cursor: paymentsCursor });
  }

  @Get('invoices')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'listInvoices', summary: 'Invoices, newest first' })
  invoices(@Req() request: ApiRequest, @Query() query: ListQuery): Promise<object> {
    return this.#list(request, query, { list: 'invoices', Wanted: ListInvoices, cursor: invoicesCursor });
  }

  async #one(
    request: ApiRequest,
    query: FreshnessQuery,
    Wanted: new (customerId: string, request: ReadRequest) => NestQuery<Fresh<object | null>>,
    missing: ProblemCode,
  ): Promise<object> {
    const { result, asOf } = await this.queries.execute(
      new Wanted(customerIn(request), readRequest(query, request.caller)),
    );
    if (result === null) throw new Problem(missing);
    return { ...result, asOf };
  }

  async #list(request: ApiRequest, query: ListQuery, { list, Wanted, cursor }: CustomersList): Promise<object> {
    const customerId = customerIn(request);
    const named = { list, customerId };
    const page = pageWanted(query, cursor, named);
    const listing = { customerId, ...page, request: readRequest(query, request.caller) };
    return pageBody(await this.queries.execute(new Wanted(listing)), named);
  }
}

const customerIn = ({ params }: ApiRequest): string => (params as { customerId: string }).customerId;
