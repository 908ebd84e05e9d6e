import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { fastifyCors } from '@fastify/cors';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  fastify,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type HookHandlerDoneFunction,
  type RouteOptions,
} from 'fastify';
import { isCustomerId } from '#kernel/stream-name.js';
import { bodyLimit, LargeBodies, parseBodies } from './bodies.js';
import { hasScope, type ApiRequest, type Authenticates, type Caller, type Demand } from './caller.js';
import { boundConnections } from './connections.js';
import type { LoadLimit } from './load-limit.js';
import { problemAnswer, type Answer } from './outcomes.js';
import { Problem } from './problems.js';
import type { RateLimit } from './rate-limit.js';
import type { RouteDemands } from './route.js';
import { addCommonHeaders, commonHeaders, leave, located, send } from './send.js';
import { unknownQuery } from './unknown-query.js';

/** A request that is not there whole by then is given up; so is a new connection that asks nothing, which may be a pool's. */
const receiveWithinMs = 30_000;
/** What a client that reads nothing can make us hold; see `boundConnections`. */
const connectionBounds = { waiting: 5_000, takeWithinMs: 60_000 };

/**
 * Nest's adapter without what it adds to every request. Its hooks are for what is not used here, and cost seven calls and, as one
 * of them waits for the end of the answer, two listeners; what CORS has of them, `@fastify/cors` brings itself. What fails, or
 * finds no route, is answered by `ProblemAnswers`, without exceptions of Nest in between.
 */
class PlainAdapter extends FastifyAdapter {
  constructor(server: FastifyInstance) {
    const withoutHooks = { server: server.server, addHook: () => server, skipMiddie: true };
    super(withoutHooks as unknown as FastifyInstance);
    this.setInstance(server);
  }

  override setErrorHandler(): FastifyInstance {
    return this.instance;
  }

  override setNotFoundHandler(): FastifyInstance {
    return this.instance;
  }
}

/** The HTTP server that Nest's routes are hung into: its bounds, and what happens before a route runs. */
export function createAdapter(bootId: string): FastifyAdapter {
  let requests = 0;
  const server = fastify({
    bodyLimit,
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
    requestIdHeader: false,
    logger: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: true,
    clientErrorHandler: answerUnreadable,
    frameworkErrors: answerUnroutable,
    genReqId: (request: { readonly headers: Readonly<Record<string, unknown>> }) => {
      const given = request.headers['x-request-id'];
      if (typeof given === 'string' && /^[\w.:-]{8,64}$/.test(given)) return given;
      requests += 1;
      return `${bootId}-${requests.toString(36)}`;
    },
  });
  server.server.on('checkExpectation', refuseExpectation);
  boundConnections(server.server, connectionBounds);
  return new PlainAdapter(server);
}

/**
 * An address that no route can be found for: broken percent-encoding, or a part of it that is far too long. No hook has run. The
 * request is begun again without its address, so that it goes the way of all that find no route.
 */
function answerUnroutable(_: FastifyError, { raw, server }: FastifyRequest, reply: FastifyReply): void {
  raw.url = '';
  server.routing(raw, reply.raw);
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
  /** Where the time that each answered request took is noted; null: nowhere. */
  readonly times: { observe(method: string, route: string, status: number, seconds: number): void } | null;
  /** Whose pages may read the answers. */
  readonly corsOrigins: readonly string[];
};

/** Adds body parsers and the hooks that run before every route: load, CORS, authentication, scope. */
export async function guardRoutes(
  server: FastifyInstance,
  gatekeepers: Gatekeepers,
): Promise<{ methodsOf: (url: string) => readonly string[] }> {
  const { load, times } = gatekeepers;
  const large = new LargeBodies();
  parseBodies(server, large);
  server.decorateRequest('caller', null);
  server.decorateRequest('place', false);
  server.decorateRequest('load', null);
  server.decorateRequest('route', null);
  const table = new RouteTable();
  server.addHook('onRoute', (route) => {
    table.add(route);
  });
  server.addHook('onRequest', (given, reply, done) => {
    const request = given as ApiRequest;
    const { raw } = reply;
    const begun = performance.now();
    request.load = load;
    // The getter makes a new object each time: it is asked once.
    request.route = request.routeOptions.config;
    // One listener for all that ends with a request, and not for once: each costs as much as a hook.
    raw.on('close', () => {
      leave(request);
      large.giveBack(request.raw);
      readEnd(request.raw);
      if (times === null || !raw.writableFinished) return;
      times.observe(
        request.method,
        routeOf(request, raw.statusCode),
        raw.statusCode,
        (performance.now() - begun) / 1000,
      );
    });
    done();
  });
  // Behind what watches every request, for it answers some; before what refuses any, so that pages can read why.
  if (gatekeepers.corsOrigins.length > 0) await server.register(fastifyCors, corsOf(gatekeepers.corsOrigins));
  server.addHook('onRequest', (given, reply, done) => {
    const request = given as ApiRequest;
    const route = request.route as Partial<RouteDemands>;
    if (request.url === '') done(invalid('', 'the address cannot be read'));
    else if (!isPath(request.url)) done(new Problem('not_found') as unknown as FastifyError);
    else if (request.headers.host === undefined && request.raw.httpVersion !== '1.0')
      done(invalid('Host', 'must be sent'));
    else if (asksDryRun(request)) done(invalid('Scrip-Dry-Run', 'is not offered yet; nothing was done'));
    else if (route.demand == null) done();
    else admit(request, reply, route as Guarded, gatekeepers, done);
  });
  server.addHook('onSend', (request, reply, payload, done) => {
    addCommonHeaders(reply);
    if (typeof payload === 'string') leave(request as ApiRequest);
    done(null, payload);
  });
  return { methodsOf: (url) => table.methodsOf(url) };
}

const corsOf = (origins: readonly string[]): object => ({
  origin: [...origins],
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  exposedHeaders: ['idempotent-replayed', 'retry-after', 'x-request-id'],
  maxAge: 600,
});

/** The pattern of the route that answered; `none` where there is none, or its handler found that there is none. */
function routeOf(request: ApiRequest, status: number): string {
  if (!isPath(request.url)) return 'none';
  return (status === 404 ? request.routeOptions : request.route)?.url ?? 'none';
}

/**
 * Reads the end of a body that was taken by its length, before its end was there: until then, the connection keeps the request.
 * Where it has come in the meantime, that takes no turn of the stream.
 */
function readEnd(request: IncomingMessage): void {
  if (request.readableFlowing !== null) return;
  if (request.complete) request.read();
  else request.resume();
}

/** Whether a caller trusts that nothing is recorded. */
const asksDryRun = ({ headers }: ApiRequest): boolean => (headers['scrip-dry-run'] ?? 'false') !== 'false';

/** Whether a request asks for a path, as it is or in a whole address. The router would take `*x` for `/x`. */
const isPath = (target: string): boolean => target.startsWith('/') || /^https?:\/\//i.test(target);

const invalid = (field: string, message: string): FastifyError =>
  new Problem('invalid_request', { errors: [{ field, message }] }) as unknown as FastifyError;

type Done = HookHandlerDoneFunction;
type Guarded = RouteDemands & { readonly url: string; readonly demand: Demand };

function admit(request: ApiRequest, reply: FastifyReply, route: Guarded, gatekeepers: Gatekeepers, done: Done): void {
  if (!gatekeepers.load.enter()) {
    send(reply, problemAnswer('overloaded', request.id));
    return;
  }
  request.place = true;
  if (route.demand.scope === 'none') {
    done((unknownQuery(route, request.query) ?? undefined) as FastifyError | undefined);
    return;
  }
  const caller = gatekeepers.authenticator.callerOf(request.headers.authorization);
  if (caller instanceof Promise) {
    caller.then(
      (found) => {
        check(request, found, route, gatekeepers, done);
      },
      (error: unknown) => {
        done(error as FastifyError);
      },
    );
  } else check(request, caller, route, gatekeepers, done);
}

function check(request: ApiRequest, caller: Caller | null, route: Guarded, { rates }: Gatekeepers, done: Done): void {
  const problem = problemWith(request, caller, route, rates) ?? unknownQuery(route, request.query);
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
