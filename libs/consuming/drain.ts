import type { Clock } from '#kernel/clock.js';

/** Waits until `work` has ended, at most `ms` milliseconds; false when it has not by then. `work` must not reject. */
export async function endsWithin(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  const ended = new AbortController();
  try {
    return await Promise.race([work.then(() => true), clock.sleep(ms, ended.signal).then(() => false)]);
  } finally {
    ended.abort();
  }
}
