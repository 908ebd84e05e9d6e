import type { Cursor, CursorShape, Page } from '#database/page.js';
import { Problem } from '../http/problem.js';
import { cursorIn, cursorText, type ListName } from './cursor-text.js';
import type { Fresh } from './freshness.js';

/** Which part of a list is wanted, from a checked query. Throws the problem `invalid_request` for a cursor of another list. */
export function pageWanted(
  query: { readonly limit?: string; readonly cursor?: string },
  shape: CursorShape,
  list: ListName,
): { limit: number; cursor: Cursor | null } {
  const limit = Number(query.limit ?? 50);
  if (query.cursor === undefined) return { limit, cursor: null };
  const cursor = cursorIn(query.cursor, list, shape);
  if (cursor === null) throw notOfThisList();
  return { limit, cursor };
}

/** For a cursor that does not go on with the list that is asked for. */
export const notOfThisList = (): Problem =>
  new Problem('invalid_request', {
    errors: [
      { field: 'cursor', message: 'is not a nextCursor of this list with these filters; leave it out to begin anew' },
    ],
  });

/** A page as it is sent, of the list that it was wanted of. */
export const pageBody = (
  { result: { data, next, total }, asOf }: Fresh<Page<unknown> & { readonly total?: number }>,
  list: ListName,
): object => ({
  data,
  hasMore: next !== null,
  nextCursor: next === null ? null : cursorText(next, list),
  ...(total === undefined ? {} : { total }),
  asOf,
});
