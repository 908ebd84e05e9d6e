import { sql, type SelectQueryBuilder } from 'kysely';
import type { Cursor, CursorShape } from '#database/page.js';

/** What tells where a page of such a list ends. */
export const newestFirstCursor: CursorShape = ['text', 'text'];

/** Where a row stands in such a list. */
export const newestFirstKey = ({ created_at, id }: { readonly created_at: string; readonly id: string }): Cursor => [
  created_at,
  id,
];

/**
 * A page of rows by their columns `created_at` and `id`, the newest first, and one row more, which `pageOf` needs. `cursor`: of
 * `newestFirstCursor`.
 */
export function newestFirst<Tables, Name extends keyof Tables, Row>(
  query: SelectQueryBuilder<Tables, Name, Row>,
  limit: number,
  cursor: Cursor | null,
): SelectQueryBuilder<Tables, Name, Row> {
  const page = query
    .orderBy(sql`created_at`, 'desc')
    .orderBy(sql`id`, 'desc')
    .limit(limit + 1);
  return cursor === null ? page : page.where(sql<boolean>`(created_at, id) < (${cursor[0]}, ${cursor[1]})`);
}
