import { randomBytes } from 'node:crypto';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { apiKeysCursor, createApiKey, listApiKeys, revokeApiKey } from '#records/api-keys.js';
import { Database } from '#database/database.js';
import { differencesCursor } from '#records/reconciliation.js';
import { Authenticator } from '../callers/authenticator.js';
import type { ApiRequest } from '../http/caller.js';
import { Problem } from '../http/problem.js';
import { Needs } from '../http/route.js';
import { OtherRoute, QueryRoute } from '../openapi/api-docs.js';
import { LogReads } from '../reads/log-reads.js';
import { pageBody, pageWanted } from '../reads/pages.js';
import { ListQuery } from '../reads/queries.dto.js';
import { readRequest } from '../reads/read-request.js';
import { ApiKeyBody } from './api-key.dto.js';
import { GetReconciliation, ListProjections, projectionsCursor } from './queries.js';
import { ProjectionControl } from './projection-control.js';

const stored = ['store_unavailable'] as const;

/** What operators do. */
@ApiTags('Operators')
@Controller('v1/admin')
export class AdminController {
  constructor(
    private readonly queries: QueryBus,
    private readonly database: Database,
    private readonly log: LogReads,
    private readonly projections: ProjectionControl,
    private readonly authenticator: Authenticator,
    private readonly clock: Clock,
  ) {}

  @Post('api-keys')
  @HttpCode(201)
  @Needs('admin')
  @OtherRoute({
    id: 'createApiKey',
    summary: 'Make an API key',
    body: ApiKeyBody,
    problems: stored,
    status: 201,
    answer: 'The key with its `secret`, which is shown only this once.',
  })
  async createKey(@Body() body: ApiKeyBody): Promise<object> {
    const at = instantOf(this.clock.now());
    const { key, secret } = await createApiKey(
      this.database,
      { name: body.name, scopes: body.scopes, at },
      randomBytes,
    );
    return { ...key, secret };
  }

  @Get('api-keys')
  @Needs('admin')
  @QueryRoute({ id: 'listApiKeys', summary: 'API keys, newest first, without their secrets' })
  async keys(@Req() request: ApiRequest, @Query() query: ListQuery): Promise<object> {
    const list = { list: 'api-keys' };
    const { limit, cursor } = pageWanted(query, apiKeysCursor, list);
    const asOf = await this.log.asOf(readRequest(query, request.caller));
    return pageBody({ result: await listApiKeys(this.database, limit, cursor), asOf }, list);
  }

  @Delete('api-keys/:keyId')
  @Needs('admin')
  @OtherRoute({
    id: 'revokeApiKey',
    summary: 'Revoke an API key: here at once, in other processes within two seconds',
    problems: [...stored, 'api_key_not_found'],
  })
  async revokeKey(@Param('keyId') id: string): Promise<object> {
    const key = await revokeApiKey(this.database, id, instantOf(this.clock.now()));
    if (key === null) throw new Problem('api_key_not_found');
    this.authenticator.forget(id);
    return key;
  }

  @Get('reconciliation')
  @Needs('admin')
  @QueryRoute({
    id: 'getReconciliation',
    summary: 'The last comparison of Stripe with the ledger: when, by what, and each difference with both sides',
    description:
      '`run` is null while there was none. Differences come in the order they were found. A cursor holds until the next run begins.',
  })
  async reconciliation(@Req() request: ApiRequest, @Query() query: ListQuery): Promise<object> {
    const list = { list: 'reconciliation' };
    const { limit, cursor } = pageWanted(query, differencesCursor, list);
    const asOf = await this.log.asOf(readRequest(query, request.caller));
    const { run, page } = await this.queries.execute(new GetReconciliation(limit, cursor));
    return { run, ...pageBody({ result: page, asOf }, list) };
  }

  @Get('projections')
  @Needs('admin')
  @QueryRoute({ id: 'listProjections', summary: 'How far every projection is, by name' })
  async listProjections(@Req() request: ApiRequest, @Query() query: ListQuery): Promise<object> {
    const list = { list: 'projections' };
    const { limit, cursor } = pageWanted(query, projectionsCursor, list);
    const asOf = await this.log.asOf(readRequest(query, request.caller));
    return pageBody({ result: await this.queries.execute(new ListProjections(limit, cursor)), asOf }, list);
  }

  @Post('projections/:name/rebuild')
  @HttpCode(202)
  @Needs('admin')
  @OtherRoute({
    id: 'rebuildProjection',
    summary: 'Build a projection anew beside the live one',
    problems: [...stored, 'projection_not_found'],
    status: 202,
    answer: 'A worker will build it.',
  })
  async rebuild(@Param('name') name: string): Promise<object> {
    if (!(await this.projections.rebuild(name))) throw new Problem('projection_not_found');
    return { name, rebuildRequested: true };
  }

  @Post('projections/:name/resume')
  @HttpCode(202)
  @Needs('admin')
  @OtherRoute({
    id: 'resumeProjection',
    summary: 'Try a halted projection again',
    problems: [...stored, 'projection_not_found'],
    status: 202,
    answer: 'A worker will try it. `resumed` is false for one that is not halted.',
  })
  async resume(@Param('name') name: string): Promise<object> {
    const resumed = await this.projections.resume(name);
    if (resumed === null) throw new Problem('projection_not_found');
    return { name, resumed: resumed === 'resumed' };
  }
}
