import { parseInstant } from '#kernel/instant.js';
import { Problem } from '../../http/problem.js';
import { positionFrom } from '../../reads/read-request.js';
import type { PastMoment } from './balance-history.js';

/** The moment that a checked query names by `at` or `position`; null for now. Throws the problem `invalid_request` for both. */
export function pastMoment({ at, position }: { readonly at?: string; readonly position?: string }): PastMoment | null {
  if (at !== undefined && position !== undefined)
    throw new Problem('invalid_request', { errors: [{ field: 'position', message: 'cannot be combined with at' }] });
  if (position !== undefined) return { position: positionFrom(position) };
  const instant = at === undefined ? null : parseInstant(at);
  return instant === null ? null : { at: instant };
}
