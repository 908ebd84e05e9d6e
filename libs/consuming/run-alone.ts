import type { Clock } from '#kernel/clock.js';
import type { Database } from '#database/database.js';
import { whileLocked } from '#database/lock.js';
import { runForever } from './run-forever.js';

const LOCK_POLL_MS = 1000;

type Parts = {
  readonly database: Database;
  readonly clock: Clock;
  /** Told of every failure; must not throw. */
  readonly report: (error: unknown) => void;
};

/**
 * Repeats `work` until `signal` aborts, in one process at a time: the others wait until the lock of this name is free. The signal of
 * `work` aborts when the lock is lost. After a failure it is tried again, ever later while it keeps failing. Never rejects.
 */
export function runAlone(
  name: string,
  { database: db, clock, report }: Parts,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  return runForever({ clock, report }, signal, async () => {
    await whileLocked(name, { db, clock, pollMs: LOCK_POLL_MS }, signal, work);
  });
}
