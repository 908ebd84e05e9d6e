import { hash } from 'node:crypto';
import { canonicalJson, type Json } from '#kernel/json.js';
import type { Cursor, CursorShape } from '#database/page.js';

const BIGINT_MAX = 2n ** 63n - 1n;

/** A list with all that decides which rows it has, a filter that is absent left out or undefined. */
export type ListName = { readonly list: string; readonly [filter: string]: Json | undefined };

/** A cursor as the text that a caller gives back to get the next page. It holds for this list only. */
export const cursorText = (cursor: Cursor, list: ListName): string =>
  Buffer.from(JSON.stringify([markOf(list), ...cursor])).toString('base64url');

/** The cursor of this list and shape in a text; null when there is none. Never throws. */
export function cursorIn(text: string, list: ListName, shape: CursorShape): Cursor | null {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (!Array.isArray(parts)) return null;
    const [mark, ...key] = parts as readonly unknown[];
    const fits =
      mark === markOf(list) && key.length === shape.length && shape.every((field, index) => isField[field](key[index]));
    return fits ? (key as unknown as Cursor) : null;
  } catch {
    return null;
  }
}

/** Tells lists apart that callers could mix up; nobody gains anything by a forged one. */
function markOf(list: ListName): string {
  const given = Object.entries(list).filter(([, value]) => value !== undefined);
  return hash('sha256', canonicalJson(Object.fromEntries(given) as Json), 'base64url').slice(0, 12);
}

const isField = {
  // PostgreSQL keeps no zero bytes.
  text: (part: unknown): boolean => typeof part === 'string' && !part.includes('\0'),
  bigint: (part: unknown): boolean => typeof part === 'string' && /^\d{1,19}$/.test(part) && BigInt(part) <= BIGINT_MAX,
};
