/**
 * What every connection to the log asks of the server. All statements here are meant to walk an index, and a plan made
 * while the tables were empty must not choose otherwise.
 */
export const sessionOptions = (statementTimeoutMs: number): string =>
  [
    `statement_timeout=${Math.round(statementTimeoutMs)}`,
    'idle_in_transaction_session_timeout=10000',
    'enable_seqscan=off',
    'jit=off',
  ]
    .map((setting) => `-c ${setting}`)
    .join(' ');
