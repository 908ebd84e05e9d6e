import { sleepJittered, type Cancellation, type Clock } from '#kernel/clock.js';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;

export type Trying = {
  readonly clock: Clock;
  /** Told of every failure; must not throw. */
  readonly report: (error: unknown) => void;
  /** The longest pause between two tries. Default 10,000. */
  readonly longestPauseMs?: number;
};

/**
 * Runs `work` until it ends without throwing, or `signal` aborts. After a failure it is tried again, ever later while it keeps
 * failing; not so if `work` says that it has progressed, or took longer than the longest pause. Never rejects.
 */
export async function untilDone(
  { clock, report, longestPauseMs = LONGEST_PAUSE_MS }: Trying,
  signal: Cancellation,
  work: (progressed: () => void) => Promise<void>,
): Promise<void> {
  let failures = 0;
  const progressed = (): void => {
    failures = 0;
  };
  while (!signal.aborted) {
    const started = clock.now();
    try {
      return await work(progressed);
    } catch (error) {
      if (signal.aborted) return;
      if (clock.now() - started > longestPauseMs) failures = 0;
      report(error);
      await sleepJittered(clock, Math.min(longestPauseMs, FIRST_PAUSE_MS * 2 ** failures), signal);
      failures += 1;
    }
  }
}

/**
 * Repeats `work` until `signal` aborts: a consumer stops at its checkpoint while something is broken, and goes on by itself. Never
 * rejects.
 */
export async function runForever(trying: Trying, signal: Cancellation, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) await untilDone(trying, signal, work);
}

/**
 * Repeats `work`, with a pause of `everyMs` after each time, until `signal` aborts. While it answers false, the pauses double up
 * to `longestMs`. Rejects with what `work` throws.
 */
export async function runEvery(
  {
    clock,
    everyMs,
    longestMs = everyMs,
  }: { readonly clock: Clock; readonly everyMs: number; readonly longestMs?: number },
  signal: Cancellation,
  work: () => Promise<boolean>,
): Promise<void> {
  for (let pause = everyMs; !signal.aborted;) {
    pause = (await work()) ? everyMs : Math.min(longestMs, pause * 2);
    await clock.sleep(pause, signal);
  }
}
