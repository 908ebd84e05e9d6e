import { StoreUnavailable } from '#event-store/port/event-store.js';
import type { Clock } from '#kernel/clock.js';

/** Bound of one read of the log on behalf of a waiting caller. */
const patienceMs = 4_500;

/** What a read of the log answers. Throws StoreUnavailable when there is no answer within the bound. */
export async function withDeadline<Result>(clock: Clock, read: Promise<Result>): Promise<Result> {
  const answered = new AbortController();
  const late = clock.sleep(patienceMs, answered.signal).then(() => {
    if (!answered.signal.aborted) throw new StoreUnavailable('the log does not answer');
    return read;
  });
  try {
    return await Promise.race([read, late]);
  } finally {
    answered.abort();
  }
}
