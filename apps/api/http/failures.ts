import { HttpException } from '@nestjs/common';
import { StoreOverloaded, StoreUnavailable } from '#event-store/port/event-store.js';
import { DatabaseError } from '#database/errors.js';
import type { Logger } from '#config/logger.js';
import { problemAnswer, type Answer } from './answer.js';
import { Problem, type ProblemMembers } from './problem.js';
import type { ProblemCode } from './problems.js';

/** Where something failed. `bodyLimit`: the bytes that a body may have there. */
export type Failed = { readonly requestId: string; readonly route: string | null; readonly bodyLimit: number };

/**
 * The answer to whatever a request, or one command of a bulk request, ended with. What an exception says goes to our log,
 * never to the caller.
 */
export function failureAnswer(error: unknown, { requestId, route, bodyLimit }: Failed, logger: Logger): Answer {
  const [code, members] = problemOf(error, bodyLimit);
  if (code === 'internal_error') logger.error({ requestId, route, error: described(error) }, 'request failed');
  return problemAnswer(code, requestId, members, error instanceof Problem ? error.retryAfterSeconds : null);
}

function problemOf(error: unknown, bodyLimit: number): [ProblemCode, ProblemMembers?] {
  if (error instanceof Problem) return [error.code, error.members];
  if (error instanceof StoreUnavailable || isDatabaseDown(error)) return ['store_unavailable'];
  if (error instanceof StoreOverloaded) return ['overloaded'];
  return codeOfServerError(error, bodyLimit);
}

/** Classes 08, 53, 57 and the loss of the connection: the database is away, nothing is wrong with the query. */
const isDatabaseDown = (error: unknown): boolean =>
  error instanceof DatabaseError && (error.sqlState === null || /^(08|53|57)/.test(error.sqlState));

/** The problems that Nest and Fastify find themselves; what is no error of theirs is a failure of ours. */
function codeOfServerError(error: unknown, bodyLimit: number): [ProblemCode, ProblemMembers?] {
  if (isCutOff(error)) return ['invalid_request', { errors: [{ field: '', message: 'the body did not come whole' }] }];
  // Of Fastify's errors, Nest makes exceptions of its own. Others have a status too, which is not ours: Stripe's say how Stripe answered.
  const status = error instanceof HttpException ? error.getStatus() : 500;
  if (status === 413)
    return ['payload_too_large', { detail: `Send at most ${String(Math.floor(bodyLimit / MEBIBYTE))} MiB.` }];
  const code = codeOfStatus.get(status);
  if (code !== undefined) return [code];
  if (status < 500) return ['invalid_request', { errors: [{ field: '', message: 'the request cannot be read' }] }];
  return ['internal_error'];
}

const MEBIBYTE = 1_048_576;
const codeOfStatus: ReadonlyMap<number, ProblemCode> = new Map([
  [401, 'unauthenticated'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [415, 'unsupported_media_type'],
]);

/** Whether the client has gone in the middle of its body. */
const isCutOff = (error: unknown): boolean =>
  error instanceof Error &&
  'statusCode' in error &&
  error.statusCode === 400 &&
  'code' in error &&
  error.code === 'ECONNRESET';

/** An error as it may be logged. The message of a parse error quotes its input, so only the kind of those is kept. */
function described(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  return {
    type: error.name,
    ...(error instanceof SyntaxError ? {} : { message: error.message }),
    stack: error.stack?.split('\n').slice(1, 12),
  };
}
