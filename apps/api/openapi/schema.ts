import { MAX_AMOUNT } from '#kernel/amount.js';

/** Words to describe answers with, as JSON Schema in OpenAPI 3.1. */
export type Schema = { readonly [member: string]: unknown };

/** What the routes of one subject answer with when they succeed. */
export type AnswerSchemas = {
  /** The shapes by their names; names are the whole document's. */
  readonly schemas: { readonly [name: string]: Schema };
  /** `GET /v1/…` to the name of the shape. A test tells which route is missing. */
  readonly byRoute: { readonly [methodAndPath: string]: string };
};

/** Where the routes of one customer begin. */
export const ofCustomer = '/v1/customers/{customerId}';

export const text: Schema = { type: 'string' };
/** A whole number of any size that JSON can hold exactly. */
export const whole: Schema = { type: 'integer', format: 'int64', minimum: -MAX_AMOUNT, maximum: MAX_AMOUNT };
/** A number of credits, or of things. */
export const credits: Schema = { ...whole, minimum: 0 };
/** An HTTP status. */
export const httpStatus: Schema = { type: 'integer', format: 'int32', minimum: 100, maximum: 599 };
export const flag: Schema = { type: 'boolean' };
export const time: Schema = { type: 'string', format: 'date-time' };
export const anything: Schema = { type: 'object', additionalProperties: true };
/** The caller's own members. */
export const metadata: Schema = {
  type: 'object',
  additionalProperties: { type: ['string', 'number', 'boolean'] },
};
export const customerId: Schema = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}$',
  example: 'customer-1',
};
/** A shape by its name. */
export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
export const list = (items: Schema): Schema => ({ type: 'array', items });
/** The same, or null. */
export const orNull = (schema: Schema): Schema =>
  typeof schema['type'] === 'string'
    ? {
        ...schema,
        type: [schema['type'], 'null'],
        ...(Array.isArray(schema['enum']) ? { enum: [...(schema['enum'] as readonly string[]), null] } : {}),
      }
    : { oneOf: [schema, { type: 'null' }] };
/** One of a few words. */
export const word = (...words: readonly string[]): Schema => ({ type: 'string', enum: words });

/** An object of exactly these members; `?` at the end of a name: it may be absent. */
export function object(members: { readonly [name: string]: Schema }, more: Schema = {}): Schema {
  const names = Object.keys(members);
  return {
    type: 'object',
    required: names.filter((name) => !name.endsWith('?')),
    properties: Object.fromEntries(names.map((name) => [name.replace('?', ''), members[name]])),
    ...more,
  };
}

export const unit: Schema = { type: 'string', pattern: '^[a-z][a-z0-9_]{0,31}$', description: 'What is counted.' };
export const position: Schema = {
  type: 'string',
  pattern: '^\\d{19}$',
  description: 'A place in the log; later is greater.',
};
/** A member of the answer to a command that can be decided without being recorded. */
export const dryRun: Schema = { ...flag, enum: [true], description: 'Set where nothing was recorded.' };
export const asOf = ref('AsOf');
/** A page of a list, each entry of the shape of that name. */
export const page = (entry: string): Schema =>
  object({ data: list(ref(entry)), hasMore: flag, nextCursor: orNull(text), asOf });
