import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiRequest } from './caller.js';
import type { Answer } from './outcomes.js';

const hostPattern = /^[A-Za-z0-9._-]{1,253}(:\d{1,5})?$|^\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?$/;

/** The answer with the `type` of a problem as a whole address, where the request says by which host we are reached. */
export function located(answer: Answer, { headers }: Pick<IncomingMessage, 'headers'>): Answer {
  const { host } = headers;
  if (answer.status < 400 || host === undefined || !hostPattern.test(host)) return answer;
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
  const { type } = answer.body as { readonly type?: unknown };
  if (typeof type !== 'string' || !type.startsWith('/')) return answer;
  return { ...answer, body: { ...answer.body, type: `${scheme}://${host}${type}` } };
}

/** What every answer says of itself. */
export const commonHeaders = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};
const common = Object.entries(commonHeaders).flat();

/** For what Fastify sends: pages, texts and streams, which may say some of it otherwise. */
export function addCommonHeaders(reply: FastifyReply): void {
  for (const [name, value] of Object.entries({ ...commonHeaders, 'x-request-id': reply.request.id })) {
    if (!reply.hasHeader(name)) void reply.header(name, value);
  }
  if (isDraining(reply.request)) void reply.header('connection', 'close');
}

const isDraining = (request: FastifyRequest): boolean => (request as ApiRequest).load?.draining === true;

/**
 * Gives a request's place back, if it still has it. What is written whole is no work any more, however long its client takes to
 * read it; a stream is.
 */
export function leave(request: ApiRequest): void {
  if (!request.place) return;
  request.place = false;
  request.load?.leave(1);
}

const json = 'application/json; charset=utf-8';
const problem = 'application/problem+json; charset=utf-8';

/** Sends an answer. The body is turned into text here, once: it is a plain object of our own making. */
export function send(reply: FastifyReply, answer: Answer): void {
  const { status, replayed, retryAfter, body } = located(answer, reply.request);
  const headers: string[] = [];
  if (replayed) headers.push('idempotent-replayed', 'true');
  if (retryAfter !== null) headers.push('retry-after', String(retryAfter));
  if (status === 401) headers.push('www-authenticate', 'Bearer realm="scrip"');
  write(reply, status, ['content-type', status >= 400 ? problem : json, ...headers], JSON.stringify(body));
}

/** Sends the result of a query. */
export function sendJson(reply: FastifyReply, body: object, status = 200): void {
  write(reply, status, ['content-type', json], JSON.stringify(body));
}

/**
 * Writes an answer to Node's response, all its headers at once. On Fastify's way there each is put into an object, looked for and
 * taken out again, and hooks are run over it. What was set there before goes with it.
 */
function write(reply: FastifyReply, status: number, headers: readonly string[], text: string): void {
  const { raw } = reply;
  const request = reply.request as ApiRequest;
  if (raw.headersSent) return;
  const bytes = Buffer.byteLength(text);
  const all = [...common, 'x-request-id', request.id, ...headers, 'content-length', String(bytes)];
  const others = reply.getHeaders();
  if (isDraining(request)) others['connection'] = 'close';
  for (const name in others) all.push(name, others[name] as string);
  raw.writeHead(status, all);
  leave(request);
  // A byte a character is ASCII, which Node writes faster when it is told.
  raw.end(text, bytes === text.length ? 'latin1' : 'utf8');
}
