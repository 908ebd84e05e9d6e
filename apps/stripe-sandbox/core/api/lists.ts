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

export type Cursors = {
  /** What the things are called when a cursor names none. */
  readonly noun?: string;
  /** Where an object stands in time that the filters leave out: a cursor may name it, and the page goes on from there. */
  readonly place?: (id: string) => number | null;
};

/** `limit`: how many a page holds. */
function limitOf(params: Params): number {
  const limit = params.integer('limit') ?? 10;
  const refuse = (bound: string): never => {
    throw invalid(`This value must be ${bound} (it currently is '${limit}').`, 'limit', 'parameter_invalid_integer');
  };
  if (limit < 1) return refuse('greater than or equal to 1');
  return limit > 100 ? refuse('less than or equal to 100') : limit;
}

/**
 * One page of `things` (given newest first) by `limit`, `starting_after` and `ending_before`. With `ending_before` the page
 * is the one just before that object, still newest first. Refuses a cursor that names nothing.
 */
export function page<T>(
  params: Params,
  url: string,
  things: readonly T[],
  idOf: (thing: T) => string,
  cursors: Cursors = {},
): Stripe.ApiList<T> {
  const limit = limitOf(params);
  const after = params.text('starting_after');
  const before = params.text('ending_before');
  if (after !== undefined && before !== undefined) {
    throw invalid('You may only specify one of these parameters: starting_after, ending_before.', 'starting_after');
  }
  /** How many things are newer than the cursor's object, and whether it is one of them. */
  const place = (id: string, param: string): { newer: number; itself: 0 | 1 } => {
    const index = things.findIndex((thing) => idOf(thing) === id);
    if (index >= 0) return { newer: index, itself: 1 };
    const at = cursors.place?.(id) ?? null;
    if (at === null) throw missing(cursors.noun ?? 'object', id, param, 400);
    return { newer: things.filter((thing) => (cursors.place?.(idOf(thing)) ?? 0) > at).length, itself: 0 };
  };
  if (before !== undefined) {
    const end = place(before, 'ending_before').newer;
    const start = Math.max(0, end - limit);
    return { object: 'list', url, has_more: start > 0, data: things.slice(start, end) };
  }
  const found = after === undefined ? { newer: 0, itself: 0 } : place(after, 'starting_after');
  const start = found.newer + found.itself;
  return { object: 'list', url, has_more: start + limit < things.length, data: things.slice(start, start + limit) };
}
