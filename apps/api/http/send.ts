import type { IncomingMessage } from 'node:http';
import type { FastifyReply } from 'fastify';
import { jsonOf, type Answer } from './outcomes.js';

const hostPattern = /^[A-Za-z0-9._-]{1,253}(:\d{1,5})?$|^\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?$/;

/** The answer with the `type` of a problem as a whole address, where the request says by which host we are reached. */
export function located(answer: Answer, { headers }: Pick<IncomingMessage, 'headers'>): Answer {
  const { host } = headers;
  if (typeof answer.body === 'string' || answer.status < 400 || host === undefined || !hostPattern.test(host))
    return answer;
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
  const { type } = answer.body as { readonly type?: unknown };
  if (typeof type !== 'string' || !type.startsWith('/')) return answer;
  return { ...answer, body: { ...answer.body, type: `${scheme}://${host}${type}` } };
}

/** Sends an answer. The body is turned into text here, once: it is a plain object of our own making. */
export function send(reply: FastifyReply, answer: Answer): void {
  const isProblem = answer.status >= 400;
  void reply
    .code(answer.status)
    .header('content-type', isProblem ? 'application/problem+json' : 'application/json; charset=utf-8');
  if (answer.replayed) void reply.header('idempotent-replayed', 'true');
  if (answer.retryAfter !== null) void reply.header('retry-after', String(answer.retryAfter));
  if (answer.status === 401) void reply.header('www-authenticate', 'Bearer realm="scrip"');
  void reply.send(jsonOf(located(answer, reply.request)));
}

/** Sends the result of a query. */
export function sendJson(reply: FastifyReply, body: object, status = 200): void {
  sendJsonText(reply, JSON.stringify(body), status);
}

/** Sends what is JSON already. */
export function sendJsonText(reply: FastifyReply, text: string, status = 200): void {
  void reply.code(status).header('content-type', 'application/json; charset=utf-8').send(text);
}
