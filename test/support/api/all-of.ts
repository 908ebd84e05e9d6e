import { itemsOf, type Cursor, type Page } from '#database/page.js';

/** All entries of a list, by its cursors. */
export const allOf = <Item>(list: (cursor: Cursor | null) => Promise<Page<Item>>): Promise<Item[]> =>
  Array.fromAsync(itemsOf(list));
