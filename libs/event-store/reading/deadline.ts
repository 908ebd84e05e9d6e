import type { Clock } from '#kernel/clock.js';

/** The time that a call was given has passed; what it asked for may still happen. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
}

/** The outcome of `work`, or DeadlinePassed after `ms` milliseconds. `work` itself goes on; its late failure is ignored. */
export async function within<Result>(clock: Clock, ms: number, work: Promise<Result>): Promise<Result> {
  const done = new AbortController();
  const passed = clock.sleep(ms, done.signal).then(() => {
    // Nobody waits any more, and an error that nobody sees would have its stack worked out all the same.
    if (done.signal.aborted) return work;
    throw new DeadlinePassed(`no answer within ${ms} ms`);
  });
  try {
    return await Promise.race([work, passed]);
  } finally {
    done.abort(answered);
  }
}

/** Without a reason of its own, every abort would make an exception with a stack. */
const answered = 'answered';
