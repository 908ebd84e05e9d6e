import type { ProblemCode } from '../http/problems.js';
import { problemResponses, type ProblemResponse } from './problem-schemas.js';
import { canDryRun, forPeople, routeFacts, type RouteFacts } from './route-facts.js';
import { customerId, flag, ref, text, type AnswerSchemas, type Schema } from './schema.js';

export type Parameter = { readonly name: string; readonly in: string; readonly [member: string]: unknown };
type Response = { description?: string; content?: object; headers?: object };
export type Operation = {
  operationId?: string;
  requestBody?: {
    required?: boolean;
    content: { readonly [type: string]: { schema: Schema; examples?: object; example?: unknown } };
  };
  parameters?: readonly Parameter[];
  security?: readonly object[];
  responses: { [status: string]: Response | { readonly $ref: string } };
  [routeFacts]?: RouteFacts;
  [forPeople]?: boolean;
  [canDryRun]?: boolean;
};

/** Where a route is, and what it answers with. */
export type Place = { readonly method: string; readonly path: string; readonly answer: string | undefined };

/**
 * Adds to an operation what follows from where it is and who may use it: parameters, the problems that the server answers with
 * before the route runs, headers and bodies of answers. `note` takes each response that operations share.
 */
export function completeOperation(
  operation: Operation,
  place: Place,
  note: (response: ProblemResponse) => { readonly $ref: string },
): void {
  const {
    [routeFacts]: facts = { problems: [] },
    [forPeople]: people = false,
    [canDryRun]: dryRun = false,
  } = operation;
  for (const key of [routeFacts, forPeople, canDryRun]) Reflect.deleteProperty(operation, key);
  operation.security ??= [];
  operation.parameters = parametersOf(operation, place.path, { ...facts, dryRun });
  describeSuccess(operation, place, facts);
  const problems = new Set([...serverProblems(operation, place, { people, facts }), ...facts.problems]);
  for (const problem of problemResponses(problems)) operation.responses[problem.status] = note(problem);
}

function parametersOf(
  { parameters = [] }: Operation,
  path: string,
  { key, unit, dryRun }: RouteFacts & { readonly dryRun: boolean },
): readonly Parameter[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'customerId' ? customerId : text,
  }));
  const others = parameters.filter((parameter) => parameter.in !== 'path');
  const ofKey = {
    name: 'Idempotency-Key',
    in: 'header',
    required: key === 'required',
    description: 'Names the command for ever: the same key and body get the first answer again.',
    schema: { type: 'string', pattern: '^[ -~]{1,255}$' },
    example: 'order-1001',
  };
  const ofUnit = { name: 'unit', in: 'query', required: false, schema: ref('Unit') };
  const ofDryRun = {
    name: 'Scrip-Dry-Run',
    in: 'header',
    required: false,
    description:
      'With `true` the command is decided and answered as below with `dryRun: true` besides, but without `position`; nothing is recorded, its key stays free.',
    schema: flag,
  };
  return [
    ...inPath,
    ...others,
    ...(unit === true ? [ofUnit] : []),
    ...(key === undefined ? [] : [ofKey]),
    ...(dryRun ? [ofDryRun] : []),
  ];
}

/** The problems that the server finds, whatever the route does. */
function serverProblems(
  { security = [] }: Operation,
  { method, path }: Place,
  { people, facts }: { readonly people: boolean; readonly facts: RouteFacts },
): readonly ProblemCode[] {
  const takesBody = method !== 'get';
  return [
    'internal_error',
    ...(path.startsWith('/v1/') ? (['invalid_request', 'overloaded'] as const) : []),
    ...(security.length > 0 ? (['unauthenticated', 'forbidden', 'rate_limited', 'key_set_unavailable'] as const) : []),
    ...(people ? (['customer_not_found'] as const) : []),
    ...(takesBody ? (['payload_too_large', 'unsupported_media_type'] as const) : []),
    ...(facts.key === undefined ? [] : (['idempotency_key_reused'] as const)),
    ...(facts.key === 'required' ? (['idempotency_key_required'] as const) : []),
  ];
}

const inText: { readonly [path: string]: string } = { '/metrics': 'text/plain' };
/** Answers that say the same of a process that cannot serve. */
const alsoUnavailable: ReadonlySet<string> = new Set(['/readyz', '/healthz']);

function describeSuccess({ responses }: Operation, { path, answer }: Place, { key }: RouteFacts): void {
  const schema = answer === undefined ? text : ref(answer);
  const type = answer === undefined ? (inText[path] ?? 'application/json') : 'application/json';
  const lines = path === '/v1/events' ? { 'application/x-ndjson': { schema: text } } : {};
  const headers = {
    'X-Request-Id': { $ref: '#/components/headers/RequestId' },
    ...(key === undefined ? {} : { 'Idempotent-Replayed': { $ref: '#/components/headers/Replayed' } }),
  };
  for (const [status, response] of Object.entries(responses))
    if (status.startsWith('2')) Object.assign(response, { headers, content: { [type]: { schema }, ...lines } });
  if (alsoUnavailable.has(path))
    responses['503'] = { description: 'It cannot serve.', headers, content: { [type]: { schema } } };
}

/** The name of what a route answers with. */
export const answerNameOf = (method: string, path: string, byRoute: AnswerSchemas['byRoute']): string | undefined =>
  byRoute[`${method.toUpperCase()} ${path}`];
