import { literal, READER_ROLE, type ReadDatabase, type Reader } from './database.js';

/**
 * Runs reads as one customer: row-level security shows only that customer's rows, also to a query that forgets to ask for
 * them. Nothing can be written. `read` must use the reader that it is given.
 */
export function asCustomer<Result>(
  db: ReadDatabase,
  customerId: string,
  read: (reader: Reader) => Promise<Result>,
): Promise<Result> {
  const begin = `begin read only; set local role ${READER_ROLE}; set local scrip.customer_id = ${literal(customerId)}`;
  return db.transaction(read, begin);
}
