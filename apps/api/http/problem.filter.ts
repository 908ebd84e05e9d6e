import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Logger } from '#config/logger.js';
import { problemAnswer, type Answer } from './answer.js';
import type { ApiRequest } from './caller.js';
import { failureAnswer } from './failures.js';
import type { RouteTable } from './route-table.js';

/** Turns whatever a request ends with into a problem: of controllers, guards, pipes, hooks, parsers, and of no route at all. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly routes: RouteTable,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<ApiRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (reply.sent) return;
    if (reply.raw.headersSent) {
      // Of an answer that is under way already, nothing can be said any more.
      reply.raw.destroy();
      return;
    }
    // Fastify closes the connection behind whatever a parser refuses; more may have been asked on it. Node reads the rest of the body.
    if (reply.hasHeader('connection') && reply.raw.shouldKeepAlive) void reply.header('connection', 'keep-alive');
    void reply.send(request.is404 ? this.#notFound(request, reply) : this.#failure(error, request));
  }

  #failure(error: unknown, request: ApiRequest): Answer {
    const { url = null, bodyLimit } = request.routeOptions;
    return failureAnswer(error, { requestId: request.id, route: url, bodyLimit }, this.logger);
  }

  #notFound(request: ApiRequest, reply: FastifyReply): Answer {
    const methods = this.routes.methodsOf(request.url);
    if (methods.length > 0) void reply.header('allow', methods.join(', '));
    return problemAnswer(methods.length === 0 ? 'not_found' : 'method_not_allowed', request.id);
  }
}
