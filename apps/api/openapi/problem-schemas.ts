import { budgetWindows } from '#ledger/account/budgets/facts.js';
import { problemBody, retryAfter, type ProblemMembers } from '../http/problem.js';
import { problemKinds, type ProblemCode } from '../http/problems.js';
import { credits, list, object, orNull, ref, text, time, word, type Schema } from './schema.js';

const codes = Object.keys(problemKinds) as readonly ProblemCode[];

type Members = { readonly [member: string]: Schema };

const exceeded: Members = {
  scope: { ...text, description: 'Whose budget.' },
  limit: credits,
  used: { ...credits, description: 'What counts in its window, with what is held.' },
  requested: credits,
  window: word(...budgetWindows),
  resetsAt: { ...orNull(time), description: 'When the next window begins; null for never.' },
};

/** The members that an answer has besides those of every problem; `?` at the end of a name: it may be absent. */
const membersOf: { readonly [Code in ProblemCode]?: Members } = {
  invalid_request: { errors: list(ref('FieldError')) },
  insufficient_credits: {
    available: { ...credits, description: 'What is left of the unit.' },
    required: { ...credits, description: 'What was asked for.' },
    unit: text,
    'topUpUrl?': { type: 'string', description: 'Where more can be bought.' },
    'budget?': {
      ...object(exceeded),
      description: 'Where a part would have been enough, and this budget has nothing left.',
    },
  },
  usage_limit_exceeded: {
    feature: text,
    limit: { ...credits, description: 'How much the plan allows in the window.' },
    used: { ...credits, description: 'How much of it was used.' },
    requested: credits,
    window: word('day', 'month', 'period'),
    windowEnd: time,
  },
  feature_not_in_plan: { feature: text },
  budget_exceeded: exceeded,
  budget_below_used: { scope: text, limit: credits, used: { ...credits, description: 'What counts in its window.' } },
  amount_exceeds_grant: { unspent: { ...credits, description: 'What can be revoked.' } },
  stripe_refused: {
    stripeCode: { ...orNull(text), description: "Stripe's code of the error." },
    stripeParam: { ...orNull(text), description: 'The parameter that Stripe names.' },
  },
};

const exampleMembers: { readonly [Code in ProblemCode]?: ProblemMembers } = {
  invalid_request: { errors: [{ field: 'amount', message: 'must be a whole number from 1 to 9007199254740991' }] },
  insufficient_credits: { available: 3, required: 5, unit: 'credits', topUpUrl: 'https://shop.example/credits' },
  usage_limit_exceeded: {
    ...{ feature: 'api_calls', limit: 100, used: 100, requested: 1 },
    ...{ window: 'day', windowEnd: '2026-11-22T00:00:00.000Z' },
  },
  feature_not_in_plan: { feature: 'team' },
  budget_exceeded: {
    ...{ scope: 'team:growth', limit: 100, used: 98, requested: 5 },
    ...{ window: 'day', resetsAt: '2026-11-22T00:00:00.000Z' },
  },
  budget_below_used: { scope: 'team:growth', limit: 50, used: 98 },
  amount_exceeds_grant: { unspent: 40 },
  stripe_refused: { stripeCode: 'resource_missing', stripeParam: 'customer' },
};

const pascal = (code: string): string =>
  code
    .split('_')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');

const nameOf = (wanted: readonly ProblemCode[]): string => wanted.map(pascal).join('Or');
const schemaName = (wanted: readonly ProblemCode[]): string => `${nameOf(wanted)}Problem`;

/** A problem with one of these codes, all of one status and with the same members. */
const problemSchema = (wanted: readonly ProblemCode[]): Schema =>
  object(
    {
      type: { type: 'string', format: 'uri-reference', description: 'The page that explains it.' },
      title: text,
      status: { type: 'integer', format: 'int32', enum: [...new Set(wanted.map((code) => problemKinds[code].status))] },
      detail: { ...text, description: 'What you can do.' },
      code: { ...word(...wanted), description: 'Never changes its meaning.' },
      requestId: text,
      ...Object.assign({}, ...wanted.map((code) => membersOf[code] ?? {})),
    },
    { description: wanted.map(explained).join('\n\n') },
  );

const explained = (code: ProblemCode): string =>
  `\`${code}\`: ${problemKinds[code].title}. ${problemKinds[code].detail}`;

/** A schema for each code, which fixes its status, and has the members that belong to it. */
export const problemSchemas: { readonly [name: string]: Schema } = {
  FieldError: object({
    field: { ...text, description: 'Where it is; empty for the whole body.' },
    message: { ...text, description: 'What is wrong with it.' },
  }),
  ...Object.fromEntries(codes.map((code) => [schemaName([code]), problemSchema([code])])),
};

/** A problem with one of these codes; by `code` it is known which. */
export function problemOf(wanted: readonly ProblemCode[]): Schema {
  if (wanted.length === 1) return ref(schemaName(wanted));
  return {
    oneOf: wanted.map((code) => ref(schemaName([code]))),
    discriminator: {
      propertyName: 'code',
      mapping: Object.fromEntries(wanted.map((code) => [code, `#/components/schemas/${schemaName([code])}`])),
    },
  };
}

export type ProblemResponse = {
  readonly status: number;
  /** The name that it has among the components. */
  readonly name: string;
  readonly response: object;
  /** The schemas that it needs besides those of single codes. */
  readonly schemas: { readonly [name: string]: Schema };
};

/** Responses of the document for a set of codes, one for each status. */
export function problemResponses(wanted: ReadonlySet<ProblemCode>): readonly ProblemResponse[] {
  const inOrder = codes.filter((code) => wanted.has(code));
  const statuses = [...new Set(inOrder.map((code) => problemKinds[code].status))];
  return statuses.map((status) => {
    const same = inOrder.filter((code) => problemKinds[code].status === status);
    const name = schemaName(same);
    // Many generators make no type of errors out of a choice of schemas: codes without members of their own share one.
    const plain = same.length > 1 && same.every((code) => membersOf[code] === undefined);
    return {
      status,
      name: nameOf(same),
      response: responseOf(status, same, plain ? ref(name) : problemOf(same)),
      schemas: plain ? { [name]: problemSchema(same) } : {},
    };
  });
}

function responseOf(status: number, same: readonly ProblemCode[], schema: Schema): object {
  const headers = {
    ...(same.some((code) => retryAfter(code) !== null)
      ? { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } }
      : {}),
    ...(status === 401 ? { 'WWW-Authenticate': { $ref: '#/components/headers/Authenticate' } } : {}),
    'X-Request-Id': { $ref: '#/components/headers/RequestId' },
  };
  const examples = Object.fromEntries(
    same.map((code) => [code, { value: problemBody(code, 'req-1', exampleMembers[code] ?? {}) }]),
  );
  return {
    description: same.map((code) => `\`${code}\`: ${problemKinds[code].title}.`).join(' '),
    headers,
    content: { 'application/problem+json': { schema, examples } },
  };
}

/** What headers of answers mean. */
export const answerHeaders = {
  RetryAfter: {
    description: 'Seconds to wait before it is sent again.',
    required: true,
    schema: { type: 'integer', format: 'int32', minimum: 0 },
    example: 1,
  },
  Authenticate: {
    description: 'How to authenticate.',
    required: true,
    schema: text,
    example: 'Bearer realm="scrip"',
  },
  RequestId: {
    description: 'The id of the request: its own `X-Request-Id` where that has 8 to 64 of letters, digits and _ . : -',
    required: true,
    schema: text,
    example: 'req-1000001',
  },
  Replayed: {
    description: '`true` where the key was used before: this is the first answer again.',
    schema: word('true'),
    example: 'true',
  },
};
