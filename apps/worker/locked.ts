import type { Clock } from '#kernel/clock.js';
import type { ReadDatabase, Session } from '#read-store/read-database.js';

const LOCK_POLL_MS = 1000;

/**
 * Runs `work` while this process holds the lock of this name; one process at a time does, the others wait here. Returns without
 * having run it when `signal` aborts first. A lost connection loses the lock without a word: `work` must bear a second holder.
 */
export async function whileLocked(
  name: string,
  { database, clock }: { readonly database: ReadDatabase; readonly clock: Clock },
  signal: AbortSignal,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const session = await database.session(name);
  try {
    while (!signal.aborted) {
      const [row] = await session.query<{ locked: boolean }>({
        text: 'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked',
        values: [`scrip_read/${name}`],
      });
      if (row?.locked === true) return await work(session);
      await clock.sleep(LOCK_POLL_MS, signal);
    }
  } finally {
    await session.close();
  }
}
