import type { ApiRequest } from './caller.js';
import { Problem } from './problem.js';

const keyPattern = /^[\x20-\x7e]{1,255}$/;

/** The Idempotency-Key of a request; null where it has none and the command is harmless to repeat. Throws Problem. */
export function keyIn({ headers, raw }: ApiRequest, required: true): string;
export function keyIn({ headers, raw }: ApiRequest, required: boolean): string | null;
export function keyIn({ headers, raw }: ApiRequest, required: boolean): string | null {
  const header = headers['idempotency-key'];
  if (header === undefined || header === '') {
    if (required) throw new Problem('idempotency_key_required');
    return null;
  }
  // Node joins what was sent twice by commas; looked up only where there are some, for it costs a pass over all headers.
  const sent = header.includes(',') ? raw.headersDistinct['idempotency-key'] : undefined;
  if (typeof header !== 'string' || (sent?.length ?? 1) > 1) throw invalid('must be sent once');
  if (!keyPattern.test(header)) throw invalid('must be 1 to 255 printable ASCII characters');
  return header;
}

const invalid = (message: string): Problem =>
  new Problem('invalid_request', { errors: [{ field: 'Idempotency-Key', message }] });
