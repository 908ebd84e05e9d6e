import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '#config/logger.js';
import { failureAnswer } from './failures.js';
import { problemAnswer, type Answer } from './outcomes.js';
import { afterRestOfBody } from './rest-of-body.js';
import { send } from './send.js';

/** Turns whatever a request ends with into a problem. */
export class ProblemAnswers {
  constructor(
    private readonly logger: Logger,
    private readonly methodsOf: (url: string) => readonly string[],
  ) {}

  /** Answers for the server too: to what its hooks and parsers find, and to requests that no route takes. */
  answerFor(server: FastifyInstance): void {
    server.setErrorHandler((error, request, reply) => {
      this.answer(error, request, reply);
    });
    server.setNotFoundHandler((request, reply) => {
      this.#notFound(request, reply);
    });
  }

  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.sent) return;
    const route = request.routeOptions.url ?? null;
    sendAfterBody(failureAnswer(error, { requestId: request.id, route }, this.logger), request, reply);
  }

  #notFound(request: FastifyRequest, reply: FastifyReply): void {
    const methods = this.methodsOf(request.url);
    if (methods.length > 0) void reply.header('allow', methods.join(', '));
    send(reply, problemAnswer(methods.length === 0 ? 'not_found' : 'method_not_allowed', request.id));
  }
}

function sendAfterBody(answer: Answer, request: FastifyRequest, reply: FastifyReply): void {
  // Only these end a body before it has come whole.
  if (answer.status !== 413 && answer.status !== 503) {
    // Fastify closes the connection behind whatever a parser refuses; more may have been asked on it.
    if (reply.hasHeader('connection') && reply.raw.shouldKeepAlive) void reply.header('connection', 'keep-alive');
    send(reply, answer);
    return;
  }
  afterRestOfBody(request.raw, () => {
    if (!reply.sent) send(reply, answer);
  });
}
