import type { Json } from '#kernel/json.js';
import { at, idAt, timeAt, type Fields } from './fields.js';

/** What was read, or which field made it unreadable. */
export type Normalised<T> = { readonly ok: T } | { readonly unreadable: string };

/** What the fields of Stripe's objects hold. */
const expectedOf: { readonly [field: string]: string } = {
  total: 'a whole number',
  currency: 'a currency',
  mode: 'a word',
  payment_status: 'a word',
  lines: 'an object with a list of data',
  items: 'an object with a list of data',
  start: 'a time in seconds',
  end: 'a time in seconds',
};
const numbers: ReadonlySet<string> = new Set(['amount', 'amount_paid', 'quantity']);

/**
 * Says which field cannot be read, what it should hold and what it holds. Of text only words and Stripe's ids are shown: other text may be
 * anything, also about persons.
 * @param expected what the field should hold; may be left out where its name says so.
 */
export function unreadable(
  fields: Fields | null,
  field: string,
  expected = expectedOf[field] ?? (numbers.has(field) ? 'a whole number that is not negative' : 'an id'),
): { readonly unreadable: string } {
  return { unreadable: `${field}: expected ${expected}, found ${found(at(fields, field))}` };
}

/**
 * The first field that holds something else than it may, though it may be left out: what is there and cannot be read is not the same as
 * nothing. Null where all can be read.
 */
export function oddField(
  fields: Fields | null,
  { ids = [], times = [] }: { readonly ids?: readonly string[]; readonly times?: readonly string[] },
): { readonly unreadable: string } | null {
  const isOdd = (read: (fields: Fields | null, field: string) => string | null) => (field: string) =>
    at(fields, field) != null && read(fields, field) === null;
  const id = ids.find(isOdd(idAt));
  if (id !== undefined) return unreadable(fields, id, 'an id');
  const time = times.find(isOdd(timeAt));
  return time === undefined ? null : unreadable(fields, time, 'a time in seconds');
}

/** The words of an enumeration, as a person reads them. */
export const oneOf = (words: readonly string[]): string => `one of ${words.join(', ')}`;

/** A value as it may be shown to a person: short, and never free text. */
export function found(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return isWordOrId(value) ? `"${value}"` : `text of ${String(value.length)} characters`;
  return Array.isArray(value) ? 'a list' : 'an object';
}

const isWordOrId = (text: string): boolean => /^-?[a-z\d][a-z\d_.-]{0,31}$|^[a-z]{1,8}_[A-Za-z\d_]{1,80}$/.test(text);
