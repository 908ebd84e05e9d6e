import { canonicalJson, type Json } from '#kernel/json.js';

/** What a column can hold. Instants and JSON documents are text. */
export type Value = string | number | boolean | null;

/** A JSON document as a text column keeps it: keys in order, and safe for every string that JSON can hold. */
export const document = (value: unknown): string => canonicalJson(value as Json);

/** Text as PostgreSQL can keep it: it has no place for the character U+0000. */
export const storable = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', '') : text);

const special = /["\\\0]/;

/** A value as an element in the text of a PostgreSQL array. */
export function arrayElement(value: Value): string {
  if (value === null) return 'NULL';
  if (typeof value !== 'string') return String(value);
  return special.test(value) ? `"${storable(value).replaceAll(/["\\]/g, '\\$&')}"` : `"${value}"`;
}

/** Values as the text of a PostgreSQL array. */
export function arrayText(values: readonly Value[]): string {
  let text = '{';
  for (const value of values) text += text.length === 1 ? arrayElement(value) : `,${arrayElement(value)}`;
  return `${text}}`;
}
