import type { EventStore, Position, RecordedEvent } from './event-store.js';

/**
 * The log after `after` in pages, to its end; the next page is read while the caller works on one. Small pages are garbage
 * before they have lived long.
 */
export async function* pagesOf(
  store: EventStore,
  after: Position,
  pageSize = 500,
): AsyncGenerator<readonly RecordedEvent[]> {
  let page = await store.readAll(after, pageSize);
  for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
    const next = store.readAll(last.position, pageSize);
    next.catch(() => undefined); // it is awaited below, unless the caller leaves early
    yield page;
    page = await next;
  }
}
