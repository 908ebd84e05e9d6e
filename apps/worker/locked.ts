import type { Clock } from '#kernel/clock.js';
import type { ReadDatabase } from '#database/database.js';
import { whileAlive } from '#database/while-alive.js';

const LOCK_POLL_MS = 1000;

/**
 * Runs `work` while this process holds the lock of this name; one process at a time does, the others wait here. Returns without
 * having run it when `signal` aborts first. The signal of `work` aborts also when the lock is lost, as with the connection or after
 * a time of standing still: until it ends, `work` must bear a second holder.
 */
export async function whileLocked(
  name: string,
  { database, clock }: { readonly database: ReadDatabase; readonly clock: Clock },
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const session = await database.session(name);
  try {
    await whileAlive(session, clock, signal, async (alive) => {
      while (!alive.aborted) {
        const [row] = await session.query<{ locked: boolean }>({
          text: 'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked',
          values: [`scrip_app/${name}`],
        });
        if (row?.locked === true) return work(alive);
        await clock.sleep(LOCK_POLL_MS, alive);
      }
    });
  } finally {
    await session.close();
  }
}
