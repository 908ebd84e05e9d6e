import { sleepJittered, type Clock } from '#kernel/clock.js';
import type { Logger } from './logger.js';

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 10_000;

/**
 * Repeats `work` until `signal` aborts. What it throws is logged and tried again later, ever later while it keeps failing: a
 * consumer stops at its checkpoint while something is broken and goes on by itself.
 */
export async function keepRunning(
  consumer: string,
  parts: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  const { clock, logger } = parts;
  for (let failures = 0; !signal.aborted;) {
    const started = clock.now();
    try {
      await work();
      failures = 0;
    } catch (error) {
      if (clock.now() - started > BACKOFF_MAX_MS) failures = 0;
      const { name, message } = error instanceof Error ? error : { name: 'unknown', message: '' };
      const level = name === 'InboxHalted' || name === 'AssertionFailed' || name === 'StreamCorrupt' ? 'error' : 'warn';
      logger[level]({ consumer, error: { type: name, message } }, 'stopped at its checkpoint');
      const wait = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** failures);
      failures += 1;
      await sleepJittered(clock, wait, signal);
    }
  }
}
