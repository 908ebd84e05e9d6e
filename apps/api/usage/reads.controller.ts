import { Controller, Get, Param, Query, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Clock } from '#kernel/clock.js';
import { instantOf, msOf, parseInstant, plusMs, type Instant } from '#kernel/instant.js';
import type { ApiRequest } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { Needs } from '../http/route.js';
import { QueryRoute } from '../openapi/api-docs.js';
import { FreshnessQuery } from '../reads/queries.dto.js';
import { readRequest } from '../reads/read-request.js';
import { endOf, startOf } from './intervals.js';
import { GetEntitlements, ListUsage, type SumsWanted } from './queries.js';
import { UsageQuery } from './queries.dto.js';
import { shownLimit } from './recorder.js';

const DAY_MS = 86_400_000;
const DEFAULT_SPAN_MS = 31 * DAY_MS;
/** So far apart `from` and `to` may be; months as far as one likes. */
const longest = { hour: 62 * DAY_MS, day: 1_100 * DAY_MS, month: Infinity } as const;

/** What a customer may use, and what was used. Customers' own people may read their own. */
@ApiTags('Usage')
@Controller('v1/customers/:customerId')
export class UsageReadsController {
  constructor(
    private readonly queries: QueryBus,
    private readonly clock: Clock,
  ) {}

  @Get('entitlements')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'getEntitlements', summary: 'The plan in force, its features, and what is left of its limits' })
  async entitlements(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: FreshnessQuery,
  ): Promise<object> {
    const wanted = new GetEntitlements(customerId, null, readRequest(query, request.caller));
    const { result, asOf } = await this.queries.execute(wanted);
    const { plan, features, limits } = result;
    return { customerId, plan, features, limits: limits.map((limit) => shownLimit(limit.feature, limit)), asOf };
  }

  @Get('entitlements/:feature')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'checkEntitlement', summary: 'Whether one more use of a feature is allowed now' })
  async entitlement(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Param('feature') feature: string,
    @Query() query: FreshnessQuery,
  ): Promise<object> {
    const wanted = new GetEntitlements(customerId, feature, readRequest(query, request.caller));
    const { result, asOf } = await this.queries.execute(wanted);
    const limits = result.limits.filter((limit) => limit.feature === feature);
    const isOver = limits.some(({ limit, used }) => used >= limit);
    const reason = !result.features.includes(feature) ? 'feature_not_in_plan' : isOver ? 'usage_limit_exceeded' : null;
    const shown = limits.map((limit) => shownLimit(feature, limit));
    return { feature, allowed: reason === null, reason, limits: shown, asOf };
  }

  @Get('usage')
  @Needs('credits:read', { people: true })
  @QueryRoute({ id: 'listUsage', summary: 'What was used by hour, day or month, oldest first' })
  async usage(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: UsageQuery,
  ): Promise<object> {
    const wanted = this.#wanted(customerId, query);
    const { result, asOf } = await this.queries.execute(new ListUsage(wanted, readRequest(query, request.caller)));
    const data = result.map(({ feature, start, quantity }) => ({
      feature,
      start,
      end: endOf(wanted.by, start),
      quantity,
    }));
    return { data, asOf };
  }

  #wanted(customerId: string, query: UsageQuery): SumsWanted {
    const { feature = null, interval: by = 'day' } = query;
    const to = instantIn(query.to) ?? instantOf(this.clock.now());
    const from = instantIn(query.from) ?? plusMs(to, -DEFAULT_SPAN_MS);
    if (from > to) throw invalid('must not be after to');
    if (msOf(to) - msOf(from) > longest[by])
      throw invalid(`must be at most ${String(longest[by] / DAY_MS)} days before to, for sums by the ${by}`);
    const last = startOf(by, to);
    return { customerId, feature, from: startOf(by, from), to: last === to ? to : endOf(by, last), by };
  }
}

const instantIn = (text: string | undefined): Instant | null => (text === undefined ? null : parseInstant(text));

const invalid = (message: string): Problem => new Problem('invalid_request', { errors: [{ field: 'from', message }] });
