import type { FastifyReply } from 'fastify';
import type { Answer } from './outcomes.js';

/** Sends an answer. The body is turned into text here, once: it is a plain object of our own making. */
export function send(reply: FastifyReply, answer: Answer): void {
  const isProblem = answer.status >= 400;
  void reply
    .code(answer.status)
    .header('content-type', isProblem ? 'application/problem+json' : 'application/json; charset=utf-8');
  if (answer.replayed) void reply.header('idempotent-replayed', 'true');
  if (answer.retryAfter !== null) void reply.header('retry-after', String(answer.retryAfter));
  if (answer.status === 401) void reply.header('www-authenticate', 'Bearer realm="scrip"');
  void reply.send(JSON.stringify(answer.body));
}

/** Sends the result of a query. */
export function sendJson(reply: FastifyReply, body: object, status = 200): void {
  void reply.code(status).header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body));
}
