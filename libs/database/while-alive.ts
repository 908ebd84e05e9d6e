import type { Clock } from '#kernel/clock.js';
import { ReadDatabaseError, type Session } from './database.js';

/** A session of which PostgreSQL hears nothing for so long is ended there, with all of its locks. */
const SILENT_S = 15;
const HEARTBEAT_MS = 4_000;
const FAILED_TRANSACTION = '25P02';

/**
 * Runs work that holds locks in a session, so that others get them soon when this process is frozen or its machine is gone: a
 * process that stands still does not give up its connections. `work` is told to end by its signal when the session is lost, as
 * well as when `signal` aborts.
 */
export async function whileAlive<Result>(
  session: Session,
  clock: Clock,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  await session.script(`
    set idle_session_timeout = '${String(SILENT_S)}s'; set idle_in_transaction_session_timeout = '${String(SILENT_S)}s';
    set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3`);
  const ending = new AbortController();
  const ended = AbortSignal.any([signal, ending.signal]);
  const beating = beat(session, clock, ended, () => {
    ending.abort();
  });
  try {
    return await work(ended);
  } finally {
    ending.abort();
    await beating;
  }
}

async function beat(session: Session, clock: Clock, ended: AbortSignal, lost: () => void): Promise<void> {
  for (;;) {
    await clock.sleep(HEARTBEAT_MS, ended);
    if (ended.aborted) return;
    try {
      await session.script('select 1');
    } catch (error) {
      if (error instanceof ReadDatabaseError && error.sqlState === FAILED_TRANSACTION) continue;
      lost();
    }
  }
}
