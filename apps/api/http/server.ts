import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { problemAnswer } from './answer.js';
import { bodyLimit } from './json-body.js';
import { addCommonHeaders, sendAnswers, unwrapped } from './replies.js';
import { answerUnreadable, noteAnswer } from './unreadable.js';

/** A request that is not there whole by then is given up; so is a new connection that asks nothing, which may be a pool's. */
const receiveWithinMs = 30_000;
/** A connection on which nothing moves for so long is closed: its client takes no answer, or waits longer than any of ours needs. */
const connectionTimeout = 60_000;

/**
 * Fastify with the bounds of this API. Clients are expected to come through a proxy: of one that attacks, only this much is bounded.
 * `isDraining`: from when on answers tell clients to connect elsewhere.
 */
export function createAdapter(bootId: string, isDraining: () => boolean): FastifyAdapter {
  let requests = 0;
  const adapter = new FastifyAdapter({
    bodyLimit,
    routerOptions: { maxParamLength: 512 },
    requestTimeout: receiveWithinMs,
    connectionTimeout,
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
    // Ours is a problem with Retry-After: see LoadLimit.
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
  const server = adapter.getInstance();
  // Node would refuse it without a word; so it is refused where all requests are.
  server.server.on('checkExpectation', (request, response) => server.server.emit('request', request, response));
  // Before all other hooks, so that what these answer has the common headers too, and what is written past Fastify.
  adapter.setOnRequestHook((_, reply, done) => {
    noteAnswer(reply.raw);
    addCommonHeaders(reply);
    if (isDraining()) void reply.header('connection', 'close');
    done();
  });
  sendAnswers(server, isDraining);
  return adapter;
}

/** An address that no route can be looked for: broken percent-encoding, or a part of it that is far too long. No hook runs. */
function answerUnroutable(_: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  addCommonHeaders(reply);
  const errors = [{ field: '', message: 'the address cannot be read' }];
  void reply.send(unwrapped(problemAnswer('invalid_request', request.id, { errors }), reply));
}
