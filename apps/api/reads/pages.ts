import { decodeCursor, isInvalidCursor, type Cursor, type CursorShape, type Page } from '#read-store/cursor.js';
import { Problem } from '../http/problems.js';
import type { Fresh } from './freshness.js';

/** Which part of a list is wanted, from a checked query. */
export function pageWanted(
  query: { readonly limit?: string; readonly cursor?: string },
  shape: CursorShape,
): { limit: number; cursor: Cursor | null } {
  const limit = Number(query.limit ?? 50);
  if (query.cursor === undefined) return { limit, cursor: null };
  const cursor = decodeCursor(query.cursor, shape);
  if (isInvalidCursor(cursor)) {
    throw new Problem('invalid_request', { errors: [{ field: 'cursor', message: 'is not one of our cursors' }] });
  }
  return { limit, cursor };
}

/** A page as it is sent. */
export const pageBody = ({ result, asOf }: Fresh<Page<unknown> & { readonly total?: number }>): object => ({
  data: result.data,
  hasMore: result.hasMore,
  nextCursor: result.nextCursor,
  ...(result.total === undefined ? {} : { total: result.total }),
  asOf,
});
