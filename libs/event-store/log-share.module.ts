import { readPostgresShare } from './adapters/postgres-share.js';
import type { LogShareRequest, TakeEvents } from './log-share.js';

/**
 * Reads a share of the log in PostgreSQL, for work on the whole of it that several threads do at once. Apart from the module
 * of the stores, because a thread that loads the clients of all of them takes twice the memory. Throws StoreUnavailable.
 */
export const readLogShare = (request: LogShareRequest, take: TakeEvents): Promise<void> =>
  readPostgresShare(request, take);
