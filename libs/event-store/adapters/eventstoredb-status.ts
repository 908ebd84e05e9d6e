/** What the answer to an append says of it: `refused` has certainly not happened, `unknown` may have. */
export type Verdict = 'refused' | 'unknown';

/**
 * Every gRPC status code. Refused are only those that the server gives before it begins to write: no code at all (not ready,
 * busy), bad request or too large, tombstoned stream, access denied.
 */
const statuses: readonly { readonly name: string; readonly verdict: Verdict }[] = [
  { name: 'OK', verdict: 'refused' },
  { name: 'CANCELLED', verdict: 'unknown' },
  { name: 'UNKNOWN', verdict: 'unknown' },
  { name: 'INVALID_ARGUMENT', verdict: 'refused' },
  { name: 'DEADLINE_EXCEEDED', verdict: 'unknown' },
  { name: 'NOT_FOUND', verdict: 'refused' },
  { name: 'ALREADY_EXISTS', verdict: 'unknown' },
  { name: 'PERMISSION_DENIED', verdict: 'refused' },
  { name: 'RESOURCE_EXHAUSTED', verdict: 'unknown' },
  { name: 'FAILED_PRECONDITION', verdict: 'unknown' },
  { name: 'ABORTED', verdict: 'unknown' },
  { name: 'OUT_OF_RANGE', verdict: 'unknown' },
  { name: 'UNIMPLEMENTED', verdict: 'unknown' },
  { name: 'INTERNAL', verdict: 'unknown' },
  { name: 'UNAVAILABLE', verdict: 'unknown' },
  { name: 'DATA_LOSS', verdict: 'unknown' },
  { name: 'UNAUTHENTICATED', verdict: 'unknown' },
];

/** The verdict on an append that the server answered with status `code`. A code that is not in the table is unknown and says so. */
export function verdictOfStatus(code: number): { readonly name: string; readonly verdict: Verdict } {
  return statuses[code] ?? { name: `unclassified status ${String(code)}`, verdict: 'unknown' };
}

/**
 * The verdict on the appends of a call that broke: the server may have begun any of them, whatever the code, unless no
 * connection was there to send them on.
 */
export function verdictOfBreak(error: Error | null): { readonly name: string; readonly verdict: Verdict } {
  if (error === null) return { name: 'ended by the server', verdict: 'unknown' };
  const code = 'code' in error && typeof error.code === 'number' ? error.code : 2;
  const { name } = verdictOfStatus(code);
  return { name, verdict: code === UNAVAILABLE && neverSent.test(error.message) ? 'refused' : 'unknown' };
}

const UNAVAILABLE = 14;
const neverSent = /: (No connection established|Name resolution failed)/;
