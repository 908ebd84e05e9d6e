import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type {
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  RouteOptions,
} from 'fastify';
import { isCustomerId } from '#kernel/stream-name.js';
import { LargeBodies, parseBodies } from './bodies.js';
import { hasScope, type ApiRequest, type Authenticates, type Caller, type Demand } from './caller.js';
import { boundConnections } from './connections.js';
import type { LoadLimit } from './load-limit.js';
import { problemAnswer, type Answer } from './outcomes.js';
import { Problem } from './problems.js';
import type { RateLimit } from './rate-limit.js';
import type { RouteDemands } from './route.js';
import { located, send } from './send.js';
import { unknownQuery } from './unknown-query.js';

const oneMiB = 1_048_576;
/** A request that is not there whole by then is given up; so is a new connection that asks nothing, which may be a pool's. */
const receiveWithinMs = 30_000;
/** What a client that reads nothing can make us hold; see `boundConnections`. */
const connectionBounds = { waiting: 5_000, takeWithinMs: 60_000 };

/** The HTTP server that Nest's routes are hung into: its bounds, and what happens before a route runs. */
export function createAdapter(bootId: string): FastifyAdapter {
  let requests = 0;
  const adapter = new FastifyAdapter({
    bodyLimit: oneMiB,
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: false },
    requestTimeout: receiveWithinMs,
    keepAliveTimeout: 72_000,
    // A request without a host gets its problem from us instead of Node's empty answer.
    http: {
      maxHeaderSize: 16_384,
      headersTimeout: receiveWithinMs,
      connectionsCheckingInterval: 5_000,
      requireHostHeader: false,
    },
    skipMiddie: true,
    requestIdHeader: false,
    logger: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    clientErrorHandler: answerUnreadable,
    frameworkErrors: answerUnroutable,
    genReqId: (request: { readonly headers: Readonly<Record<string, unknown>> }) => {
      const given = request.headers['x-request-id'];
      if (typeof given === 'string' && /^[\w.:-]{8,64}$/.test(given)) return given;
      requests += 1;
      return `${bootId}-${requests.toString(36)}`;
    },
  });
  const server = adapter.getHttpServer();
  server.on('checkExpectation', refuseExpectation);
  boundConnections(server, connectionBounds);
  return adapter;
}

/** An address that no route can be found for: broken percent-encoding, or a part of it that is far too long. */
function answerUnroutable(_: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  void reply.headers(commonHeaders).header('x-request-id', request.id);
  send(
    reply,
    problemAnswer('invalid_request', request.id, { errors: [{ field: '', message: 'the address cannot be read' }] }),
  );
}

/** Node would refuse it without a word. No route is looked for, so there is no id of the request either. */
function refuseExpectation(request: IncomingMessage, response: ServerResponse): void {
  const { status, body } = located(problemAnswer('expectation_failed', 'unread'), request);
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...commonHeaders,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  });
  response.end(text);
}

/** Bytes that are not HTTP, or no whole request in time: there is no request yet, so the problem is written to the socket. */
function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const answer = unreadableAnswer(error.code);
  const body = JSON.stringify(answer.body);
  socket.end(
    `HTTP/1.1 ${String(answer.status)} ${STATUS_CODES[answer.status] ?? ''}\r\nContent-Type: application/problem+json\r\nContent-Length: ${String(Buffer.byteLength(body))}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function unreadableAnswer(code: string | undefined): Answer {
  if (code === 'HPE_HEADER_OVERFLOW') return problemAnswer('headers_too_large', 'unread');
  // Not the caller's mistake for good, as a 400 would say: sent again, it may be served.
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problemAnswer('request_timeout', 'unread');
  return problemAnswer('invalid_request', 'unread', { errors: [{ field: '', message: 'the request cannot be read' }] });
}

export type Gatekeepers = {
  readonly authenticator: Authenticates;
  readonly load: LoadLimit;
  readonly rates: RateLimit | null;
};

/** Adds body parsers and the hooks that run before every route: ids, headers, load, authentication, scope. */
export function guardRoutes(
  server: FastifyInstance,
  gatekeepers: Gatekeepers,
): { methodsOf: (url: string) => readonly string[] } {
  const large = new LargeBodies();
  parseBodies(server, large);
  server.decorateRequest('caller', null);
  server.decorateRequest('place', false);
  const table = new RouteTable();
  server.addHook('onRoute', (route) => {
    table.add(route);
  });
  server.addHook('onRequest', (request, reply, done) => {
    void reply.headers(commonHeaders).header('x-request-id', request.id);
    large.watch(request, reply);
    if (request.headers.host === undefined && request.raw.httpVersion !== '1.0') return done(noHost());
    const demands = request.routeOptions.config as Partial<RouteDemands>;
    if (demands.demand == null) done();
    else admit(request as ApiRequest, reply, demands as Guarded, gatekeepers, done);
  });
  server.addHook('onSend', (request, reply, payload, done) => {
    if (gatekeepers.load.draining) void reply.header('connection', 'close');
    // What is written whole is no work any more, however long its client takes to read it; a stream is.
    if (typeof payload === 'string') leave(request as ApiRequest, gatekeepers.load);
    done(null, payload);
  });
  return { methodsOf: (url) => table.methodsOf(url) };
}

const noHost = (): FastifyError =>
  new Problem('invalid_request', {
    errors: [{ field: 'Host', message: 'must be sent' }],
  }) as unknown as FastifyError;

const commonHeaders = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

type Done = HookHandlerDoneFunction;
type Guarded = RouteDemands & { readonly demand: Demand };

function admit(request: ApiRequest, reply: FastifyReply, demands: Guarded, gatekeepers: Gatekeepers, done: Done): void {
  const { load } = gatekeepers;
  if (!load.enter(1)) {
    send(reply, problemAnswer('overloaded', request.id));
    return;
  }
  request.place = true;
  reply.raw.once('close', () => {
    leave(request, load);
  });
  if (demands.demand.scope === 'none') {
    done((unknownQuery(demands, request) ?? undefined) as FastifyError | undefined);
    return;
  }
  const caller = gatekeepers.authenticator.callerOf(request.headers.authorization);
  if (caller instanceof Promise) {
    caller.then(
      (found) => {
        check(request, found, demands, gatekeepers, done);
      },
      (error: unknown) => {
        done(error as FastifyError);
      },
    );
  } else check(request, caller, demands, gatekeepers, done);
}

/** Gives the request's place back, if it still has it. */
function leave(request: ApiRequest, load: LoadLimit): void {
  if (!request.place) return;
  request.place = false;
  load.leave(1);
}

function check(request: ApiRequest, caller: Caller | null, demands: Guarded, { rates }: Gatekeepers, done: Done): void {
  const problem = problemWith(request, caller, demands, rates) ?? unknownQuery(demands, request);
  if (problem === null) {
    request.caller = caller;
    done();
  } else done(problem as unknown as FastifyError);
}

function problemWith(
  request: FastifyRequest,
  caller: Caller | null,
  { demand }: Guarded,
  rates: RateLimit | null,
): Problem | null {
  if (caller === null) return new Problem('unauthenticated');
  if (rates !== null && !rates.allows(caller.actor)) return new Problem('rate_limited');
  const { customerId } = request.params as { customerId?: string };
  if (caller.ownCustomerId !== null) {
    if (!demand.people) return new Problem('forbidden');
    if (customerId !== caller.ownCustomerId) return new Problem('customer_not_found');
  } else if (demand.scope !== 'none' && !hasScope(caller, demand.scope)) return new Problem('forbidden');
  if (customerId !== undefined && !isCustomerId(customerId)) {
    return new Problem('invalid_request', { errors: [{ field: 'customerId', message: 'must be a customer id' }] });
  }
  return null;
}

/** Which methods a path takes; checks that every route under /v1 says who may use it. */
class RouteTable {
  readonly #routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];

  add(route: RouteOptions): void {
    const config = (route.config ?? {}) as Partial<RouteDemands>;
    if (route.url.startsWith('/v1') && config.demand === undefined)
      throw new Error(`the route ${route.url} does not say who may use it`);
    if (config.maxBody !== undefined) route.bodyLimit = config.maxBody;
    const pattern = new RegExp(`^${route.url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[^/]+/g, '[^/]+')}$`);
    this.#routes.push({ pattern, methods: [route.method].flat() });
  }

  methodsOf(url: string): readonly string[] {
    const path = url.split('?', 1)[0] ?? '';
    return [...new Set(this.#routes.flatMap(({ pattern, methods }) => (pattern.test(path) ? methods : [])))].sort();
  }
}
