import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { ValidateBy, ValidateIf, ValidateNested } from 'class-validator';
import { MAX_AMOUNT } from '#kernel/amount.js';
import { parseInstant } from '#kernel/instant.js';
import { isCustomerId, isUnit } from '#kernel/stream-name.js';
import { noteField } from '../../openapi/dto-schemas.js';
import { orNull, ref } from '../../openapi/schema.js';
import type { Dto } from './dto.js';
import { noteNested } from './checker.js';

/**
 * The kinds of fields that bodies and queries have. Each is one class-validator rule with its words for the OpenAPI page, so
 * that what is checked and what is documented cannot differ.
 */
type About = {
  readonly description: string;
  readonly example?: unknown;
  readonly optional?: 'absent' | 'null';
  /** What an absent field means. */
  readonly default?: unknown;
};
type Shape = { readonly type: string; readonly [member: string]: unknown };

function field(
  name: string,
  message: string,
  validate: (value: unknown) => boolean,
  shape: Shape,
  about: About,
): PropertyDecorator {
  const { optional, ...words } = about;
  const required = optional === undefined;
  const schema = { ...(optional === 'null' ? orNull(shape) : shape), ...words };
  const decorators: PropertyDecorator[] = [
    ValidateBy({ name, validator: { validate, defaultMessage: () => message } }) as PropertyDecorator,
    // Of a query, Nest reads what it is made of; of a body, the document does.
    ApiProperty({ ...shape, ...words, required } as never),
    (target, property) => {
      noteField(target, String(property), () => schema, required);
    },
  ];
  if (optional !== undefined) {
    decorators.push(
      ValidateIf((_, value) => value !== undefined && (optional !== 'null' || value !== null)) as PropertyDecorator,
    );
  }
  return applyDecorators(...decorators);
}

/** Characters are counted as JSON Schema counts them: one outside of the basic plane is one, though it takes two places. */
const hasAtMost = (text: string, max: number): boolean =>
  text.length <= max || (text.length <= 2 * max && [...text].length <= max);

/** Text that every part of the system can hold: no NUL (PostgreSQL) and no half of a surrogate pair (UTF-8). */
const isText = (value: unknown, min: number, max: number): value is string =>
  typeof value === 'string' &&
  value.length >= min &&
  hasAtMost(value, max) &&
  !value.includes('\0') &&
  value.isWellFormed();

/** A whole number from `min` to `max`. */
export const WholeNumber = (min: number, max: number, about: About): PropertyDecorator =>
  field(
    'wholeNumber',
    `must be a whole number from ${String(min)} to ${String(max)}`,
    (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max,
    { type: 'integer', format: 'int64', minimum: min, maximum: max },
    about,
  );

/** Credits: a whole number from 1 to 2^53−1. */
export const Credits = (about: About): PropertyDecorator => WholeNumber(1, MAX_AMOUNT, about);

/** A change of credits in either direction: a whole number, not 0. */
export const SignedCredits = (about: About): PropertyDecorator =>
  field(
    'signedCredits',
    `must be a whole number from -${String(MAX_AMOUNT)} to ${String(MAX_AMOUNT)}, not 0`,
    (value) => typeof value === 'number' && Number.isSafeInteger(value) && value !== 0,
    { type: 'integer', format: 'int64', minimum: -MAX_AMOUNT, maximum: MAX_AMOUNT },
    about,
  );

/** Text of `min` to `max` characters. */
export const Text = (min: number, max: number, about: About): PropertyDecorator =>
  field(
    'text',
    `must be text of ${String(min)} to ${String(max)} characters`,
    (value) => isText(value, min, max),
    { type: 'string', minLength: min, maxLength: max },
    about,
  );

/** Text of a fixed form. */
export const Pattern = (pattern: RegExp, message: string, about: About): PropertyDecorator =>
  field(
    'pattern',
    message,
    (value) => typeof value === 'string' && pattern.test(value),
    { type: 'string', pattern: pattern.source },
    about,
  );

const maxPosition = 2n ** 63n - 1n;

/** A place in the log: 1 to 19 digits, as a signed 64-bit number can hold it. */
export const Place = (about: About): PropertyDecorator =>
  field(
    'position',
    'must be a position, as answers give it',
    (value) => typeof value === 'string' && /^\d{1,19}$/.test(value) && BigInt(value) <= maxPosition,
    { type: 'string', pattern: '^\\d{1,19}$' },
    about,
  );

const customerIdPattern = '^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}$';

export const CustomerId = (about: About): PropertyDecorator =>
  field(
    'customerId',
    'must be a customer id: a letter or digit, then up to 127 of letters, digits and _ . : @ -',
    (value) => typeof value === 'string' && isCustomerId(value),
    { type: 'string', pattern: customerIdPattern },
    about,
  );

export const Unit = (): PropertyDecorator =>
  field(
    'unit',
    'must be a unit: a lower case letter, then up to 31 of lower case letters, digits and _',
    (value) => typeof value === 'string' && isUnit(value),
    { type: 'string', pattern: '^[a-z][a-z0-9_]{0,31}$' },
    { description: 'What is counted.', optional: 'absent', default: 'credits' },
  );

/** One of a few words. */
export const OneOf = (choices: readonly string[], about: About): PropertyDecorator =>
  field(
    'oneOf',
    `must be one of ${choices.join(', ')}`,
    (value) => typeof value === 'string' && choices.includes(value),
    { type: 'string', enum: [...choices] },
    about,
  );

export const Flag = (about: About): PropertyDecorator =>
  field('flag', 'must be true or false', (value) => typeof value === 'boolean', { type: 'boolean' }, about);

/** An RFC 3339 time with an offset. */
export const Time = (about: About): PropertyDecorator =>
  field(
    'time',
    'must be an RFC 3339 time with an offset, as 2026-11-21T08:00:00.000Z',
    (value) => typeof value === 'string' && value.length <= 64 && parseInstant(value) !== null,
    { type: 'string', format: 'date-time' },
    about,
  );

/** The name of a time zone; `isKnown` says which there are. */
export const TimeZone = (isKnown: (name: string) => boolean, about: About): PropertyDecorator =>
  field(
    'timeZone',
    'must be the name of a time zone, as Europe/Berlin',
    (value) => typeof value === 'string' && isKnown(value),
    { type: 'string', maxLength: 64 },
    about,
  );

const isWebAddress = (value: string): boolean =>
  /^https?:\/\/[\x21-\x7e]+$/.test(value) && URL.canParse(value) && new URL(value).username === '';

/** The address of a page: http or https, without a user's name in it. */
export const WebAddress = (about: About): PropertyDecorator =>
  field(
    'webAddress',
    'must be an address that starts with https:// or http://, at most 2000 characters',
    (value) => typeof value === 'string' && value.length <= 2_000 && isWebAddress(value),
    { type: 'string', format: 'uri', maxLength: 2_000 },
    about,
  );

const maxMembers = 50;
const maxMetadataBytes = 16_384;
const isScalar = (value: unknown): boolean =>
  typeof value === 'boolean' ||
  (typeof value === 'number' && Number.isFinite(value)) ||
  isText(value, 0, maxMetadataBytes);

function isMetadata(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const members = Object.entries(value);
  if (members.length > maxMembers || !members.every(([key, member]) => isText(key, 1, 100) && isScalar(member)))
    return false;
  return members.length === 0 || Buffer.byteLength(JSON.stringify(value)) <= maxMetadataBytes;
}

const metadataSchema = {
  type: 'object',
  maxProperties: maxMembers,
  additionalProperties: { type: ['string', 'number', 'boolean'] },
};

/** The caller's own members: text, numbers and booleans, kept as they are. */
export const Metadata = (): PropertyDecorator =>
  field(
    'metadata',
    'must be an object of at most 50 members of text, finite numbers or booleans, at most 16 KB in all',
    isMetadata,
    metadataSchema,
    {
      description: 'Members of your own, kept as they are. Never put personal data here.',
      example: { orderId: 'o-1001' },
      optional: 'null',
    },
  );

/** An object with rules of its own. */
export const Nested = (type: () => Dto, about: About): PropertyDecorator => {
  const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
  const { optional, ...words } = about;
  const decorators: PropertyDecorator[] = [
    ValidateBy({
      name: 'nested',
      validator: { validate: isObject, defaultMessage: () => 'must be an object' },
    }) as PropertyDecorator,
    ValidateNested() as PropertyDecorator,
    (target, property) => {
      noteNested(target, property, type);
      const schema = () => ({
        nested: type(),
        ...words,
        ...(optional === 'null' ? orNull(ref(type().name)) : ref(type().name)),
      });
      noteField(target, String(property), schema, optional === undefined);
    },
  ];
  if (optional !== undefined) {
    decorators.push(
      ValidateIf((_, value) => value !== undefined && (optional !== 'null' || value !== null)) as PropertyDecorator,
    );
  }
  return applyDecorators(...decorators);
};

/** A list of texts out of a few. */
export const SomeOf = (choices: readonly string[], about: About): PropertyDecorator =>
  field(
    'someOf',
    `must be a list of one or more of ${choices.join(', ')}, each once`,
    (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.length <= choices.length &&
      new Set(value).size === value.length &&
      value.every((one) => choices.includes(one as string)),
    {
      type: 'array',
      items: { type: 'string', enum: [...choices] },
      minItems: 1,
      maxItems: choices.length,
      uniqueItems: true,
    },
    about,
  );

/** A list of one to `most` texts of a fixed form, each once. */
export const TextList = (most: number, pattern: RegExp, about: About): PropertyDecorator =>
  field(
    'textList',
    `must be a list of 1 to ${String(most)} texts of the form ${pattern.source}, each once`,
    (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.length <= most &&
      new Set(value).size === value.length &&
      value.every((one) => typeof one === 'string' && pattern.test(one)),
    { type: 'array', items: { type: 'string', pattern: pattern.source }, minItems: 1, maxItems: most },
    about,
  );

/** A whole number in a query string. */
export const QueryNumber = (min: number, max: number, about: About): PropertyDecorator =>
  field(
    'queryNumber',
    `must be a whole number from ${String(min)} to ${String(max)}`,
    (value) => typeof value === 'string' && /^\d{1,16}$/.test(value) && Number(value) >= min && Number(value) <= max,
    { type: 'integer', format: 'int64', minimum: min, maximum: max },
    { ...about, optional: 'absent' },
  );
