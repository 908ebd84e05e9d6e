import { applyDecorators, HttpCode } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOperation, ApiQuery, ApiResponse } from '@nestjs/swagger';
import { problemBody, problemKinds, type ProblemCode } from '../http/problems.js';
import type { Dto } from '../http/validation.js';

/** How routes are described at /openapi.json: in one manner, with the problems that each may answer. */
type RouteWords = { readonly summary: string; readonly problems?: readonly ProblemCode[] };

const everywhere: readonly ProblemCode[] = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'overloaded',
  'key_set_unavailable',
];

/** The responses for a list of problems: one for each status, with an example for each code. */
export function problemResponses(codes: readonly ProblemCode[]): MethodDecorator {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes)) {
    const { status } = problemKinds[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return applyDecorators(
    ...[...byStatus].map(([status, same]) =>
      ApiResponse({
        status,
        description: same.join(', '),
        content: {
          'application/problem+json': {
            schema: { $ref: '#/components/schemas/Problem' },
            examples: Object.fromEntries(same.map((code) => [code, { value: problemBody(code, 'req-1') }])),
          },
        },
      }),
    ),
  );
}

const keyHeader = (required: boolean): MethodDecorator =>
  ApiHeader({
    name: 'Idempotency-Key',
    required,
    description: 'Names the command for ever: the same key and body get the first answer again.',
    schema: { type: 'string', minLength: 1, maxLength: 255, example: 'order-1001' },
  });

/** A command for an account: key, unit, 201. One that sets what an account is answers 200, and may come without a key. */
export function CommandRoute(
  words: RouteWords & { readonly body: Dto; readonly setsState?: boolean },
): MethodDecorator {
  const { summary, body, problems = [], setsState = false } = words;
  return applyDecorators(
    HttpCode(setsState ? 200 : 201),
    ApiOperation({
      summary,
      ...(setsState
        ? {
            description:
              'Without an Idempotency-Key the same again changes nothing, but a late repeat sets it once more.',
          }
        : {}),
    }),
    keyHeader(!setsState),
    ApiQuery({ name: 'unit', required: false, schema: { type: 'string', default: 'credits' } }),
    ApiBody({ type: body }),
    ApiResponse({
      status: setsState ? 200 : 201,
      description: setsState
        ? 'The account as it is now. With the header `Idempotent-Replayed: true`: the first answer again.'
        : 'Recorded. With the header `Idempotent-Replayed: true`: recorded before, the first answer again.',
    }),
    problemResponses([
      ...everywhere,
      ...(setsState ? [] : (['idempotency_key_required'] as const)),
      'idempotency_key_reused',
      'conflict',
      'payload_too_large',
      'outcome_unknown',
      'store_unavailable',
      ...problems,
    ]),
  );
}

/** A query of a read model. */
export const QueryRoute = ({ summary, problems = [] }: RouteWords): MethodDecorator =>
  applyDecorators(
    ApiOperation({ summary }),
    ApiResponse({ status: 200, description: 'With `asOf`: how fresh it is.' }),
    problemResponses([...everywhere, 'projection_behind', 'store_unavailable', ...problems]),
  );

/** Any other route. */
export const OtherRoute = ({
  summary,
  problems = [],
  status = 200,
  answer = 'Done.',
}: RouteWords & { readonly status?: number; readonly answer?: string }): MethodDecorator =>
  applyDecorators(ApiOperation({ summary }), ApiResponse({ status, description: answer }), problemResponses(problems));
