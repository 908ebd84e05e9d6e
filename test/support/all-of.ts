import { decodeCursor, type Cursor, type Page } from '#read-store/cursor.js';

/** All entries of a list, by its cursors. */
export async function allOf<Item>(list: (cursor: Cursor | null) => Promise<Page<Item>>): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: Cursor | null = null; ;) {
    const page = await list(cursor);
    items.push(...page.data);
    if (page.nextCursor === null) return items;
    cursor = decodeCursor(page.nextCursor, ['text']) as Cursor;
  }
}
