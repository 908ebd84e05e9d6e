/**
 * The batches of `source`, reading one ahead while the caller works, and joined up to `max` items while more are ready.
 * Never waits for more than there is. Who stops early also ends the source.
 */
export async function* joined<Item>(
  source: AsyncIterable<readonly Item[]>,
  max: number,
): AsyncGenerator<readonly Item[]> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    let next = ahead(iterator);
    for (;;) {
      const first = await next.result;
      if (first.done === true) return;
      const batch = [...first.value];
      next = ahead(iterator);
      while (batch.length < max && (await isReady(next))) {
        const more = await next.result;
        if (more.done === true) break;
        for (const item of more.value) batch.push(item);
        next = ahead(iterator);
      }
      yield batch;
    }
  } finally {
    // Not awaited: a source that is being read only ends once that read has.
    iterator.return?.().catch(() => undefined);
  }
}

type Ahead<Item> = { readonly result: Promise<IteratorResult<readonly Item[]>>; ready: boolean };

function ahead<Item>(iterator: AsyncIterator<readonly Item[]>): Ahead<Item> {
  const reading: Ahead<Item> = { result: iterator.next(), ready: false };
  const settle = (): void => {
    reading.ready = true;
  };
  reading.result.then(settle, settle);
  return reading;
}

/** Gives what has already arrived a few turns to show itself. */
async function isReady(reading: { readonly ready: boolean }): Promise<boolean> {
  for (let turn = 0; turn < 8 && !reading.ready; turn += 1) await Promise.resolve();
  return reading.ready;
}
