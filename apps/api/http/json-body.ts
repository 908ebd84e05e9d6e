import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ApiRequest } from './caller.js';
import { Problem } from './problem.js';

/** Bytes of a body, where a route does not say otherwise. */
export const bodyLimit = 1_048_576;

type Done = (error: Error | null, body?: unknown) => void;

/** Has bodies read as JSON in UTF-8, or as bytes where the route wants to see them as they came. Nothing of a bad body is quoted. */
export function parseBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, parser(jsonOf));
  server.addContentTypeParser('*', { parseAs: 'buffer' }, parser(refuseType));
}

const parser =
  (parse: (body: Buffer) => unknown) =>
  (request: FastifyRequest, body: Buffer, done: Done): void => {
    if ((request as ApiRequest).demands?.rawBody === true) done(null, body);
    else if (body.length === 0) done(null, undefined);
    else if (isEncoded(request.headers)) done(new Problem('unsupported_media_type'));
    else done(null, parse(body));
  };

/** Whether a body was compressed, or is in another character set than UTF-8: what it says could be misread. */
function isEncoded(headers: IncomingHttpHeaders): boolean {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return true;
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(headers['content-type'] ?? '')?.[1];
  return charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset);
}

function refuseType(): never {
  throw new Problem('unsupported_media_type');
}

function jsonOf(body: Buffer): unknown {
  const text = body.toString('utf8');
  // This stands for whatever is no UTF-8, and may also be meant.
  if (text.includes('\ufffd') && !isUtf8(body)) throw unreadable('the body is not UTF-8');
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable('the body is not JSON');
  }
}

const unreadable = (message: string): Problem => new Problem('invalid_request', { errors: [{ field: '', message }] });
