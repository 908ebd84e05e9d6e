import type { FastifyError } from 'fastify';
import { StoreOverloaded, StoreUnavailable } from '#event-store/event-store.js';
import { ReadDatabaseError } from '#read-store/read-database.js';
import type { Logger } from '#config/logger.js';
import { problemAnswer, type Answer } from './outcomes.js';
import { Problem, type ProblemCode, type ProblemMembers } from './problems.js';

/** Where something failed, for the log. */
export type Failed = { readonly requestId: string; readonly route: string | null };

/**
 * The answer to whatever a request, or one command of a bulk request, ended with. What an exception says goes to our log,
 * never to the caller.
 */
export function failureAnswer(error: unknown, { requestId, route }: Failed, logger: Logger): Answer {
  const [code, members] = problemOf(error);
  if (code === 'internal_error') logger.error({ requestId, route, error: described(error) }, 'request failed');
  const answer = problemAnswer(code, requestId, members);
  const seconds = error instanceof Problem ? error.retryAfterSeconds : null;
  return seconds === null ? answer : { ...answer, retryAfter: seconds };
}

function problemOf(error: unknown): [ProblemCode, ProblemMembers?] {
  if (error instanceof Problem) return [error.code, error.members];
  if (error instanceof StoreUnavailable || isDatabaseDown(error)) return ['store_unavailable'];
  if (error instanceof StoreOverloaded) return ['overloaded'];
  return codeOfServerError(error);
}

/** Classes 08, 53, 57 and the loss of the connection: the database is away, nothing is wrong with the query. */
const isDatabaseDown = (error: unknown): boolean =>
  error instanceof ReadDatabaseError && (error.sqlState === null || /^(08|53|57)/.test(error.sqlState));

/** The problems that the HTTP server itself finds. */
function codeOfServerError(error: unknown): [ProblemCode, ProblemMembers?] {
  const { statusCode: status = 500 } = isOfServer(error) ? error : {};
  if (status === 413) return ['payload_too_large'];
  if (status === 415) return ['unsupported_media_type'];
  if (status < 500) return ['invalid_request', { errors: [{ field: '', message: 'the request cannot be read' }] }];
  return ['internal_error'];
}

/** Others have a status too, which is not ours: Stripe's errors say how Stripe answered. */
const isOfServer = (error: unknown): error is FastifyError => error instanceof Error && error.name === 'FastifyError';

/** An error as it may be logged. The message of a parse error quotes its input, so only the kind of those is kept. */
function described(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  return {
    type: error.name,
    ...(error instanceof SyntaxError ? {} : { message: error.message }),
    stack: error.stack?.split('\n').slice(1, 12),
  };
}
