import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { invoicesCursor } from '#projections/invoices.js';
import { paymentsCursor } from '#projections/payments.js';
import type { ApiRequest } from '../http/caller.js';
import { Problem } from '../http/problems.js';
import { Needs } from '../http/route.js';
import { sendJson } from '../http/send.js';
import { QueryRoute } from '../openapi/api-docs.js';
import { pageBody, pageWanted } from '../reads/pages.js';
import { ListQuery, FreshnessQuery } from '../reads/queries.dto.js';
import { readRequest } from '../reads/read-request.js';
import { GetBillingStatus, GetSubscription, ListInvoices, ListPayments } from './billing.queries.js';

/** What a customer has subscribed to, paid and been invoiced. Customers' own people may read their own. */
@ApiTags('Billing')
@Controller('v1/customers/:customerId')
export class BillingQueriesController {
  constructor(private readonly queries: QueryBus) {}

  @Get('subscription')
  @Needs('credits:read', { people: true })
  @QueryRoute({ summary: 'The subscription that counts now', problems: ['subscription_not_found'] })
  async subscription(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: FreshnessQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const asked = readRequest(query, request.caller);
    const { result, asOf } = await this.queries.execute(new GetSubscription(customerId, asked));
    if (result === null) throw new Problem('subscription_not_found');
    sendJson(reply, { ...result, asOf });
  }

  @Get('status')
  @Needs('credits:read', { people: true })
  @QueryRoute({ summary: 'Plan, period, credits and invoices at a glance', problems: ['customer_not_found'] })
  async status(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: FreshnessQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const asked = readRequest(query, request.caller);
    const { result, asOf } = await this.queries.execute(new GetBillingStatus(customerId, asked));
    if (result === null) throw new Problem('customer_not_found');
    sendJson(reply, { ...result, asOf });
  }

  @Get('payments')
  @Needs('credits:read', { people: true })
  @QueryRoute({ summary: 'Payments, newest first' })
  async payments(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: ListQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const page = pageWanted(query, paymentsCursor);
    const listing = { customerId, ...page, request: readRequest(query, request.caller) };
    sendJson(reply, pageBody(await this.queries.execute(new ListPayments(listing))));
  }

  @Get('invoices')
  @Needs('credits:read', { people: true })
  @QueryRoute({ summary: 'Invoices, newest first' })
  async invoices(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: ListQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const page = pageWanted(query, invoicesCursor);
    const listing = { customerId, ...page, request: readRequest(query, request.caller) };
    sendJson(reply, pageBody(await this.queries.execute(new ListInvoices(listing))));
  }
}
