import pg from 'pg';

/** A call to the database failed. `sqlState` is null when there was no answer: the connection was lost or not let in. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  constructor(
    readonly sqlState: string | null,
    message: string,
    options?: { cause: unknown },
  ) {
    super(message, options);
  }
}

/** Any error of a statement as a DatabaseError. The message of a server error may quote data; only its class and the names of things are kept. */
export function asDatabaseError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error;
  if (error instanceof pg.DatabaseError && error.code !== undefined) {
    const about = [error.schema, error.table, error.column, error.constraint]
      .filter((part) => part !== undefined)
      .join('.');
    return new DatabaseError(error.code, `PostgreSQL error ${error.code}${about === '' ? '' : ` (${about})`}`, {
      cause: error,
    });
  }
  return new DatabaseError(null, 'the database did not answer', { cause: error });
}

/** Whatever a server says to one that it does not let in, it is away: there was no statement that could be wrong. */
export function notConnected(error: unknown): DatabaseError {
  // Only the code: a message may hold the address, and that of several addresses tried is empty.
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  return new DatabaseError(null, `the database cannot be reached${code}`, { cause: error });
}

/** The connection is lost or hangs: whatever came next would only wait behind the statement that has no answer. */
export const isUnanswered = (error: unknown): boolean => error instanceof DatabaseError && error.sqlState === null;
