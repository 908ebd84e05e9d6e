import { Body, Controller, Get, HttpCode, Module, Param, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createLogger } from '#config/logger.js';
import { callControllers } from './handlers.js';
import { createAdapter } from './http-server.js';
import { Problem } from './problems.js';
import { ProblemAnswers } from './problem-answers.js';
import { CheckedQuery, Public } from './route.js';
import { Flag, QueryNumber } from './rules.js';
import { sendJson } from './send.js';

class Limits extends CheckedQuery {
  @QueryNumber(1, 5, { description: 'How many.' })
  limit?: string;
}

class Wish {
  @Flag({ description: 'Whether.' })
  now!: boolean;
}

class Greeting {
  readonly text = 'hello';
}

@Controller('things/:thingId')
class ThingsController {
  constructor(private readonly greeting: Greeting) {}

  @Post('wishes')
  @HttpCode(201)
  @Public()
  async wish(@Body() body: Wish, @Param('thingId') id: string, @Res() reply: FastifyReply): Promise<void> {
    await Promise.resolve();
    if (!body.now) throw new Problem('conflict');
    void reply.header('content-type', 'text/plain').send(`${this.greeting.text} ${id}`);
  }

  @Get('limits')
  @Public()
  limits(@Req() { method }: FastifyRequest, @Query() { limit }: Limits, @Res() reply: FastifyReply): void {
    if (limit === '5') throw new Error('not told to the caller');
    sendJson(reply, { method, limit });
  }
}

class Guard {
  canActivate(): boolean {
    return true;
  }
}

@Controller('guarded')
@UseGuards(Guard)
class GuardedController {
  @Get()
  @Public()
  get(@Res() reply: FastifyReply): void {
    sendJson(reply, {});
  }
}

@Controller('returning')
class ReturningController {
  @Get()
  @Public()
  get(): object {
    return {};
  }
}

@Controller('piped')
class PipedController {
  @Get()
  @Public()
  get(@Query('limit') limit: string, @Res() reply: FastifyReply): void {
    sendJson(reply, { limit });
  }
}

describe('handlers', () => {
  let app: NestFastifyApplication | null = null;

  const start = async (controller: new (...parts: never[]) => object): Promise<NestFastifyApplication> => {
    @Module({ controllers: [controller], providers: [Greeting] })
    class Things {}
    const options = { logger: false, bodyParser: false } as const;
    app = await NestFactory.create<NestFastifyApplication>(Things, createAdapter('boot'), options);
    callControllers(app, new ProblemAnswers(createLogger('test', 'silent'), () => []));
    await app.init();
    return app;
  };
  const wish = async (payload: object, id = 't1'): Promise<readonly [status: number, body: string]> => {
    const { statusCode, body } = await (
      await start(ThingsController)
    ).inject({
      method: 'POST',
      url: `/things/${id}/wishes`,
      payload,
    });
    return [statusCode, body];
  };
  const limits = async (query: string): Promise<readonly [status: number, body: string]> => {
    const { statusCode, body } = await (await start(ThingsController)).inject(`/things/t1/limits${query}`);
    return [statusCode, body];
  };

  afterEach(async () => {
    await app?.close();
    app = null;
  });

  it('give a method what its decorators ask for, and its status', async () => {
    expect(await wish({ now: true })).toEqual([201, 'hello t1']);
    expect(await limits('?limit=3')).toEqual([200, '{"method":"GET","limit":"3"}']);
  });

  it('check bodies and queries by the rules of their class', async () => {
    const [status, body] = await wish({ now: 'soon' });
    expect([status, JSON.parse(body)]).toMatchObject([400, { errors: [{ field: 'now' }] }]);
    expect((await limits('?limit=6'))[0]).toBe(400);
  });

  it('answer whatever a method fails with, now or later', async () => {
    const [status, body] = await wish({ now: false });
    expect([status, JSON.parse(body)]).toMatchObject([409, { code: 'conflict' }]);
    const [failed, told] = await limits('?limit=5');
    expect([failed, JSON.parse(told)]).toMatchObject([500, { code: 'internal_error' }]);
    expect(told).not.toContain('not told');
  });

  it('know no path with an empty part', async () => {
    expect((await wish({ now: true }, ''))[0]).toBe(404);
  });

  it.each([
    ['asks for what handlers do not do', GuardedController],
    ['must take the reply', ReturningController],
    ['takes an argument that handlers do not know', PipedController],
  ])('stop the start when a controller %s', async (words, controller) => {
    await expect(start(controller)).rejects.toThrow(words);
  });
});
