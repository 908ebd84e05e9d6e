import { eachEventInRows } from './adapters/postgres-share-rows.js';
import type { EventTaker, ShareBytes } from './log-shares.js';

/**
 * Gives the events of a piece of a share one after the other. Apart from what reads them, because a thread that loads a client of the database takes twice the
 * memory.
 */
export const eachEventIn = (bytes: ShareBytes, take: EventTaker): void => {
  eachEventInRows(bytes, take);
};
