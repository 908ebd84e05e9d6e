/**
 * Works on at most `limit` items at a time, and gives the results in the order of the items. The first failure of the work ends it;
 * one of the items is thrown after the results of all items before it.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const under: Promise<Result>[] = [];
  const from = items[Symbol.asyncIterator]();
  let ending: { readonly failure?: unknown } | null = null;
  try {
    while (ending === null || under.length > 0) {
      if (ending === null && under.length < limit) {
        ending = await from.next().then(
          ({ done, value }) => (done === true ? {} : begin(work(value), under)),
          (failure: unknown) => ({ failure }),
        );
      } else {
        const first = under.shift();
        if (first !== undefined) yield await first;
      }
    }
    if ('failure' in ending) throw ending.failure;
  } finally {
    await Promise.allSettled(under);
    await from.return?.();
  }
}

function begin<Result>(result: Promise<Result>, under: Promise<Result>[]): null {
  result.catch(() => undefined); // it is awaited in its turn, unless an earlier one fails first
  under.push(result);
  return null;
}
