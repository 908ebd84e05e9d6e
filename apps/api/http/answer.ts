import type { CommandPreview, Recorded } from '#event-store/writing/command.js';
import type { Refused } from '#kernel/decider.js';
import { problemBody, retryAfter } from './problem.js';
import { problemKinds, type ProblemCode } from './problems.js';

/**
 * What a request is answered with whose status or headers vary: a controller returns it in place of a body. It may also be one result
 * of a bulk request.
 */
export class Answer {
  /** `replayed`: it was given before. `retryAfter`: seconds. `isProblem`: the body is one of RFC 9457. */
  constructor(
    readonly status: number,
    readonly body: object,
    readonly replayed = false,
    readonly retryAfter: number | null = null,
    readonly isProblem = false,
  ) {}
}

/** A problem as an answer. `retryAfterSeconds`: when it is known better than by the code. */
export const problemAnswer = (
  code: ProblemCode,
  requestId: string,
  members: { readonly [member: string]: unknown } = {},
  retryAfterSeconds: number | null = null,
): Answer =>
  new Answer(
    problemKinds[code].status,
    problemBody(code, requestId, members),
    false,
    retryAfterSeconds ?? retryAfter(code),
    true,
  );

/** A JSON document that is text already, because parts of it are sent as they were written. A controller returns it as its body. */
export class JsonText {
  constructor(readonly text: string) {}
}

/**
 * The answer to a command's outcome. Unchanged outcomes have no events to make an answer from: callers that can get them
 * handle them first.
 */
export function answerOf<Event, State, Code extends ProblemCode>(
  outcome: Exclude<CommandPreview<Event, State, Refused<Code>>, { kind: 'unchanged' }>,
  requestId: string,
  bodyOf: (events: readonly Recorded<Event>[]) => object,
  membersOf: (refusal: Refused<Code>) => { readonly [member: string]: unknown },
): Answer {
  switch (outcome.kind) {
    case 'recorded':
      return new Answer(201, bodyOf(outcome.events), outcome.replayed);
    case 'would_record':
      return new Answer(201, bodyOf(outcome.events));
    case 'refused':
      return problemAnswer(outcome.refusal.rejected, requestId, membersOf(outcome.refusal));
    case 'key_reused':
      return problemAnswer('idempotency_key_reused', requestId);
    case 'too_large':
      return problemAnswer('command_too_large', requestId);
    case 'conflict':
      return problemAnswer('conflict', requestId);
    case 'overloaded':
      return problemAnswer('overloaded', requestId);
    case 'unavailable':
      return problemAnswer('store_unavailable', requestId);
    case 'outcome_unknown':
      return problemAnswer('outcome_unknown', requestId);
  }
}
