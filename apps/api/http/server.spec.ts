import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Module,
  Param,
  Post,
  Query,
  Req,
  Sse,
  StreamableFile,
  UseGuards,
  type CanActivate,
  type MessageEvent,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import { Histogram } from 'prom-client';
import { from, type Observable } from 'rxjs';
import { createLogger } from '#config/logger.js';
import { eventually } from '../../../test/support/eventually.js';
import { admitRequests } from './admission/admission.js';
import { Answer, JsonText } from './answer.js';
import { HttpModule } from './http.module.js';
import { parseBodies } from './json-body.js';
import { LoadLimit } from './admission/load-limit.js';
import { Problem } from './problem.js';
import { timeRequests } from './request-log.js';
import { RouteTable } from './route-table.js';
import { Needs, Public } from './route.js';
import { Flag, QueryNumber } from './validation/rules.js';
import { createAdapter } from './server.js';

const origin = 'https://app.example';
const headOf = (line: string, more = ''): string => `${line} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const post = (path: string, type: string, body: string): string =>
  headOf(`POST ${path}`, `Content-Type: ${type}\r\nContent-Length: ${String(body.length)}\r\n`) + body;
const json = 'application/json';
const preflight = headOf('OPTIONS /things/t1', `Origin: ${origin}\r\nAccess-Control-Request-Method: POST\r\n`);
const last = headOf('GET /things/t1', 'Connection: close\r\n');

class Limits {
  @QueryNumber(1, 5, { description: 'How many.' })
  limit?: string;
}

class Order {
  @Flag({ description: 'Whether.' })
  now!: boolean;
}

class Greeting {
  readonly text = 'hello';
}

class NobodyMay implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Controller('things/:thingId')
class ThingsController {
  constructor(private readonly greeting: Greeting) {}

  @Get()
  @Public()
  one(): object {
    return {};
  }

  @Post()
  @HttpCode(200)
  @Public()
  put(@Body() body: unknown): object {
    return { got: body };
  }

  @Post('orders')
  @Public()
  async order(@Body() body: Order, @Param('thingId') id: string): Promise<object> {
    await Promise.resolve();
    if (!body.now) throw new Problem('conflict');
    return { said: `${this.greeting.text} ${id}` };
  }

  @Get('limits')
  @Public()
  limits(@Req() { method }: FastifyRequest, @Query() { limit }: Limits): object {
    if (limit === '5') throw new Error('not told to the caller');
    return { method, limit };
  }

  @Post('answers')
  @Public()
  answers(): Answer {
    return new Answer(200, { said: 'again' }, true);
  }

  @Get('written')
  @Public()
  written(): JsonText {
    return new JsonText('{"a": 1.0}');
  }

  @Get('lines')
  @Public()
  lines(): StreamableFile {
    return new StreamableFile(Readable.from(['a\n', 'b\n'], { objectMode: false }), { type: 'application/x-ndjson' });
  }

  @Get('secrets')
  @Needs('admin')
  secrets(): object {
    return {};
  }

  @Post('bytes')
  @HttpCode(200)
  @Public({ rawBody: true, maxBody: 2_000_000 })
  bytes(@Body() body: Buffer): object {
    return { bytes: body.length };
  }

  @Get('guarded')
  @UseGuards(NobodyMay)
  @Public()
  guarded(): object {
    return {};
  }

  @Sse('events')
  @Public()
  events(): Observable<MessageEvent> {
    return from([{ type: 'balance', id: '7', data: { available: 5 } }, { data: 'more' }]);
  }
}

@Controller('v1/things')
class UnguardedController {
  @Get()
  get(): object {
    return {};
  }
}

describe('the HTTP server', () => {
  let app: NestFastifyApplication;
  let load: LoadLimit;
  let times: Histogram<'method' | 'route' | 'status'>;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    load = new LoadLimit(100);
    const labelNames = ['method', 'route', 'status'] as const;
    times = new Histogram({ name: 'times', help: 'of requests', labelNames, registers: [] });
    const routes = new RouteTable();
    @Module({
      imports: [HttpModule.with(createLogger('test', 'silent'), routes)],
      controllers: [ThingsController],
      providers: [Greeting],
    })
    class Things {}
    const adapter = createAdapter('boot', () => load.draining);
    const server = adapter.getInstance();
    routes.watch(server);
    const reader = { actor: 'key:reader', scopes: new Set(['credits:read'] as const), ownCustomerId: null };
    admitRequests(server, {
      authenticator: { callerOf: (header) => (header === undefined ? null : reader) },
      load,
      rates: null,
    });
    parseBodies(server);
    timeRequests(server, times);
    app = await NestFactory.create<NestFastifyApplication>(Things, adapter, {
      logger: false,
      bodyParser: false,
      abortOnError: false,
    });
    app.enableCors({ origin: [origin], exposedHeaders: ['retry-after'] });
    await app.listen(0, '127.0.0.1');
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await app.close();
  });

  const open = (): Socket => {
    const { port } = app.getHttpServer().address() as { port: number };
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket.on('error', () => undefined));
    return socket;
  };

  /** Sends it over one connection, and waits until that is closed: the statuses, each with `close` where the answer says so. */
  const exchange = (...pieces: readonly string[]): Promise<readonly string[]> =>
    new Promise((ended) => {
      const socket = open();
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString())).on('close', () => ended(answersIn(text)));
      for (const [n, piece] of pieces.entries()) setTimeout(() => socket.write(piece), 30 * n);
    });
  const answersIn = (text: string): string[] =>
    text
      .split('HTTP/1.1 ')
      .slice(1)
      .map((answer) => answer.slice(0, 3) + (/^connection: close\r$/im.test(answer) ? ' close' : ''));

  type Asked = { status: number; body: Record<string, unknown>; headers: Headers; text: string };
  const ask = async (
    method: string,
    url: string,
    payload?: string | object,
    headers: Record<string, string> = {},
  ): Promise<Asked> => {
    const body = typeof payload === 'object' ? JSON.stringify(payload) : payload;
    const answer = await fetch((await app.getUrl()) + url, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': json }), ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    const isJson = text.startsWith('{');
    return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : {} };
  };

  const until = (reached: () => boolean): Promise<unknown> => eventually(() => Promise.resolve(reached()), Boolean);

  describe('gives controllers what Nest gives them', () => {
    it('arguments by their decorators, and sends what they return', async () => {
      expect(await ask('POST', '/things/t1/orders', { now: true })).toMatchObject({
        status: 201,
        body: { said: 'hello t1' },
      });
      expect(await ask('GET', '/things/t1/limits?limit=3')).toMatchObject({ body: { method: 'GET', limit: '3' } });
    });

    it('the status and headers that an answer names, and JSON as it was written', async () => {
      const answer = await ask('POST', '/things/t1/answers', {});
      expect(answer).toMatchObject({ status: 200, body: { said: 'again' } });
      expect(answer.headers.get('idempotent-replayed')).toBe('true');
      const written = await ask('GET', '/things/t1/written');
      expect([written.text, written.headers.get('content-type')]).toEqual([
        '{"a": 1.0}',
        'application/json; charset=utf-8',
      ]);
    });

    it('streams', async () => {
      const answer = await ask('GET', '/things/t1/lines');
      expect([answer.text, answer.headers.get('content-type')]).toEqual(['a\nb\n', 'application/x-ndjson']);
      expect((await ask('HEAD', '/things/t1/lines')).headers.get('content-type')).toBe('application/x-ndjson');
      expect(load.inFlight).toBe(0);
    });

    it('bodies and queries that keep the rules of their class', async () => {
      const order = await ask('POST', '/things/t1/orders', { now: 'soon' });
      expect(order).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ field: 'now' }] } });
      expect((await ask('GET', '/things/t1/limits?limit=6')).status).toBe(400);
      expect((await ask('GET', '/things/t1/limits?nonsense=1')).body).toMatchObject({
        errors: [{ field: 'nonsense' }],
      });
    });

    it('guards of their own: what one refuses is a problem', async () => {
      expect(await ask('GET', '/things/t1/guarded')).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    });

    it('streams of events', async () => {
      const answer = await fetch(`${await app.getUrl()}/things/t1/events`);
      expect(answer.headers.get('content-type')).toContain('text/event-stream');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(await answer.text()).toBe('\nevent: balance\nid: 7\ndata: {"available":5}\n\nid: 1\ndata: more\n\n');
      expect(load.inFlight).toBe(0);
    });
  });

  it('answers whatever a controller fails with as a problem, and tells nobody what an error said', async () => {
    const conflict = await ask('POST', '/things/t1/orders', { now: false });
    expect(conflict).toMatchObject({ status: 409, body: { code: 'conflict', status: 409, title: expect.any(String) } });
    expect(conflict.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(conflict.body['requestId']).toBe(conflict.headers.get('x-request-id'));
    const failed = await ask('GET', '/things/t1/limits?limit=5');
    expect(failed).toMatchObject({ status: 500, body: { code: 'internal_error' } });
    expect(failed.text).not.toContain('not told');
  });

  it('does not start with a route that does not say who may use it', async () => {
    @Module({ controllers: [UnguardedController] })
    class Unguarded {}
    const adapter = createAdapter('boot', () => false);
    new RouteTable().watch(adapter.getInstance());
    const starting = NestFactory.create<NestFastifyApplication>(Unguarded, adapter, {
      logger: false,
      abortOnError: false,
    });
    await expect(starting.then((unguarded) => unguarded.init())).rejects.toThrow('does not say who may use it');
  });

  it('asks who it is before it reads a body, and then what they may do', async () => {
    expect(await ask('GET', '/things/t1/secrets')).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    const reader = await ask('GET', '/things/t1/secrets', undefined, { authorization: 'Bearer reader' });
    expect(reader).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });

  it('knows which methods a path takes, and no path with an empty part', async () => {
    const wrong = await ask('PUT', '/things/t1/orders', {});
    expect([wrong.status, wrong.body['code'], wrong.headers.get('allow')]).toEqual([405, 'method_not_allowed', 'POST']);
    expect(await ask('POST', '/things//orders', { now: true })).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
    expect((await ask('GET', '/nothing')).body).toMatchObject({ code: 'not_found' });
  });

  it('takes JSON in UTF-8 and nothing else, but bytes where a route wants them', async () => {
    expect((await ask('POST', '/things/t1', '{"a":[1]}')).body).toEqual({ got: { a: [1] } });
    expect((await ask('POST', '/things/t1', '')).body).toEqual({});
    expect(await ask('POST', '/things/t1', '{"a":')).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    const wrong: Record<string, string>[] = [
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'application/json; charset=latin1' },
      { 'content-encoding': 'gzip' },
    ];
    for (const headers of wrong)
      expect(await ask('POST', '/things/t1', '1', headers)).toMatchObject({
        status: 415,
        body: { code: 'unsupported_media_type' },
      });
    for (const type of [json, 'text/plain', 'application/octet-stream'])
      expect((await ask('POST', '/things/t1/bytes', 'x'.repeat(5), { 'content-type': type })).body).toEqual({
        bytes: 5,
      });
  });

  it('refuses bodies that are too large, each by the bound of its route', async () => {
    expect(await ask('POST', '/things/t1', 'x'.repeat(1_048_577))).toMatchObject({
      status: 413,
      body: { code: 'payload_too_large' },
    });
    expect((await ask('POST', '/things/t1/bytes', 'x'.repeat(2_000_000))).body).toEqual({ bytes: 2_000_000 });
    expect((await ask('POST', '/things/t1/bytes', 'x'.repeat(2_000_001))).status).toBe(413);
  });

  it('answers what is asked behind a body that it refuses', async () => {
    const broken = post('/things/t1', json, '{"a":');
    expect(await exchange(broken + last)).toEqual(['400', '200 close']);
    expect(await exchange(broken.slice(0, -1), broken.slice(-1) + last)).toEqual(['400', '200 close']);
    const wrongType = post('/things/t1', 'text/plain', 'a=1');
    expect(await exchange(wrongType + last)).toEqual(['415', '200 close']);
    expect(await exchange(wrongType.replace('Host', 'Connection: close\r\nHost'))).toEqual(['415 close']);
    expect(await exchange(post('/things/t1', json, 'x'.repeat(1_100_000)) + last)).toEqual(['413', '200 close']);
  });

  it('takes few large bodies at a time from anybody; small ones are taken, and all again when these are gone', async () => {
    const large = (): Promise<Asked> => ask('POST', '/things/t1/bytes', 'x'.repeat(20_000));
    const unfinished = post('/things/t1/bytes', json, 'x'.repeat(20_000)).slice(0, -1);
    for (let n = 0; n < 64; n += 1) open().write(unfinished);
    await until(() => load.inFlight === 64);
    expect((await large()).status).toBe(503);
    expect((await ask('POST', '/things/t1/bytes', 'x'.repeat(5_000))).status).toBe(200);
    for (const socket of sockets.splice(0)) socket.destroy();
    await until(() => load.inFlight === 0);
    expect((await large()).status).toBe(200);
  });

  it('counts what leads nowhere under no route', async () => {
    expect(await exchange(headOf('GET /nothing') + preflight + last)).toEqual(['404', '204', '200 close']);
    const { values } = await times.get();
    const counts = values.filter(({ metricName }) => metricName === 'times_count');
    expect(counts.map(({ labels, value }) => [labels.method, labels.route, labels.status, value])).toEqual([
      ['GET', 'none', 404, 1],
      ['OPTIONS', '*', 204, 1],
      ['GET', '/things/:thingId', 200, 1],
    ]);
  });

  it.each([
    ['an address that cannot be read', headOf('GET /things/%zz'), '400'],
    ['an address with a part that is far too long', headOf(`GET /things/${'x'.repeat(600)}`), '400'],
    ['no host', 'GET /things/t1 HTTP/1.1\r\n\r\n', '400'],
    ['an expectation', headOf('GET /things/t1', 'Expect: wonders\r\n'), '417'],
    ['no path', headOf('GET *things/t1'), '404'],
  ])('answers a problem to %s', async (_, sent, status) => {
    expect(await exchange(sent + last)).toEqual([status, '200 close']);
  });

  it('turns work away when there is no place for it, and has the place again when that is gone', async () => {
    for (let n = 0; n < 100; n += 1) load.enter();
    const refused = await ask('GET', '/things/t1');
    expect([refused.status, refused.body['code'], refused.headers.get('retry-after')]).toEqual([
      503,
      'overloaded',
      '1',
    ]);
    load.leave(100);
    expect((await ask('GET', '/things/t1')).status).toBe(200);
    open().write(post('/things/t1', json, 'x'.repeat(1_000)).slice(0, -1));
    await until(() => load.inFlight === 1);
    sockets.pop()?.destroy();
    await until(() => load.inFlight === 0);
  });

  it.each([
    ['an answer', headOf('GET /things/t1'), '200 close'],
    ['a preflight of CORS', preflight, '204 close'],
    ['a refused body', post('/things/t1', 'text/plain', 'a=1'), '415 close'],
    ['no route', headOf('GET /nothing'), '404 close'],
  ])('closes the connection behind %s while it drains', async (_, sent, answer) => {
    load.drain();
    expect(await exchange(sent)).toEqual([answer]);
  });
});
