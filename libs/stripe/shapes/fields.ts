import type { Json } from '#kernel/json.js';
import { instantOf, type Instant } from '#kernel/instant.js';

/** A JSON object whose fields nobody has checked. */
export type Fields = { readonly [key: string]: Json };

/** The object, or null when it is none. */
export const objectIn = (value: Json | undefined): Fields | null =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : null;

/** A member of an object that may not be there; own members only, so that no prototype answers. */
export const at = (fields: Fields | null, key: string): Json | undefined =>
  fields !== null && Object.hasOwn(fields, key) ? fields[key] : undefined;

/** The object at the end of a path, or null. */
export const objectAt = (fields: Fields | null, ...path: readonly string[]): Fields | null =>
  path.reduce<Fields | null>((inner, key) => objectIn(at(inner, key)), fields);

/** The text, or null when it is none or empty. */
export function textAt(fields: Fields | null, key: string): string | null {
  const value = at(fields, key);
  return typeof value === 'string' && value !== '' ? value : null;
}

/** An integer that can be computed with, or null. */
export function integerAt(fields: Fields | null, key: string): number | null {
  const value = at(fields, key);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

/** The list, or null when it is none. */
export function listAt(fields: Fields | null, key: string): readonly Json[] | null {
  const value = at(fields, key);
  return Array.isArray(value) ? (value as readonly Json[]) : null;
}

/** Ids name streams and rows: nothing else than short printable text without spaces can be one. */
const isId = (text: string): boolean => /^[\x21-\x7e]{1,255}$/.test(text);

/** The id of what a field refers to: Stripe writes the id itself, or the whole object where it was expanded. Null for what can be none. */
export function idAt(fields: Fields | null, key: string): string | null {
  const id = textAt(fields, key) ?? textAt(objectIn(at(fields, key)), 'id');
  return id !== null && isId(id) ? id : null;
}

const latestSecond = 253_402_300_799; // the end of the year 9999

/** Stripe's times are whole seconds since the epoch; null when the field is none. */
export function timeAt(fields: Fields | null, key: string): Instant | null {
  const seconds = integerAt(fields, key);
  return seconds === null || seconds < 0 || seconds > latestSecond ? null : instantOf(seconds * 1000);
}
