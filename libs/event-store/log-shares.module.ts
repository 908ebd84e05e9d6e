import { readPostgresShares } from './adapters/postgres-shares.js';
import type { LogShares, ShareTakers } from './log-shares.js';

/** Reads the log in PostgreSQL once, for work on the whole of it that several threads do at once. Throws StoreUnavailable. */
export const readLogShares = (shares: LogShares, takers: ShareTakers): Promise<void> =>
  readPostgresShares(shares, takers);
