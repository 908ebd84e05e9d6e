import type { Clock } from '#kernel/clock.js';
import type { LongTransaction, Database } from './database.js';

/** A transaction of which PostgreSQL hears nothing for so long is ended there, with its lock. */
const SILENT_MS = 15_000;
const HEARTBEAT_MS = 4_000;
const ANSWER_MS = 5_000;

type Options = {
  readonly db: Database;
  readonly clock: Clock;
  /** How often a lock that is taken is asked for again; null: not at all. */
  readonly pollMs: number | null;
};

/**
 * Runs `work` while this process holds the lock of this name; one process at a time does. False, without having run it, when
 * `signal` aborts first, or the lock is taken and not waited for.
 *
 * An open transaction holds the lock, so it works through a transaction pooler, and goes as soon as this process or its
 * connection does. Others also get it when this process is frozen or its machine is gone. Therefore the signal of `work` aborts
 * when the lock is lost, and until it ends, `work` must bear a second holder. Errors: DatabaseError, and those of `work`.
 */
export async function whileLocked(
  name: string,
  options: Options,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  const { db, clock } = options;
  const settings = { idle_in_transaction_session_timeout: String(SILENT_MS) };
  const transaction = await db.begin(`lock ${name}`, { settings, queryTimeoutMs: ANSWER_MS });
  try {
    if (!(await take(name, transaction, options, signal))) return false;
    const ending = new AbortController();
    const ended = AbortSignal.any([signal, ending.signal]);
    const beating = beat(transaction, clock, ended, () => {
      ending.abort();
    });
    try {
      await work(ended);
    } finally {
      ending.abort();
      await beating;
    }
    return true;
  } finally {
    await transaction.end();
  }
}

async function take(
  name: string,
  transaction: LongTransaction,
  { clock, pollMs }: Options,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    const [row] = await transaction.query<{ locked: boolean }>({
      text: 'select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as locked',
      values: [`scrip/${name}`],
    });
    if (row?.locked === true) {
      // A statement with values leaves its portal open, whose snapshot would hold vacuum back. One without closes it.
      await transaction.query({ text: 'select 1' });
      return true;
    }
    if (pollMs === null) return false;
    await clock.sleep(pollMs, signal);
  }
  return false;
}

async function beat(transaction: LongTransaction, clock: Clock, ended: AbortSignal, lost: () => void): Promise<void> {
  while (!ended.aborted) {
    await clock.sleep(HEARTBEAT_MS, ended);
    if (ended.aborted) return;
    try {
      await transaction.query({ text: 'select 1' });
    } catch {
      lost();
    }
  }
}
