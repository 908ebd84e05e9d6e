import { randomBytes } from 'node:crypto';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { createApiKey, listApiKeys, revokeApiKey } from '#read-store/api-keys.js';
import { ReadDatabase } from '#read-store/read-database.js';
import { differencesCursor } from '#read-store/reconciliation.js';
import { Authenticator } from '../callers/authenticator.js';
import { Problem } from '../http/problems.js';
import { Needs } from '../http/route.js';
import { sendJson } from '../http/send.js';
import { OtherRoute } from '../openapi/api-docs.js';
import { pageWanted } from '../reads/pages.js';
import { PageQuery } from '../reads/queries.dto.js';
import { ApiKeyBody } from './admin.dto.js';
import { GetReconciliation, ListProjections } from './admin.queries.js';
import { ProjectionControl } from './projection-control.js';

const stored = ['store_unavailable'] as const;

/** What operators do. */
@ApiTags('Operators')
@Controller('v1/admin')
export class AdminController {
  constructor(
    private readonly queries: QueryBus,
    private readonly database: ReadDatabase,
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
  async createKey(@Body() body: ApiKeyBody, @Res() reply: FastifyReply): Promise<void> {
    const at = instantOf(this.clock.now());
    const { key, secret } = await createApiKey(
      this.database,
      { name: body.name, scopes: body.scopes, at },
      randomBytes,
    );
    sendJson(reply, { ...key, secret }, 201);
  }

  @Get('api-keys')
  @Needs('admin')
  @OtherRoute({ id: 'listApiKeys', summary: 'API keys, newest first, without their secrets', problems: stored })
  async keys(@Res() reply: FastifyReply): Promise<void> {
    sendJson(reply, { data: await listApiKeys(this.database), hasMore: false, nextCursor: null });
  }

  @Delete('api-keys/:keyId')
  @Needs('admin')
  @OtherRoute({
    id: 'revokeApiKey',
    summary: 'Revoke an API key: here at once, in other processes within two seconds',
    problems: [...stored, 'api_key_not_found'],
  })
  async revokeKey(@Param('keyId') id: string, @Res() reply: FastifyReply): Promise<void> {
    const key = await revokeApiKey(this.database, id, instantOf(this.clock.now()));
    if (key === null) throw new Problem('api_key_not_found');
    this.authenticator.forget(id);
    sendJson(reply, key);
  }

  @Get('reconciliation')
  @Needs('admin')
  @OtherRoute({
    id: 'getReconciliation',
    summary: 'The last comparison of Stripe with the ledger: when, by what, and each difference with both sides',
    problems: stored,
    answer: '`run` is null while there was none. Differences come in the order they were found.',
  })
  async reconciliation(@Query() query: PageQuery, @Res() reply: FastifyReply): Promise<void> {
    const { limit, cursor } = pageWanted(query, differencesCursor);
    const { run, page } = await this.queries.execute(new GetReconciliation(limit, cursor));
    sendJson(reply, { run, ...page });
  }

  @Get('projections')
  @Needs('admin')
  @OtherRoute({ id: 'listProjections', summary: 'How far every projection is', problems: stored })
  async listProjections(@Res() reply: FastifyReply): Promise<void> {
    sendJson(reply, { data: await this.queries.execute(new ListProjections()), hasMore: false, nextCursor: null });
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
  async rebuild(@Param('name') name: string, @Res() reply: FastifyReply): Promise<void> {
    if (!(await this.projections.rebuild(name))) throw new Problem('projection_not_found');
    sendJson(reply, { name, rebuildRequested: true }, 202);
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
  async resume(@Param('name') name: string, @Res() reply: FastifyReply): Promise<void> {
    const resumed = await this.projections.resume(name);
    if (resumed === null) throw new Problem('projection_not_found');
    sendJson(reply, { name, resumed: resumed === 'resumed' }, 202);
  }
}
