import { problemKinds, type ProblemCode, type ProblemKind } from './problems.js';

/** What is wrong with one field of a request. Never quotes its value. */
export type FieldError = { readonly field: string; readonly message: string };
export type ProblemMembers = { readonly errors?: readonly FieldError[]; readonly [member: string]: unknown };
export type ProblemBody = ProblemKind &
  ProblemMembers & { readonly type: string; readonly code: ProblemCode; readonly requestId: string };

/** The body of a problem answer (RFC 9457). */
export function problemBody(code: ProblemCode, requestId: string, members: ProblemMembers = {}): ProblemBody {
  const { status, title, detail } = problemKinds[code];
  return { type: `/docs/errors#${code}`, title, status, detail, code, requestId, ...members };
}

const busy: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'rate_limited',
  'overloaded',
  'outcome_unknown',
  'projection_behind',
  'stripe_unavailable',
  'key_set_unavailable',
  'store_unavailable',
]);

/** Seconds to wait before a repeat makes sense; null when repeating alone does not help. */
export const retryAfter = (code: ProblemCode): number | null => (busy.has(code) ? 1 : null);

/**
 * Ends a request with a problem. For what is found out before a command or query is carried out. It is an answer and no fault, and
 * nobody is told where it was made: it has no stack, which would cost as much as all else of a refused request.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly members: ProblemMembers;

  /** `retryAfterSeconds`: when it is known better than by the code. */
  constructor(
    code: ProblemCode,
    members: ProblemMembers = {},
    readonly retryAfterSeconds: number | null = null,
  ) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(code);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.members = members;
  }
}
