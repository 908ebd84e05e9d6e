/** The sort key of a page's last row: the next page goes on behind it. */
export type Cursor = readonly string[];

/** What each field of a cursor is compared with: a column of text or one of whole numbers, which are digits here. */
export type CursorShape = readonly ('text' | 'bigint')[];

/** One page of a list. */
export type Page<Item> = {
  readonly data: readonly Item[];
  /** Null where nothing comes after it. */
  readonly next: Cursor | null;
};

/** Makes a page from `limit + 1` rows: the extra one only shows that there are more. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  item: (row: Row) => Item,
  key: (row: Row) => Cursor,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { data: shown.map(item), next: rows.length > limit && last !== undefined ? key(last) : null };
}

/** All entries of a list, page by page. */
export async function* itemsOf<Item>(list: (cursor: Cursor | null) => Promise<Page<Item>>): AsyncGenerator<Item> {
  for (let cursor: Cursor | null = null; ;) {
    const page = await list(cursor);
    yield* page.data;
    if (page.next === null) return;
    cursor = page.next;
  }
}
