import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '#config/logger.js';
import { failureAnswer } from './failures.js';
import { problemAnswer, type Answer } from './outcomes.js';
import { afterRestOfBody } from './rest-of-body.js';
import { send } from './send.js';

/** Turns whatever a request ends with into a problem: what its handler fails with, and what Nest has from the server. */
@Catch()
export class ProblemsFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly methodsOf: (url: string) => readonly string[],
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.sent) return;
    const answer = this.#answerTo(error, request, reply);
    // These end a body before it has come whole.
    if (answer.status !== 413 && answer.status !== 503) {
      send(reply, answer);
      return;
    }
    afterRestOfBody(request.raw, () => {
      if (!reply.sent) send(reply, answer);
    });
  }

  #answerTo(error: unknown, request: FastifyRequest, reply: FastifyReply): Answer {
    if (error instanceof HttpException && error.getStatus() === 404) return this.#notFound(request, reply);
    return failureAnswer(error, { requestId: request.id, route: request.routeOptions.url ?? null }, this.logger);
  }

  #notFound(request: FastifyRequest, reply: FastifyReply): Answer {
    const methods = this.methodsOf(request.url);
    if (methods.length === 0) return problemAnswer('not_found', request.id);
    void reply.header('allow', methods.join(', '));
    return problemAnswer('method_not_allowed', request.id);
  }
}
