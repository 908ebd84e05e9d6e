import type Stripe from 'stripe';
import { invalid, missing } from './errors.js';
import type { Params } from './params.js';

/** Reads `created` as Stripe takes it: a second, or bounds `gt gte lt lte`. */
export function createdFilter(params: Params): (created: number) => boolean {
  if (!params.has('created')) return () => true;
  let bounds: Params | undefined;
  try {
    bounds = params.child('created');
  } catch {
    const exact = params.integer('created');
    return (created) => created === exact;
  }
  const [gt, gte, lt, lte] = ['gt', 'gte', 'lt', 'lte'].map((key) => bounds?.integer(key));
  return (created) =>
    (gt === undefined || created > gt) &&
    (gte === undefined || created >= gte) &&
    (lt === undefined || created < lt) &&
    (lte === undefined || created <= lte);
}

/**
 * One page of `things` (given newest first) by `limit`, `starting_after` and `ending_before`. With `ending_before` the page
 * is the one just before that object, still newest first.
 */
export function page<T>(
  params: Params,
  url: string,
  things: readonly T[],
  idOf: (thing: T) => string,
): Stripe.ApiList<T> {
  const limit = params.integer('limit') ?? 10;
  if (limit < 1 || limit > 100) throw invalid('Invalid integer: limit must be between 1 and 100', 'limit');
  const after = params.text('starting_after');
  const before = params.text('ending_before');
  const place = (id: string, param: string): number => {
    const index = things.findIndex((thing) => idOf(thing) === id);
    if (index < 0) throw missing('object', id, param, 400);
    return index;
  };
  if (before !== undefined) {
    const end = place(before, 'ending_before');
    const start = Math.max(0, end - limit);
    return { object: 'list', url, has_more: start > 0, data: things.slice(start, end) };
  }
  const start = after === undefined ? 0 : place(after, 'starting_after') + 1;
  return { object: 'list', url, has_more: start + limit < things.length, data: things.slice(start, start + limit) };
}
