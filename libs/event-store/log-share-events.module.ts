import { eventsInRows } from './adapters/postgres-share-rows.js';
import type { HashedEvents, ShareBytes } from './log-shares.js';

/**
 * The events of a piece of a share, some at a time. Apart from what reads them, because a thread that loads a client of the database takes twice the
 * memory.
 */
export const eventsIn = (bytes: ShareBytes): Iterable<HashedEvents> => eventsInRows(bytes);
