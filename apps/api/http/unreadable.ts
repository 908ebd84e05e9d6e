import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { problemAnswer, type Answer } from './answer.js';

/** The answers that each connection got, or gets, last. They are given in order: where one is given, so are those before it. */
const newest = Symbol('newest answers');
type Noted = Socket & { [newest]?: readonly [last: ServerResponse, before: ServerResponse | null] };

/** Notes an answer that a connection waits for, for `answerUnreadable`. */
export function noteAnswer(response: ServerResponse): void {
  const socket: Noted = response.req.socket;
  socket[newest] = [response, socket[newest]?.[0] ?? null];
}

/** Whether a request that came whole waits for its answer. */
function isAwaited(socket: Noted): boolean {
  const [last = null, before = null] = socket[newest] ?? [];
  if (before !== null && !before.writableFinished) return true;
  return last !== null && last.req.complete && !last.writableFinished;
}

/**
 * Answers bytes that are not HTTP, or no whole request in time: there is no request yet, so the problem is written to the socket. Where
 * a request waits for its answer, this would be taken for that one: the connection ends without a word.
 */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || isAwaited(socket)) {
    socket.destroy();
    return;
  }
  const answer = unreadableAnswer(error.code);
  const body = JSON.stringify(answer.body);
  socket.end(
    `HTTP/1.1 ${String(answer.status)} ${STATUS_CODES[answer.status] ?? ''}\r\nContent-Type: application/problem+json\r\nContent-Length: ${String(Buffer.byteLength(body))}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function unreadableAnswer(code: string | undefined): Answer {
  if (code === 'HPE_HEADER_OVERFLOW') return problemAnswer('headers_too_large', 'unread');
  // Not the caller's mistake for good, as a 400 would say: sent again, it may be served.
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problemAnswer('request_timeout', 'unread');
  return problemAnswer('invalid_request', 'unread', { errors: [{ field: '', message: 'the request cannot be read' }] });
}
