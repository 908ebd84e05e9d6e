import { assert } from '#kernel/assert.js';

type Compare<T> = (a: T, b: T) => number;

/** The first index whose item is not before `item`. */
function placeOf<T>(list: readonly T[], item: T, compare: Compare<T>): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(list[middle] as T, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A sorted list with `item` in its place. `compare` must be a total order. */
export const insertSorted = <T>(list: readonly T[], item: T, compare: Compare<T>): readonly T[] =>
  list.length === 0 ? [item] : list.toSpliced(placeOf(list, item, compare), 0, item);

/** A sorted list without the item that equals `item` by `compare`; it must be there. */
export function removeSorted<T>(list: readonly T[], item: T, compare: Compare<T>): readonly T[] {
  const index = placeOf(list, item, compare);
  const found = list[index];
  assert(found !== undefined && compare(found, item) === 0, 'an item to remove from a sorted list is not in it');
  return list.length === 1 ? [] : list.toSpliced(index, 1);
}
