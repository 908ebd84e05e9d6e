import type { CommandOutcome, Recorded } from '#event-store/command.js';
import type { Refused } from '#kernel/decider.js';
import { problemBody, problemKinds, retryAfter, type ProblemCode } from './problems.js';

/** What a command is answered with, ready to be sent or to be one result of a bulk request. */
export type Answer = {
  readonly status: number;
  readonly replayed: boolean;
  readonly body: object;
  readonly retryAfter: number | null;
};

/** A problem as an answer. */
export const problemAnswer = (
  code: ProblemCode,
  requestId: string,
  members: { readonly [member: string]: unknown } = {},
): Answer => ({
  status: problemKinds[code].status,
  replayed: false,
  body: problemBody(code, requestId, members),
  retryAfter: retryAfter(code),
});

/** An answer that is none of the problems; `replayed` where it was given before. */
export const success = (status: number, body: object, replayed: boolean): Answer => ({
  status,
  replayed,
  body,
  retryAfter: null,
});

/**
 * The answer to a command's outcome. Unchanged outcomes have no events to make an answer from: callers that can get them
 * handle them first.
 */
export function answerOf<Event, State, Code extends ProblemCode>(
  outcome: Exclude<CommandOutcome<Event, State, Refused<Code>>, { kind: 'unchanged' }>,
  requestId: string,
  bodyOf: (events: readonly Recorded<Event>[]) => object,
  membersOf: (refusal: Refused<Code>) => { readonly [member: string]: unknown },
): Answer {
  switch (outcome.kind) {
    case 'recorded':
      return success(201, bodyOf(outcome.events), outcome.replayed);
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
