import type { FastifyInstance } from 'fastify';
import type { Logger } from '#config/logger.js';
import type { ApiRequest } from './caller.js';

/** One line a request: who, which route, how it ended, how long it took. Never paths, queries or bodies as they came. */
export function logRequests(server: FastifyInstance, logger: Logger): void {
  server.addHook('onResponse', (request, reply, done) => {
    const { caller } = request as ApiRequest;
    logger.info(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        actor: caller?.actor ?? null,
      },
      'request',
    );
    done();
  });
}
