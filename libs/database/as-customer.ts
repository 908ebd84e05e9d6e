import { READER_ROLE, type Database, type Reader } from './database.js';

/**
 * Runs reads as one customer: row-level security shows only that customer's rows, also to a query that forgets to ask for
 * them. Nothing can be written. `read` must use the reader that it is given.
 */
export const asCustomer = <Result>(
  db: Database,
  customerId: string,
  read: (reader: Reader) => Promise<Result>,
): Promise<Result> =>
  db.transaction(read, {
    accessMode: 'read only',
    settings: { 'scrip.customer_id': customerId, role: READER_ROLE },
  });
