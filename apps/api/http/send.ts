import type { IncomingMessage } from 'node:http';
import type { FastifyReply } from 'fastify';
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

const commonHeaders = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/** Adds what every answer says of itself, unless that is done. A route may say it otherwise. */
export function addCommonHeaders(reply: FastifyReply): void {
  if (!reply.hasHeader('x-request-id')) void reply.headers(commonHeaders).header('x-request-id', reply.request.id);
}

/** Sends a problem. */
export function sendProblem(reply: FastifyReply, answer: Answer): void {
  // Fastify closes the connection behind whatever a parser refuses; more may have been asked on it. Node reads the rest of the body.
  if (reply.hasHeader('connection') && reply.raw.shouldKeepAlive) void reply.header('connection', 'keep-alive');
  send(reply, answer);
}

/** Sends an answer. The body is turned into text here, once: it is a plain object of our own making. */
export function send(reply: FastifyReply, answer: Answer): void {
  const { status, replayed, retryAfter, body } = located(answer, reply.request);
  if (replayed) void reply.header('idempotent-replayed', 'true');
  if (retryAfter !== null) void reply.header('retry-after', String(retryAfter));
  if (status === 401) void reply.header('www-authenticate', 'Bearer realm="scrip"');
  void reply
    .code(status)
    .header('content-type', `application/${status >= 400 ? 'problem+json' : 'json'}; charset=utf-8`)
    .send(JSON.stringify(body));
}

/** Sends the result of a query. */
export function sendJson(reply: FastifyReply, body: object, status = 200): void {
  void reply.code(status).send(body);
}
