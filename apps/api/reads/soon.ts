import { StoreUnavailable } from '#event-store/port/event-store.js';
import type { Clock } from '#kernel/clock.js';

/** No caller of a query waits longer for one answer of the log; who works through it on their own has more time. */
const patienceMs = 4_500;

/** What a read of the log answers. Throws StoreUnavailable when it does not answer soon. */
export async function soon<Result>(clock: Clock, read: Promise<Result>): Promise<Result> {
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
