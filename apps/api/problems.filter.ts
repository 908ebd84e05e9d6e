import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StoreOverloaded, StoreUnavailable } from '#event-store/event-store.js';
import { ReadDatabaseError } from '#read-store/read-database.js';
import type { Logger } from '#config/logger.js';
import { Problem, type ProblemCode, type ProblemMembers } from './problems.js';
import { problemAnswer } from './outcomes.js';
import { send } from './send.js';

/** Turns whatever a request ends with into a problem. What an exception says goes to our log, never to the caller. */
@Catch()
export class ProblemsFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly methodsOf: (url: string) => readonly string[],
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    if (reply.sent) return;
    const [code, members] = this.#problemOf(error, request, reply);
    if (code === 'internal_error')
      this.logger.error(
        { requestId: request.id, route: request.routeOptions.url ?? null, error: described(error) },
        'request failed',
      );
    const answer = problemAnswer(code, request.id, members);
    const seconds = error instanceof Problem ? error.retryAfterSeconds : null;
    send(reply, seconds === null ? answer : { ...answer, retryAfter: seconds });
  }

  #problemOf(error: unknown, request: FastifyRequest, reply: FastifyReply): [ProblemCode, ProblemMembers?] {
    if (error instanceof Problem) return [error.code, error.members];
    if (error instanceof StoreUnavailable || isDatabaseDown(error)) return ['store_unavailable'];
    if (error instanceof StoreOverloaded) return ['overloaded'];
    if (error instanceof HttpException && error.getStatus() === 404) return this.#notFound(request, reply);
    return codeOfServerError(error);
  }

  #notFound(request: FastifyRequest, reply: FastifyReply): [ProblemCode] {
    const methods = this.methodsOf(request.url);
    if (methods.length === 0) return ['not_found'];
    void reply.header('allow', methods.join(', '));
    return ['method_not_allowed'];
  }
}

/** Classes 08, 53, 57 and the loss of the connection: the database is away, nothing is wrong with the query. */
const isDatabaseDown = (error: unknown): boolean =>
  error instanceof ReadDatabaseError && (error.sqlState === null || /^(08|53|57)/.test(error.sqlState));

/** The problems that the HTTP server itself finds; Nest gives them as exceptions with their status. */
function codeOfServerError(error: unknown): [ProblemCode, ProblemMembers?] {
  const status = error instanceof HttpException ? error.getStatus() : 500;
  if (status === 413) return ['payload_too_large'];
  if (status === 415) return ['unsupported_media_type'];
  if (status < 500) return ['invalid_request', { errors: [{ field: '', message: 'the request cannot be read' }] }];
  return ['internal_error'];
}

/** An error as it may be logged. The message of a parse error quotes its input, so only the kind of those is kept. */
function described(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  return {
    type: error.name,
    ...(error instanceof SyntaxError ? {} : { message: error.message }),
    stack: error.stack?.split('\n').slice(1, 12),
  };
}
