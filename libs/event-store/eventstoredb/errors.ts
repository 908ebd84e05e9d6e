import {
  AccessDeniedError,
  MaxAppendSizeExceededError,
  StreamDeletedError,
  StreamNotFoundError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { NO_STREAM } from '../port/event-store.js';

/** How an append failed. */
export type AppendFailure =
  | { readonly kind: 'conflict'; readonly actualRevision: number }
  /** Certainly not stored. */
  | { readonly kind: 'refused'; readonly why: string }
  /** Perhaps stored. */
  | { readonly kind: 'unknown'; readonly why: string };

const UNAVAILABLE = 14;
/** Texts of status 14 that exclude that the server took the append: from the channel, and from a server that is starting. */
const neverTaken = /No connection established|Name resolution failed|Server Is Not Ready/;

/**
 * What the client's error says of the append. Refused is only what the server answers before it begins to write, and what was
 * never sent; every other error, known or not, leaves the outcome open.
 */
export function failureOf(error: unknown): AppendFailure {
  if (error instanceof WrongExpectedVersionError) {
    const { actualVersion } = error;
    return { kind: 'conflict', actualRevision: typeof actualVersion === 'bigint' ? Number(actualVersion) : NO_STREAM };
  }
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const why = reasonOf(error);
  const isRefused =
    error instanceof MaxAppendSizeExceededError ||
    error instanceof AccessDeniedError ||
    error instanceof StreamDeletedError ||
    (code === UNAVAILABLE && neverTaken.test(String(message)));
  return { kind: isRefused ? 'refused' : 'unknown', why };
}

/** The kind of an error of the client, for a message: its own text may be long, and its name is always `Error`. */
export function reasonOf(error: unknown): string {
  const { type, code } = error as { readonly type?: unknown; readonly code?: unknown };
  const status = typeof code === 'number' ? `status ${String(code)}` : 'no status';
  return typeof type === 'string' ? `${type} (${status})` : status;
}

/** Whether a read failed because its stream has no events. */
export const isMissingStream = (error: unknown): boolean => error instanceof StreamNotFoundError;
