import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Answer, JsonText } from './answer.js';
import type { ApiRequest } from './caller.js';

const hostPattern = /^[A-Za-z0-9._-]{1,253}(:\d{1,5})?$|^\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?$/;

/** The body of an answer; of a problem with its `type` as a whole address, where the request says by which host we are reached. */
export function bodyFor({ headers }: Pick<IncomingMessage, 'headers'>, { body, isProblem }: Answer): object {
  const { host } = headers;
  if (!isProblem || host === undefined || !hostPattern.test(host)) return body;
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
  const { type } = body as { readonly type: string };
  return { ...body, type: `${scheme}://${host}${type}` };
}

/** Has controllers' answers sent with their status and headers. */
export function sendAnswers(server: FastifyInstance, isDraining: () => boolean): void {
  server.addHook('preSerialization', (request, reply, payload, done) => {
    // What is written whole is no work any more, however long its client takes to read it; a stream is.
    (request as ApiRequest).leave?.();
    // Also of a request that came before.
    if (isDraining()) void reply.header('connection', 'close');
    if (payload instanceof Answer) done(null, unwrapped(payload, reply));
    else {
      if (payload instanceof JsonText) void reply.serializer(() => payload.text);
      done(null, payload);
    }
  });
}

/** Gives the reply what the answer says beside its body, which is left to be sent. */
export function unwrapped(answer: Answer, reply: FastifyReply): object {
  const { status, replayed, retryAfter, isProblem } = answer;
  void reply.code(status);
  if (replayed) void reply.header('idempotent-replayed', 'true');
  if (retryAfter !== null) void reply.header('retry-after', String(retryAfter));
  if (status === 401) void reply.header('www-authenticate', 'Bearer realm="scrip"');
  if (isProblem) void reply.header('content-type', 'application/problem+json; charset=utf-8');
  return bodyFor(reply.request, answer);
}

const commonHeaders = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/** Adds what every answer says of itself. A route may say it otherwise. */
export function addCommonHeaders(reply: FastifyReply): void {
  void reply.headers(commonHeaders).header('x-request-id', reply.request.id);
}
