import type { FastifyInstance } from 'fastify';
import type { Histogram } from 'prom-client';
import type { Logger } from '#config/logger.js';
import type { ApiRequest } from './caller.js';

/** Notes how long every answered request took, under the pattern of the route that answered; `none` where there is none. */
export function timeRequests(server: FastifyInstance, times: Histogram<'method' | 'route' | 'status'>): void {
  server.addHook('onResponse', (request, reply, done) => {
    const labels = { method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode };
    times.observe(labels, reply.elapsedTime / 1000);
    done();
  });
}

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
