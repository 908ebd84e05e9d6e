import { applyDecorators, HttpCode, UseGuards } from '@nestjs/common';
import { ApiBody, ApiExtension, ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { Dto } from '../http/validation/dto.js';
import type { ProblemCode } from '../http/problems.js';
import { QueryGuard } from '../http/admission/query.guard.js';
import { bodySchema } from './dto-schemas.js';
import { routeFacts, type RouteFacts } from './route-facts.js';

/**
 * How a route is described at /openapi.json. `id` names it in generated clients and never changes; `problems` are those that only
 * the route itself can tell. What follows from login, method and key is added by `completeOperation`.
 */
export type RouteWords = {
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly problems?: readonly ProblemCode[];
};

const described = (
  { id, summary, description, problems = [] }: RouteWords,
  more: Omit<RouteFacts, 'problems'>,
): MethodDecorator =>
  applyDecorators(
    ApiOperation({ operationId: id, summary, ...(description === undefined ? {} : { description }) }),
    ApiExtension(routeFacts, { problems, ...more } satisfies RouteFacts),
  );

/** What a route that writes may be answered with. */
const ofWriting: readonly ProblemCode[] = ['command_too_large', 'conflict', 'outcome_unknown', 'store_unavailable'];

/** A command for an account: key, unit, 201. One that sets what an account is answers 200, and may come without a key where `key` does not say so. */
export function CommandRoute(
  words: RouteWords & { readonly body?: Dto; readonly setsState?: boolean; readonly key?: 'required' },
): MethodDecorator {
  const { body, problems = [], setsState = false } = words;
  const { key = setsState ? 'optional' : 'required' } = words;
  const status = setsState ? 200 : 201;
  const description = 'Without an Idempotency-Key the same again changes nothing, but a late repeat sets it once more.';
  return applyDecorators(
    HttpCode(status),
    UseGuards(new QueryGuard(['unit'])),
    described(
      { ...words, ...(key === 'optional' ? { description } : {}), problems: [...ofWriting, ...problems] },
      { unit: true, key },
    ),
    ...(body === undefined ? [] : [ApiBody({ schema: bodySchema(body) })]),
    ApiResponse({ status, description: setsState ? 'The account as it is now.' : 'Recorded.' }),
  );
}

/** A query of a read model. The class of its query says which parameters it has. */
export const QueryRoute = (words: RouteWords): MethodDecorator =>
  applyDecorators(
    described({ ...words, problems: ['projection_behind', 'store_unavailable', ...(words.problems ?? [])] }, {}),
    ApiResponse({ status: 200, description: 'With `asOf`: how fresh it is.' }),
  );

/**
 * Any other route. `writes`: it records something in the log. `query`: a class says which parameters it has, or it takes any; else
 * it takes none.
 */
export const OtherRoute = ({
  status = 200,
  answer = 'Done.',
  body,
  key,
  writes = false,
  query = false,
  ...words
}: RouteWords & {
  readonly status?: number;
  readonly answer?: string;
  readonly body?: Dto;
  readonly key?: 'required' | 'optional';
  readonly writes?: boolean;
  readonly query?: boolean;
}): MethodDecorator =>
  applyDecorators(
    ...(query ? [] : [UseGuards(new QueryGuard([]))]),
    described(
      { ...words, problems: [...(writes ? ofWriting : []), ...(words.problems ?? [])] },
      key === undefined ? {} : { key },
    ),
    ...(body === undefined ? [] : [ApiBody({ schema: bodySchema(body) })]),
    ApiResponse({ status, description: answer }),
  );
