import { Controller, Get, Param, Query, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { DEFAULT_UNIT } from '#kernel/stream-name.js';
import { usesCursor } from '#projections/grant-uses/queries.js';
import type { ApiRequest } from '../../http/caller.js';
import { Problem } from '../../http/problem.js';
import { Needs } from '../../http/route.js';
import { QueryRoute } from '../../openapi/api-docs.js';
import { pageBody, pageWanted } from '../../reads/pages.js';
import { readRequest } from '../../reads/read-request.js';
import { pastMoment } from '../reads/past-moment.js';
import { ListGrants, ListHolds } from '../reads/queries.js';
import { AccountListQuery, AccountQuery, BalanceQuery } from '../reads/queries.dto.js';
import { consumptionBody } from './body.js';
import { GetConsumption } from './consumption.js';
import { GetExplanation } from './explanation.js';
import { ListGrantUses } from './grant-uses.js';

/** One grant, hold or consumption, and why a balance is what it is. */
@ApiTags('Accounts')
@Controller('v1/customers/:customerId')
export class ExplainingController {
  constructor(private readonly queries: QueryBus) {}

  @Get('explanation')
  @Needs('ledger:read', { people: true })
  @QueryRoute({
    id: 'explainBalance',
    summary: 'Why a balance is what it is, grant by grant, now or at a moment of the past',
    problems: ['customer_not_found'],
  })
  async explanation(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: BalanceQuery,
  ): Promise<object> {
    const asked = readRequest(query, request.caller);
    const explanation = await this.queries.execute(
      new GetExplanation(customerId, unitOf(query), pastMoment(query), asked),
    );
    if (explanation === null) throw new Problem('customer_not_found');
    return explanation;
  }

  @Get('grants/:grantId')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'getGrant', summary: 'One grant', problems: ['customer_not_found', 'grant_not_found'] })
  async grant(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Param('grantId') grantId: string,
    @Query() query: AccountQuery,
  ): Promise<object> {
    const filter = { customerId, unit: unitOf(query), ids: [grantId] };
    const { result, asOf } = await this.queries.execute(
      new ListGrants({ filter, limit: 1, cursor: null, request: readRequest(query, request.caller) }),
    );
    const [grant] = result.data;
    if (grant === undefined) throw new Problem('grant_not_found');
    return { ...grant, asOf };
  }

  @Get('grants/:grantId/uses')
  @Needs('ledger:read', { people: true })
  @QueryRoute({
    id: 'listGrantUses',
    summary: 'How the credits of a grant were used, oldest first',
    problems: ['customer_not_found', 'grant_not_found'],
  })
  async uses(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Param('grantId') grantId: string,
    @Query() query: AccountListQuery,
  ): Promise<object> {
    const grant = { customerId, unit: unitOf(query), grantId };
    const list = { list: 'uses', ...grant };
    const { limit, cursor } = pageWanted(query, usesCursor, list);
    const asked = readRequest(query, request.caller);
    const found = await this.queries.execute(new ListGrantUses(grant, limit, cursor, asked));
    if (found.result.data.length === 0) await this.grant(request, customerId, grantId, query);
    return pageBody(found, list);
  }

  @Get('holds/:holdId')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'getHold', summary: 'One hold', problems: ['customer_not_found', 'hold_not_found'] })
  async hold(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Param('holdId') holdId: string,
    @Query() query: AccountQuery,
  ): Promise<object> {
    const filter = { customerId, unit: unitOf(query), ids: [holdId] };
    const { result, asOf } = await this.queries.execute(
      new ListHolds({ filter, limit: 1, cursor: null, request: readRequest(query, request.caller) }),
    );
    const [hold] = result.data;
    if (hold === undefined) throw new Problem('hold_not_found');
    return { ...hold, asOf };
  }

  @Get('consumptions/:consumptionId')
  @Needs('credits:read', { people: true, or: 'ledger:read' })
  @QueryRoute({
    id: 'getConsumption',
    summary: 'One consumption: which grants paid and why these, and what was given back',
    problems: ['customer_not_found', 'consumption_not_found'],
  })
  async consumption(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Param('consumptionId') consumptionId: string,
    @Query() query: AccountQuery,
  ): Promise<object> {
    const account = { customerId, unit: unitOf(query) };
    const asked = readRequest(query, request.caller);
    const { result, asOf } = await this.queries.execute(
      new GetConsumption(customerId, account.unit, consumptionId, asked),
    );
    if (result === null) throw new Problem('consumption_not_found');
    return { ...consumptionBody(account, result), asOf };
  }
}

const unitOf = ({ unit = DEFAULT_UNIT }: { readonly unit?: string }): string => unit;
