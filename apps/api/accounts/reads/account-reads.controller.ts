import { Controller, Get, Param, Query, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { parseInstant } from '#kernel/instant.js';
import { DEFAULT_UNIT } from '#kernel/stream-name.js';
import { grantsCursor, holdsCursor } from '#projections/balances/lists.js';
import { claimsCursor } from '#projections/claims/queries.js';
import { historyTypes, type HistoryType } from '#projections/history/history.js';
import { historyCursor, type HistoryFilter } from '#projections/history/queries.js';
import type { ApiRequest } from '../../http/caller.js';
import { Problem } from '../../http/problem.js';
import { Needs } from '../../http/route.js';
import { QueryRoute } from '../../openapi/api-docs.js';
import type { ReadRequest } from '../../reads/freshness.js';
import { pageBody, pageWanted } from '../../reads/pages.js';
import type { FreshnessQuery } from '../../reads/queries.dto.js';
import { positionFrom, readRequest } from '../../reads/read-request.js';
import { freshAs, KeyedCommands, type KeyedCommand } from './keyed-commands.js';
import {
  AccountQuery,
  BalanceQuery,
  ClaimsQuery,
  GrantsQuery,
  HistoryQuery,
  HoldsQuery,
  metadataPrefix,
} from './queries.dto.js';
import { GetForecast } from './forecast.js';
import { pastMoment } from './past-moment.js';
import { GetAccount, GetBalance, GetBalanceAt, ListClaims, ListGrants, ListHistory, ListHolds } from './queries.js';

/** What an account holds and what happened in it. Customers' own people may read their own. */
@ApiTags('Accounts')
@Controller('v1/customers/:customerId')
export class AccountReadsController {
  constructor(
    private readonly queries: QueryBus,
    private readonly commands: KeyedCommands,
  ) {}

  @Get('balance')
  @Needs('credits:read', { people: true })
  @QueryRoute({
    id: 'getBalance',
    summary: 'The balance, now or at a moment of the past',
    problems: ['customer_not_found'],
  })
  async balance(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: BalanceQuery,
  ): Promise<object> {
    const unit = query.unit ?? DEFAULT_UNIT;
    const moment = pastMoment(query);
    const asked = readRequest(query, request.caller);
    const balance = await (moment === null
      ? this.queries.execute(new GetBalance(customerId, unit, asked))
      : this.queries.execute(new GetBalanceAt(customerId, unit, moment, asked)));
    if (balance === null) throw new Problem('customer_not_found');
    return balance;
  }

  @Get('account')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'getAccount', summary: 'What is set for an account', problems: ['customer_not_found'] })
  async account(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: AccountQuery,
  ): Promise<object> {
    const { result, asOf } = await this.queries.execute(
      new GetAccount(customerId, query.unit ?? DEFAULT_UNIT, readRequest(query, request.caller)),
    );
    if (result === null) throw new Problem('customer_not_found');
    return { ...result, asOf };
  }

  @Get('forecast')
  @Needs('credits:read', { people: true })
  @QueryRoute({
    id: 'getForecast',
    summary: 'How long the credits last at the present rate, and what expires unused',
    problems: ['customer_not_found'],
  })
  async forecast(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: AccountQuery,
  ): Promise<object> {
    const forecast = await this.queries.execute(
      new GetForecast(customerId, query.unit ?? DEFAULT_UNIT, readRequest(query, request.caller)),
    );
    if (forecast === null) throw new Problem('customer_not_found');
    return forecast;
  }

  @Get('grants')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'listGrants', summary: 'Grants, newest first', problems: ['customer_not_found'] })
  async grants(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: GrantsQuery,
  ): Promise<object> {
    const filter = { ...accountIn(customerId, query), ...(query.status === undefined ? {} : { status: query.status }) };
    const list = { list: 'grants', key: query.key, ...filter };
    const page = pageWanted(query, grantsCursor, list);
    const { made, asked } = await this.#asked(customerId, query, request);
    const wanted = made === null ? filter : { ...filter, ids: made.grants };
    const found = await this.queries.execute(new ListGrants({ filter: wanted, ...page, request: asked }));
    return pageBody(found, list);
  }

  @Get('holds')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'listHolds', summary: 'Holds, newest first', problems: ['customer_not_found'] })
  async holds(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: HoldsQuery,
  ): Promise<object> {
    const filter = { ...accountIn(customerId, query), ...(query.status === undefined ? {} : { status: query.status }) };
    const list = { list: 'holds', key: query.key, ...filter };
    const page = pageWanted(query, holdsCursor, list);
    const { made, asked } = await this.#asked(customerId, query, request);
    const wanted = made === null ? filter : { ...filter, ids: made.holds };
    const found = await this.queries.execute(new ListHolds({ filter: wanted, ...page, request: asked }));
    return pageBody(found, list);
  }

  @Get('claims')
  @Needs('credits:read', { people: true })
  @QueryRoute({
    id: 'listClaims',
    summary: 'Consumptions that named what was bought, newest first',
    problems: ['customer_not_found'],
  })
  async claims(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: ClaimsQuery,
  ): Promise<object> {
    const { resourceType, resourceId } = query;
    const filter = {
      ...accountIn(customerId, query),
      ...(resourceType === undefined ? {} : { resourceType }),
      ...(resourceId === undefined ? {} : { resourceId }),
    };
    const list = { list: 'claims', key: query.key, ...filter };
    const page = pageWanted(query, claimsCursor, list);
    const { made, asked } = await this.#asked(customerId, query, request);
    const wanted = made === null ? filter : { ...filter, ids: made.consumptions };
    const found = await this.queries.execute(new ListClaims({ filter: wanted, ...page, request: asked }));
    return pageBody(found, list);
  }

  @Get('history')
  @Needs('credits:read', { people: true })
  @QueryRoute({
    id: 'listHistory',
    summary: 'Every movement with the balance after it, newest first',
    description:
      'Also takes `metadata.{name}={value}`: only movements with this member of metadata, at most ten of them.',
    problems: ['customer_not_found'],
  })
  async history(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: HistoryQuery,
  ): Promise<object> {
    if (query.cursor !== undefined && query.offset !== undefined)
      throw invalid('offset', 'cannot be combined with cursor');
    const filter = historyFilter(customerId, query);
    const list = { list: 'history', key: query.key, ...filter };
    const { limit, cursor } = pageWanted(query, historyCursor, list);
    const start = query.offset === undefined ? { cursor } : { offset: Number(query.offset) };
    const { made, asked } = await this.#asked(customerId, query, request);
    const wanted = made === null ? filter : { ...filter, positions: made.positions };
    const found = await this.queries.execute(new ListHistory(wanted, limit, start, asked));
    return pageBody(found, list);
  }

  /** What the command of a key made, if one is named, and the request with read models that know of it. */
  async #asked(
    customerId: string,
    query: FreshnessQuery & { readonly unit?: string; readonly key?: string },
    { caller }: ApiRequest,
  ): Promise<{ readonly made: KeyedCommand | null; readonly asked: ReadRequest }> {
    const asked = readRequest(query, caller);
    if (query.key === undefined) return { made: null, asked };
    const made = await this.commands.find(customerId, query.unit ?? DEFAULT_UNIT, query.key);
    return { made, asked: freshAs(asked, made) };
  }
}

const invalid = (field: string, message: string): Problem =>
  new Problem('invalid_request', { errors: [{ field, message }] });

const accountIn = (customerId: string, query: { readonly unit?: string }): { customerId: string; unit: string } => ({
  customerId,
  unit: query.unit ?? DEFAULT_UNIT,
});

function historyFilter(customerId: string, query: HistoryQuery): HistoryFilter {
  const types = query.type?.split(',');
  if (types?.some((type) => !historyTypes.includes(type as HistoryType)) === true) {
    throw invalid('type', `must be one or more of ${historyTypes.join(', ')}`);
  }
  const from = query.from === undefined ? null : parseInstant(query.from);
  const to = query.to === undefined ? null : parseInstant(query.to);
  return {
    ...accountIn(customerId, query),
    ...(types === undefined ? {} : { types: types as HistoryType[] }),
    ...(from === null ? {} : { from }),
    ...(to === null ? {} : { to }),
    ...(query.upTo === undefined ? {} : { upTo: positionFrom(query.upTo) }),
    ...(query.resourceType === undefined ? {} : { resourceType: query.resourceType }),
    ...(query.resourceId === undefined ? {} : { resourceId: query.resourceId }),
    ...metadataIn(query),
  };
}

/** The members of metadata that a query names. */
function metadataIn(query: HistoryQuery): Pick<HistoryFilter, 'metadata'> {
  const named = Object.entries(query).filter(([name]) => name.startsWith(metadataPrefix));
  if (named.length === 0) return {};
  return {
    metadata: Object.fromEntries(named.map(([name, value]) => [name.slice(metadataPrefix.length), String(value)])),
  };
}
