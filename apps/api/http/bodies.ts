import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from './problems.js';
import type { RouteDemands } from './route.js';

/** Bytes of a body, where a route does not say otherwise. */
export const bodyLimit = 1_048_576;
/** So much of every body is taken; what is beyond comes out of what large bodies share. */
const SMALL_BYTES = 16_384;
const FIRST_BYTES = 1_024;
/** Bytes of large bodies that the process holds at a time. */
const LARGE_BYTES = 268_435_456;

type Done = (error: Error | null, body?: unknown) => void;

/**
 * JSON in UTF-8, or bytes where the route wants to see them as they came. Nothing of a bad body is kept or quoted. All large bodies
 * together are bounded, so that many who send slowly fill no memory: what is too much is turned away as overload, the large first.
 */
export function parseBodies(server: FastifyInstance, large: LargeBodies): void {
  server.removeAllContentTypeParsers();
  const parser =
    (parse: (body: Buffer) => unknown) =>
    (request: FastifyRequest, payload: IncomingMessage, done: Done): void => {
      const { bodyLimit, config } = request.routeOptions;
      receive(request, payload, { limit: bodyLimit, large }, (error, body) => {
        if (error !== null) return done(error);
        if ((config as Partial<RouteDemands>).rawBody === true) return done(null, body);
        if (body.length === 0) return done(null, undefined);
        if (isEncoded(request.headers)) return done(new Problem('unsupported_media_type'));
        let value: unknown;
        try {
          value = parse(body);
        } catch (problem) {
          return done(problem as Problem);
        }
        done(null, value);
      });
    };
  server.addContentTypeParser('application/json', parser(jsonOf));
  server.addContentTypeParser('*', parser(refuseType));
}

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

/** The memory that large bodies share. */
export class LargeBodies {
  #bytes = 0;
  readonly #taken = new WeakMap<IncomingMessage, number>();

  constructor(private readonly most = LARGE_BYTES) {}

  /** Gives back what a request took, once it is answered, or gone. */
  giveBack(request: IncomingMessage): void {
    if (this.#bytes > 0) this.#bytes -= this.#taken.get(request) ?? 0;
  }

  /** Takes so much for the body of a request; false when there is not so much left. */
  take(request: IncomingMessage, bytes: number): boolean {
    if (this.#bytes + bytes > this.most) return false;
    this.#bytes += bytes;
    this.#taken.set(request, (this.#taken.get(request) ?? 0) + bytes);
    return true;
  }
}

/** Collects a body up to its limit. It is copied as it comes: pieces of a byte each would take a hundred times their size. */
function receive(
  { headers, raw }: FastifyRequest,
  payload: IncomingMessage,
  { limit, large }: { readonly limit: number; readonly large: LargeBodies },
  done: (error: Error | null, body: Buffer) => void,
): void {
  const most = Number(headers['content-length'] ?? limit);
  let body: Buffer = nothing;
  let length = 0;
  const finish = (error: Error | null): void => {
    payload.off('data', collect).off('end', end).off('error', leave);
    done(error, body.subarray(0, length));
  };
  // The client has gone: nobody hears the answer, and nothing went wrong here.
  const leave = (): void => {
    finish(unreadable('the body did not come whole'));
  };
  const end = (): void => {
    finish(null);
  };
  const collect = (chunk: Buffer): void => {
    const before = length;
    length += chunk.length;
    if (length > limit) finish(tooLarge(limit));
    else if (length > SMALL_BYTES && !large.take(raw, chunk.length)) finish(new Problem('overloaded'));
    else {
      if (length > body.length) body = enlarged(body, Math.min(most, Math.max(FIRST_BYTES, 2 * length)));
      chunk.copy(body, before);
    }
  };
  if (most > limit) return void done(tooLarge(limit), nothing);
  // What has come with the head is all of nearly every body: read at once, it costs no listeners and no copy.
  process.nextTick(() => {
    const here = (payload.read() as Buffer | null) ?? nothing;
    const whole = payload.complete || here.length === Number(headers['content-length']);
    if (whole && here.length <= Math.min(limit, SMALL_BYTES)) return void done(null, here);
    payload.on('data', collect).on('end', end).on('error', leave);
    if (here.length > 0) collect(here);
  });
}

const MEBIBYTE = 1_048_576;

/** Says the bound of this route, where it is another than that of the API. */
const tooLarge = (limit: number): Problem =>
  limit > MEBIBYTE
    ? new Problem('payload_too_large', { detail: `Send at most ${String(Math.floor(limit / MEBIBYTE))} MiB.` })
    : new Problem('payload_too_large');

const nothing = Buffer.alloc(0);

function enlarged(body: Buffer, bytes: number): Buffer {
  const larger = Buffer.allocUnsafe(bytes);
  body.copy(larger);
  return larger;
}
