const BIGINT_MAX = 2n ** 63n - 1n;

/** How a list was asked to go on: the last row's sort key, opaque to callers. */
export type Cursor = readonly string[];

/** What each field of a cursor is compared with: a column of text or one of whole numbers, which are digits here. */
export type CursorShape = readonly ('text' | 'bigint')[];

export type InvalidCursor = { readonly invalidCursor: true };

/** A sort key as the text that a caller gives back to get the next page. */
export const encodeCursor = (key: Cursor): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** The sort key in a cursor of this shape; a value that says so when the text is not one. Never throws. */
export function decodeCursor(text: string, shape: CursorShape): Cursor | InvalidCursor {
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    const fits =
      Array.isArray(key) && key.length === shape.length && shape.every((field, index) => isField[field](key[index]));
    return fits ? (key as Cursor) : { invalidCursor: true };
  } catch {
    return { invalidCursor: true };
  }
}

const isField = {
  // PostgreSQL keeps no zero bytes.
  text: (part: unknown): boolean => typeof part === 'string' && !part.includes('\0'),
  bigint: (part: unknown): boolean => typeof part === 'string' && /^\d{1,19}$/.test(part) && BigInt(part) <= BIGINT_MAX,
};

/** True for what `decodeCursor` did not accept. */
export const isInvalidCursor = (cursor: object): cursor is InvalidCursor => 'invalidCursor' in cursor;

/** One page of a list. */
export type Page<Item> = {
  readonly data: readonly Item[];
  readonly hasMore: boolean;
  readonly nextCursor: string | null;
};

/** Makes a page from `limit + 1` rows: the extra one only tells that there are more. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  item: (row: Row) => Item,
  key: (row: Row) => Cursor,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit;
  return { data: shown.map(item), hasMore, nextCursor: hasMore && last !== undefined ? encodeCursor(key(last)) : null };
}
